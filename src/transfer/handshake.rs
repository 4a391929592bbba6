//! The handshake of version 2, which begins as version 1 does: `doc/protocol.md`, section 4.
//!
//! ```text
//! M0 S->R  48  the header of version 1, marked
//! M1 R->S  19  '2', version, flags, nonce of R             or 'O', 'X' of version 1
//! M2 S->R  48  nonce of S, Ya
//! M3 R->S  96  Yb, Tb
//! M4 S->R  64  Ta                                          zeros when Tb was wrong
//! ```
//!
//! Two machines without I/O, clock or randomness. They take bytes in any pieces and use none behind their
//! message: what follows belongs to the records, or to version 1. Only a machine that has come to its end gives
//! a [`Channel`].

use super::channel::{self, Channel, Opener, Sealer};
use super::error::Error;
use super::secret::Secret;
use crate::crypto::cpace::{self, Degenerate, Keys, SHARE_SIZE, TAG_SIZE};
use crate::crypto::ct::{self, wipe};
use crate::crypto::hkdf;
use crate::crypto::sha2::sha512;
use crate::wire::v1::{HEADER_SIZE, Header};
use crate::wire::v2::{ANSWER_SIZE, Answer, Mark, VERSION, YES2};
use crate::wire::{NO, UserId, YES};

/// Random bytes that each side needs for one handshake.
pub const ENTROPY: usize = NONCE + 32;

const NONCE: usize = 16;
const LABEL: &[u8] = b"p2pxfer/2";
/// Of a share that would make the key the same for every secret.
const DEGENERATE: Error =
    Error::Broken("a key share that no honest program sends: do not trust it");

/// What is to be done next. `V` is what version 1 goes on with: the answer of a receiver, `'O'` or `'X'`, or the
/// header of a sender.
pub enum Step<V> {
    /// More bytes are awaited.
    More,
    /// These bytes are to be sent.
    Send(Vec<u8>),
    /// Version 1 goes on.
    Version1(V),
    /// These bytes are to be sent, and then it is over.
    Refuse(Vec<u8>, Error),
    /// These bytes are to be sent, and then the records begin.
    Done(Vec<u8>, Channel),
}

/// What both machines know.
struct Common {
    user: UserId,
    /// The secret, if there is one.
    prs: Option<Secret>,
    nonce: [u8; NONCE],
    scalar: [u8; 32],
    /// What has come of the message that is awaited.
    partial: Vec<u8>,
    /// All messages until now.
    transcript: Vec<u8>,
}

impl Drop for Common {
    fn drop(&mut self) {
        wipe(&mut self.scalar);
    }
}

impl Common {
    fn new(user: &UserId, secret: Option<&Secret>, mut entropy: [u8; ENTROPY]) -> Self {
        let mut common = Self {
            user: user.clone(),
            prs: secret.cloned(),
            nonce: [0; NONCE],
            scalar: [0; 32],
            partial: Vec::new(),
            transcript: Vec::new(),
        };
        let (nonce, scalar) = entropy.split_at(NONCE);
        common.nonce.copy_from_slice(nonce);
        common.scalar.copy_from_slice(scalar);
        wipe(&mut entropy);
        common
    }

    /// Takes what a message of `N` bytes still needs: how much, and the message when it is whole.
    fn collect<const N: usize>(&mut self, bytes: &[u8]) -> (usize, Option<[u8; N]>) {
        let count = bytes.len().min(N - self.partial.len());
        self.partial.extend_from_slice(&bytes[..count]);
        let whole = <[u8; N]>::try_from(self.partial.as_slice()).ok();
        if whole.is_some() {
            self.partial.clear();
        }
        (count, whole)
    }

    fn note(&mut self, message: &[u8]) {
        self.transcript.extend_from_slice(message);
    }

    fn prs(&self) -> &[u8] {
        self.prs.as_ref().map_or(&[], Secret::expose)
    }

    /// Who meets, in which roles, after which choices: to be taken when M0 and M1 are all there is.
    fn ci(&self) -> Vec<u8> {
        let choices = sha512(&self.transcript);
        cpace::identify(&[LABEL, self.user.as_bytes(), b"S", b"R", &choices])
    }

    /// The keys of S to R and of R to S, when all messages were noted.
    fn keys(&self, keys: &Keys) -> [ct::Secret<32>; 2] {
        let prk = hkdf::extract(LABEL, keys.isk());
        let bound = sha512(&self.transcript);
        [&b"k_SR"[..], b"k_RS"].map(|label| {
            let mut key = ct::Secret::zeroed();
            channel::expand(&prk, &[label, &bound], &mut key);
            key
        })
    }

    /// What a tag that is not right says.
    fn other_session(&self) -> Error {
        match self.verified() {
            true => Error::WrongSecret,
            false => Error::Tampered,
        }
    }

    fn verified(&self) -> bool {
        self.prs.is_some()
    }
}

/// The sender's side; the state says what is awaited.
pub struct Initiator {
    common: Common,
    named: bool,
    state: Awaited,
}

enum Awaited {
    /// M1.
    Answer,
    /// M3.
    Share(cpace::Initiator),
    Nothing,
}

impl Initiator {
    /// Begins: the machine, and M0. `header` is what version 1 would say, when it may; it is not said when
    /// there is a secret.
    pub fn new(
        user: &UserId,
        secret: Option<&Secret>,
        header: Option<&Header>,
        entropy: [u8; ENTROPY],
    ) -> (Self, [u8; HEADER_SIZE]) {
        let header = header.filter(|_| secret.is_none());
        let mark = Mark {
            version: VERSION,
            secret: secret.is_some(),
        };
        let first = mark.encode(header);
        let mut common = Common::new(user, secret, entropy);
        common.note(&first);
        let initiator = Self {
            common,
            named: header.is_some(),
            state: Awaited::Answer,
        };
        (initiator, first)
    }

    /// How many bytes to read next: no more than belong to the handshake.
    pub fn wanted(&self) -> usize {
        let whole = match self.state {
            // The first byte may be an answer of version 1, which is all of it.
            Awaited::Answer if self.common.partial.is_empty() => 1,
            Awaited::Answer => ANSWER_SIZE,
            Awaited::Share(_) => SHARE_SIZE + TAG_SIZE,
            Awaited::Nothing => 0,
        };
        whole.saturating_sub(self.common.partial.len())
    }

    /// Takes bytes from the receiver: how many were used, and what is next. After a step that is not
    /// [`Step::More`] or [`Step::Send`] it uses none.
    ///
    /// # Errors
    /// Why there will be no transfer.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<(usize, Step<u8>), Error> {
        match std::mem::replace(&mut self.state, Awaited::Nothing) {
            Awaited::Answer => self.answer(bytes),
            Awaited::Share(session) => self.share(session, bytes),
            Awaited::Nothing => Ok((0, Step::More)),
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> Result<(usize, Step<u8>), Error> {
        if let (true, Some(&first)) = (self.common.partial.is_empty(), bytes.first()) {
            match first {
                YES2 => {}
                YES | NO if self.named => return Ok((1, Step::Version1(first))),
                YES => return Err(Error::Version1Only),
                NO => return Err(Error::RefusedUnnamed),
                byte => return Err(Error::UnexpectedAnswer(byte)),
            }
        }
        let (used, whole) = self.common.collect::<ANSWER_SIZE>(bytes);
        let Some(message) = whole else {
            self.state = Awaited::Answer;
            return Ok((used, Step::More));
        };
        let answer = Answer::decode(&message).ok_or(Error::Broken(
            "it answered with a version that nobody asked for: update both programs",
        ))?;
        match (self.common.prs.is_some(), answer.secret) {
            (true, false) => return Err(Error::SecretMissing),
            (false, true) => return Err(Error::SecretNeeded),
            _ => {}
        }
        self.common.note(&message);
        let sid = [self.common.nonce, answer.nonce].concat();
        let (prs, ci) = (self.common.prs(), self.common.ci());
        let (session, ya) = cpace::Initiator::new(prs, &ci, &sid, &[], self.common.scalar);
        let message = [&self.common.nonce[..], &ya].concat();
        self.common.note(&message);
        self.state = Awaited::Share(session);
        Ok((used, Step::Send(message)))
    }

    fn share(
        &mut self,
        session: cpace::Initiator,
        bytes: &[u8],
    ) -> Result<(usize, Step<u8>), Error> {
        let (used, whole) = self.common.collect::<{ SHARE_SIZE + TAG_SIZE }>(bytes);
        let Some(message) = whole else {
            self.state = Awaited::Share(session);
            return Ok((used, Step::More));
        };
        let (yb, tb) = halves::<SHARE_SIZE, TAG_SIZE>(&message);
        // A tag that is none, so that the receiver does not have to guess why nothing comes.
        let refuse = |error| Ok((used, Step::Refuse(vec![0; TAG_SIZE], error)));
        let keys = match session.finish(&yb, &[]) {
            Ok(keys) if keys.confirms(&tb) => keys,
            Ok(_) => return refuse(self.common.other_session()),
            Err(Degenerate) => return refuse(DEGENERATE),
        };
        self.common.note(&message);
        let last = keys.own().to_vec();
        self.common.note(&last);
        let [to, from] = self.common.keys(&keys);
        let channel = Channel {
            sealer: Sealer::new(&to),
            opener: Opener::new(&from),
            verified: self.common.verified(),
        };
        Ok((used, Step::Done(last, channel)))
    }
}

/// The receiver's side; the state says what is awaited.
pub struct Responder {
    common: Common,
    version1_only: bool,
    state: Asked,
}

enum Asked {
    /// M0.
    Header,
    /// M2.
    Share,
    /// M4.
    Confirmation(Keys),
    Nothing,
}

impl Responder {
    /// A receiver that has said nothing yet. `version1_only` lets it overlook every mark.
    pub fn new(
        user: &UserId,
        secret: Option<&Secret>,
        version1_only: bool,
        entropy: [u8; ENTROPY],
    ) -> Self {
        Self {
            common: Common::new(user, secret, entropy),
            version1_only,
            state: Asked::Header,
        }
    }

    /// Whether all that came is one refusal, where a header should begin: a relay that does not keep its
    /// listener ends the connection so.
    pub fn got_refusal_only(&self) -> bool {
        matches!(self.state, Asked::Header) && self.common.partial == [NO]
    }

    /// Whether a sender that goes away now may have tried a secret: it has the tag to check its guess with, and
    /// has proved nothing. Such an end has to cost it what a wrong tag would.
    pub fn guess_is_open(&self) -> bool {
        self.common.verified() && matches!(self.state, Asked::Confirmation(_))
    }

    /// How many bytes to read next: no more than belong to the handshake.
    pub fn wanted(&self) -> usize {
        let whole = match self.state {
            Asked::Header => HEADER_SIZE,
            Asked::Share => NONCE + SHARE_SIZE,
            Asked::Confirmation(_) => TAG_SIZE,
            Asked::Nothing => 0,
        };
        whole.saturating_sub(self.common.partial.len())
    }

    /// Takes bytes from the sender: how many were used, and what is next. After a step that is not
    /// [`Step::More`] or [`Step::Send`] it uses none.
    ///
    /// # Errors
    /// Why there will be no transfer.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<(usize, Step<[u8; HEADER_SIZE]>), Error> {
        match std::mem::replace(&mut self.state, Asked::Nothing) {
            Asked::Header => Ok(self.header(bytes)),
            Asked::Share => self.share(bytes),
            Asked::Confirmation(keys) => self.confirmation(keys, bytes),
            Asked::Nothing => Ok((0, Step::More)),
        }
    }

    fn header(&mut self, bytes: &[u8]) -> (usize, Step<[u8; HEADER_SIZE]>) {
        let (used, whole) = self.common.collect::<HEADER_SIZE>(bytes);
        let Some(header) = whole else {
            self.state = Asked::Header;
            return (used, Step::More);
        };
        let mark = Mark::find(&header);
        let unnamed = mark.is_some_and(|mark| header == mark.encode(None));
        let ours = self.common.prs.is_some();
        if unnamed && self.version1_only {
            return (used, Step::Refuse(vec![NO], Error::NeedsVersion2));
        }
        let Some(mark) = mark.filter(|_| !self.version1_only) else {
            let step = match ours {
                true => Step::Refuse(vec![NO], Error::Version1Only),
                false => Step::Version1(header),
            };
            return (used, step);
        };
        let answer = Answer {
            secret: ours,
            nonce: self.common.nonce,
        };
        let answer = answer.encode();
        self.common.note(&header);
        self.common.note(&answer);
        let answer = answer.to_vec();
        let step = match (ours, mark.secret) {
            (true, false) => Step::Refuse(answer, Error::SecretMissing),
            (false, true) => Step::Refuse(answer, Error::SecretNeeded),
            _ => {
                self.state = Asked::Share;
                Step::Send(answer)
            }
        };
        (used, step)
    }

    fn share(&mut self, bytes: &[u8]) -> Result<(usize, Step<[u8; HEADER_SIZE]>), Error> {
        let (used, whole) = self.common.collect::<{ NONCE + SHARE_SIZE }>(bytes);
        let Some(message) = whole else {
            self.state = Asked::Share;
            return Ok((used, Step::More));
        };
        let (nonce, ya) = halves::<NONCE, SHARE_SIZE>(&message);
        let sid = [nonce, self.common.nonce].concat();
        let (prs, ci) = (self.common.prs(), self.common.ci());
        let answered = cpace::Responder::respond(prs, &ci, &sid, &ya, &[], &[], self.common.scalar);
        let (keys, yb) = answered.map_err(|Degenerate| DEGENERATE)?;
        self.common.note(&message);
        let message = [&yb[..], keys.own()].concat();
        self.common.note(&message);
        self.state = Asked::Confirmation(keys);
        Ok((used, Step::Send(message)))
    }

    fn confirmation(
        &mut self,
        keys: Keys,
        bytes: &[u8],
    ) -> Result<(usize, Step<[u8; HEADER_SIZE]>), Error> {
        let (used, whole) = self.common.collect::<TAG_SIZE>(bytes);
        let Some(message) = whole else {
            self.state = Asked::Confirmation(keys);
            return Ok((used, Step::More));
        };
        if !keys.confirms(&message) {
            return Err(self.common.other_session());
        }
        self.common.note(&message);
        let [from, to] = self.common.keys(&keys);
        let channel = Channel {
            sealer: Sealer::new(&to),
            opener: Opener::new(&from),
            verified: self.common.verified(),
        };
        Ok((used, Step::Done(Vec::new(), channel)))
    }
}

/// The first `A` bytes of a message, and the last `B`.
fn halves<const A: usize, const B: usize>(message: &[u8]) -> ([u8; A], [u8; B]) {
    let (mut first, mut last) = ([0; A], [0; B]);
    first.copy_from_slice(&message[..A]);
    last.copy_from_slice(&message[message.len() - B..]);
    (first, last)
}

#[cfg(test)]
mod tests;

//! CPace: two sides that share a secret, however short, agree on a key, and an eavesdropper or an
//! impostor can try no more than one guess in a session (draft-irtf-cfrg-cpace-21).
//!
//! The cipher suite is CPACE-X25519-SHA512, in initiator-responder mode, with the key confirmation of
//! section 10.4. A is the initiator, B the responder; both must come with the same `prs`, `ci` and `sid`:
//!
//! ```text
//! prs        the shared secret, of any length
//! ci         who the two sides are, and in which roles (section 10.1)
//! sid        a string that no other session has, best of nonces of both sides (section 10.9)
//! ada, adb   what A and B say to each other beside their shares; not secret
//! entropy    32 fresh bytes of a random source, for this session alone; the caller wipes his copy
//! ```
//!
//! A key is as good as the secret only once the other side's tag was found right: [`Keys::confirms`].

use super::ct::{self, Secret, wipe};
use super::field25519::Element;
use super::hmac::HmacSha512;
use super::sha2::{BLOCK_SIZE, DIGEST_SIZE, Sha512};
use super::x25519::x25519;
use std::error::Error;
use std::fmt;

/// Bytes of a share.
pub const SHARE_SIZE: usize = 32;
/// Bytes of a confirmation tag.
pub const TAG_SIZE: usize = DIGEST_SIZE;
/// Bytes of the intermediate session key.
pub const ISK_SIZE: usize = DIGEST_SIZE;

/// The initiator, who has sent its share and awaits the responder's.
pub struct Initiator {
    scalar: Secret<32>,
    ya: [u8; SHARE_SIZE],
    sid: Vec<u8>,
    ada: Vec<u8>,
}

impl Initiator {
    /// Begins a session: the initiator, and the share Ya to send.
    pub fn new(
        prs: &[u8],
        ci: &[u8],
        sid: &[u8],
        ada: &[u8],
        entropy: [u8; 32],
    ) -> (Self, [u8; SHARE_SIZE]) {
        let scalar = taken(entropy);
        let ya = share(&scalar, prs, ci, sid);
        let initiator = Self {
            scalar,
            ya,
            sid: sid.to_vec(),
            ada: ada.to_vec(),
        };
        (initiator, ya)
    }

    /// The keys, from the responder's share Yb and what it said beside it.
    pub fn finish(self, yb: &[u8; SHARE_SIZE], adb: &[u8]) -> Result<Keys, Degenerate> {
        // Our own share, sent back to us (section 10.1.2).
        if *yb == self.ya {
            return Err(Degenerate);
        }
        let a = Message {
            y: &self.ya,
            ad: &self.ada,
        };
        let b = Message { y: yb, ad: adb };
        let schedule = Schedule::new(&self.scalar, yb, &self.sid, [&a, &b])?;
        Ok(schedule.keys(&a, &b))
    }
}

/// The responder. It is done in one step, and so nothing of this type ever waits.
pub enum Responder {}

impl Responder {
    /// Answers an initiator's share Ya, and what it said beside it: the keys, and the share Yb to send.
    pub fn respond(
        prs: &[u8],
        ci: &[u8],
        sid: &[u8],
        ya: &[u8; SHARE_SIZE],
        ada: &[u8],
        adb: &[u8],
        entropy: [u8; 32],
    ) -> Result<(Keys, [u8; SHARE_SIZE]), Degenerate> {
        let scalar = taken(entropy);
        let yb = share(&scalar, prs, ci, sid);
        let a = Message { y: ya, ad: ada };
        let b = Message { y: &yb, ad: adb };
        let schedule = Schedule::new(&scalar, ya, sid, [&a, &b])?;
        Ok((schedule.keys(&b, &a), yb))
    }
}

/// What a session gives each side. All of it is wiped when dropped.
pub struct Keys {
    isk: Secret<ISK_SIZE>,
    own: Secret<TAG_SIZE>,
    expected: Secret<TAG_SIZE>,
}

impl Keys {
    /// The tag to send: Ta of the initiator, Tb of the responder. The initiator sends its own only after
    /// the responder's was right, so that a wrong guess learns nothing from it.
    pub fn own(&self) -> &[u8; TAG_SIZE] {
        self.own.expose()
    }

    /// The tag that the other side has to send. Compare with [`Keys::confirms`].
    pub fn expected(&self) -> &[u8; TAG_SIZE] {
        self.expected.expose()
    }

    /// Whether the other side's tag is right: it knows the secret, and both saw the same session.
    pub fn confirms(&self, tag: &[u8; TAG_SIZE]) -> bool {
        ct::eq(self.expected.expose(), tag)
    }

    /// The intermediate session key, to derive others from (section 10.3).
    pub fn isk(&self) -> &[u8; ISK_SIZE] {
        self.isk.expose()
    }
}

/// The other side's share leads to a key that is no secret, whatever the scalar: a point of low order, or
/// our own share. Nobody honest sends one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Degenerate;

impl fmt::Display for Degenerate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other side sent a key share that no honest program sends; do not trust this connection")
    }
}

impl Error for Degenerate {}

/// What one side sends: its share, and associated data.
struct Message<'a> {
    y: &'a [u8; SHARE_SIZE],
    ad: &'a [u8],
}

/// What both sides come to alike.
struct Schedule {
    isk: Secret<ISK_SIZE>,
    /// Has begun with the key of both tags.
    tag: HmacSha512,
}

impl Schedule {
    /// Section 7.2, from `K = G.scalar_mult_vfy(y, Y)` on.
    fn new(
        scalar: &Secret<32>,
        peer: &[u8; SHARE_SIZE],
        sid: &[u8],
        [a, b]: [&Message; 2],
    ) -> Result<Self, Degenerate> {
        let k = Secret::new(x25519(scalar.expose(), peer));
        // Whether it is G.I, is no secret: it depends on the share alone.
        if ct::eq(k.expose(), &[0; 32]) {
            return Err(Degenerate);
        }
        // ISK = H(lv_cat(DSI || "_ISK", sid, K) || transcript_ir(Ya, ADa, Yb, ADb))
        let mut hash = Sha512::new();
        lv_cat(
            &[b"CPace255_ISK", sid, k.expose(), a.y, a.ad, b.y, b.ad],
            |bytes| hash.update(bytes),
        );
        let isk = Secret::new(hash.finish());
        // Section 10.4: mac_key = H("CPaceMac" || sid || ISK)
        let mut hash = Sha512::new();
        hash.update(b"CPaceMac");
        hash.update(sid);
        hash.update(isk.expose());
        let mac_key = Secret::new(hash.finish());
        let tag = HmacSha512::new(mac_key.expose());
        Ok(Self { isk, tag })
    }

    /// Each side's tag is over what it has sent: `MAC(mac_key, lv_cat(Y, AD))`.
    fn keys(self, own: &Message, other: &Message) -> Keys {
        let tag = |message: &Message| {
            let mut tag = self.tag.clone();
            lv_cat(&[message.y, message.ad], |bytes| tag.update(bytes));
            Secret::new(tag.finish())
        };
        Keys {
            own: tag(own),
            expected: tag(other),
            isk: self.isk,
        }
    }
}

/// `G.sample_scalar()` (section 8.2): the bytes themselves; X25519 clamps them.
fn taken(mut entropy: [u8; 32]) -> Secret<32> {
    let scalar = Secret::new(entropy);
    wipe(&mut entropy);
    scalar
}

/// `G.scalar_mult(y, g)`.
fn share(scalar: &Secret<32>, prs: &[u8], ci: &[u8], sid: &[u8]) -> [u8; SHARE_SIZE] {
    x25519(scalar.expose(), generator(prs, ci, sid).expose())
}

/// `G.calculate_generator(H, PRS, CI, sid)` of section 8.2, as a u-coordinate.
fn generator(prs: &[u8], ci: &[u8], sid: &[u8]) -> Secret<32> {
    const DSI: &[u8] = b"CPace255";
    const ZEROS: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];
    // Section 8.1: domain and secret fill the first block of the hash, or more, so that a short secret does not
    // show its length in the time of hashing, and the block depends on nothing else.
    let padding = (BLOCK_SIZE - 1)
        .saturating_sub(Length::of(prs).bytes().len() + prs.len())
        .saturating_sub(Length::of(DSI).bytes().len() + DSI.len());
    let mut hash = Sha512::new();
    lv_cat(&[DSI, prs, &ZEROS[..padding], ci, sid], |bytes| {
        hash.update(bytes)
    });
    let digest = Secret::new(hash.finish());
    // H.hash(gen_str, 32) is the front of the digest.
    let mut front = Secret::<32>::zeroed();
    front.expose_mut().copy_from_slice(&digest.expose()[..32]);
    map_to_curve(&front)
}

/// `map_to_curve_elligator2` of RFC 9380, section 6.7.1, for Curve25519 (J = 486662, K = 1, Z = 2); the
/// u-coordinate alone. Every input takes the same course.
fn map_to_curve(bytes: &Secret<32>) -> Secret<32> {
    let j = Element::small(486_662);
    let u = Element::from_bytes(bytes.expose());
    // x1 = -J / (1 + 2 u^2). Never a division by zero: -1/2 is no square, as -1 is one and 2 is none.
    let divisor = Element::ONE.add(&u.square().times(2));
    let x1 = Element::ZERO.sub(&j).mul(&divisor.invert());
    // g(x1) = x1^3 + J x1^2 + x1, which is never 0: x1 is not, and x^2 + J x + 1 has no root.
    let sum = x1.add(&j);
    let g = sum.mul(&x1).add(&Element::ONE).mul(&x1);
    // x2 = -x1 - J
    let x2 = Element::ZERO.sub(&sum);
    let x = Element::select(&x1, &x2, &g.is_square());
    // Of the two, x2 is loose; only a tight element can be encoded.
    Secret::new(x.mul(&Element::ONE).to_bytes())
}

/// `lv_cat` of appendix A.1.3: each string behind its length.
fn lv_cat(strings: &[&[u8]], mut put: impl FnMut(&[u8])) {
    for string in strings {
        put(Length::of(string).bytes());
        put(string);
    }
}

/// The length of a string, as `prepend_len` of appendix A.1.1 writes it: LEB128.
struct Length {
    encoded: [u8; 10],
    used: usize,
}

impl Length {
    fn of(string: &[u8]) -> Self {
        let mut encoded = [0; 10];
        let mut used = 0;
        let mut left = string.len();
        loop {
            let more = left >= 1 << 7;
            encoded[used] = (left & 0x7f) as u8 | u8::from(more) << 7;
            used += 1;
            left >>= 7;
            if !more {
                return Self { encoded, used };
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.encoded[..self.used]
    }
}

#[cfg(test)]
mod tests;

//! Version 1, the transfer of 2013: header, answer, data, checksum, answer.
//!
//! [`Sender`] and [`Receiver`] are the protocol, without a clock or a connection; [`send`] and
//! [`receive`] run them over a [`Link`].

use super::error::Error;
use super::event::{Event, Observer};
use super::link::Link;
use super::source::Source;
use super::store::{Sink, Store, Stored};
use crate::wire::v1::{Checksum, HEADER_SIZE, Header, NUMBER_WIDTH};
use crate::wire::{HeaderError, NO, YES};

/// How much is read and written at once, in bytes.
const BLOCK: usize = 256 * 1024;

/// The sender's side; each state says what is awaited.
#[derive(Debug)]
pub struct Sender {
    state: Sending,
    left: u64,
    checksum: Checksum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    HeaderAnswer,
    Data,
    Verdict,
    Nothing,
}

/// What the receiver's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver takes the file: send the data.
    SendData,
    /// The receiver has the file.
    Stored,
    /// The receiver does not want the file.
    Refused,
    /// The receiver had all of it, and does not keep it.
    NotAccepted,
    /// No answer at all, or one that was not due.
    Unexpected,
}

impl Sender {
    /// The sender of a file, and its first bytes for the wire.
    pub fn new(header: &Header) -> (Self, [u8; HEADER_SIZE]) {
        let sender = Self {
            state: Sending::HeaderAnswer,
            left: header.length(),
            checksum: Checksum::default(),
        };
        (sender, header.encode())
    }

    /// Takes a byte from the receiver. After anything but [`Answer::SendData`] the transfer is over.
    pub fn handle_answer(&mut self, byte: u8) -> Answer {
        let (next, answer) = match (self.state, byte) {
            (Sending::HeaderAnswer, YES) => (Sending::Data, Answer::SendData),
            (Sending::HeaderAnswer | Sending::Data, NO) => (Sending::Nothing, Answer::Refused),
            (Sending::Verdict, YES) => (Sending::Nothing, Answer::Stored),
            (Sending::Verdict, NO) => (Sending::Nothing, Answer::NotAccepted),
            _ => (Sending::Nothing, Answer::Unexpected),
        };
        self.state = next;
        answer
    }

    /// How much data is to be sent now, in bytes; 0 when none is left or something else is due.
    pub fn poll_data(&self) -> u64 {
        match self.state {
            Sending::Data => self.left,
            _ => 0,
        }
    }

    /// Takes note of data that goes to the wire, at most [`Self::poll_data`] bytes.
    pub fn handle_data(&mut self, data: &[u8]) {
        debug_assert!(data.len() as u64 <= self.poll_data());
        self.checksum.update(data);
        self.left = self.left.saturating_sub(data.len() as u64);
    }

    /// The checksum field, once, when all data went: to be sent next. A byte from the receiver before
    /// this is no verdict.
    pub fn poll_checksum(&mut self) -> Option<[u8; NUMBER_WIDTH]> {
        (self.state == Sending::Data && self.left == 0).then(|| {
            self.state = Sending::Verdict;
            self.checksum.encode()
        })
    }
}

/// The receiver's side; each state says what is awaited.
#[derive(Debug)]
pub struct Receiver {
    state: Receiving,
    checksum: Checksum,
}

#[derive(Debug)]
enum Receiving {
    Header(Field<HEADER_SIZE>),
    Data { left: u64 },
    Checksum(Field<NUMBER_WIDTH>),
    Nothing,
}

/// What the first of the bytes given to a [`Receiver`] were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A piece of a field that is not whole yet.
    Piece,
    /// The end of the header: answer it.
    Header(Header),
    /// Data of the file.
    Data,
    /// The end of the checksum.
    Checksum {
        /// Whether it is that of the data.
        holds: bool,
    },
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            state: Receiving::Header(Field::default()),
            checksum: Checksum::default(),
        }
    }
}

impl Receiver {
    /// Takes bytes from the sender; says how many of them it used, and what those were. To be called
    /// again with the rest, until none is left. After the checksum it uses none.
    ///
    /// # Errors
    /// When a field is malformed: the transfer is over.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<(usize, Received), HeaderError> {
        match &mut self.state {
            Receiving::Header(field) => {
                let (used, whole) = field.push(bytes);
                let Some(whole) = whole else {
                    return Ok((used, Received::Piece));
                };
                let header = Header::decode(whole)?;
                let left = header.length();
                self.state = Receiving::Data { left };
                Ok((used, Received::Header(header)))
            }
            Receiving::Data { left } => {
                let count =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.checksum.update(&bytes[..count]);
                *left -= count as u64;
                if *left == 0 {
                    self.state = Receiving::Checksum(Field::default());
                }
                Ok((count, Received::Data))
            }
            Receiving::Checksum(field) => {
                let (used, whole) = field.push(bytes);
                let Some(whole) = whole else {
                    return Ok((used, Received::Piece));
                };
                let holds = Checksum::decode(whole)? == self.checksum;
                self.state = Receiving::Nothing;
                Ok((used, Received::Checksum { holds }))
            }
            Receiving::Nothing => Ok((0, Received::Piece)),
        }
    }

    /// Whether all that came is one refusal, where a header should begin: a relay that does not keep
    /// its listener ends the connection so.
    fn got_refusal_only(&self) -> bool {
        matches!(&self.state, Receiving::Header(field) if field.bytes[..field.filled] == [NO])
    }
}

/// A field of fixed size that may come in any number of pieces.
#[derive(Debug)]
struct Field<const SIZE: usize> {
    bytes: [u8; SIZE],
    filled: usize,
}

impl<const SIZE: usize> Default for Field<SIZE> {
    fn default() -> Self {
        Self {
            bytes: [0; SIZE],
            filled: 0,
        }
    }
}

impl<const SIZE: usize> Field<SIZE> {
    /// Takes what it needs of `bytes`: how many, and the field when it is whole.
    fn push(&mut self, bytes: &[u8]) -> (usize, Option<&[u8; SIZE]>) {
        let count = bytes.len().min(SIZE - self.filled);
        self.bytes[self.filled..][..count].copy_from_slice(&bytes[..count]);
        self.filled += count;
        (count, (self.filled == SIZE).then_some(&self.bytes))
    }
}

/// Sends a file over `link`; returns when the receiver said that it has it.
///
/// # Errors
/// Why the file did not cross. A file that changes while it is sent: when it shrinks,
/// [`Error::File`]; when it grows, only the announced length is sent.
pub fn send(
    link: &mut impl Link,
    source: &mut Source,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let (mut sender, header) = Sender::new(source.header());
    tell_header(source, observer)?;
    link.write_all(&header).map_err(Error::Lost)?;
    let answer = read_answer(link, &mut sender)?;
    send_data(link, source, sender, answer, observer)
}

/// As [`send`], when the header was sent and answered with this byte.
///
/// # Errors
/// As [`send`].
pub fn send_answered(
    link: &mut impl Link,
    source: &mut Source,
    byte: u8,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let (mut sender, _) = Sender::new(source.header());
    tell_header(source, observer)?;
    let answer = understand(&mut sender, byte)?;
    send_data(link, source, sender, answer, observer)
}

fn tell_header(source: &Source, observer: &mut Observer<'_>) -> Result<(), Error> {
    let (name, length) = (source.sent_name(), source.length());
    Event::Header { name, length }.tell(observer)
}

fn send_data(
    link: &mut impl Link,
    source: &mut Source,
    mut sender: Sender,
    answer: Answer,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let total = source.length();
    match answer {
        Answer::SendData => {}
        answer => return Err(refusal(answer)),
    }
    let mut buffer = vec![0; BLOCK];
    let checksum = loop {
        if link.readable().map_err(Error::Lost)? {
            return Err(refusal(read_answer(link, &mut sender)?));
        }
        if let Some(checksum) = sender.poll_checksum() {
            break checksum;
        }
        let most = usize::try_from(sender.poll_data()).map_or(BLOCK, |left| left.min(BLOCK));
        let count = source.read(&mut buffer[..most])?;
        let data = &buffer[..count];
        sender.handle_data(data);
        if let Err(error) = link.write_all(data) {
            return Err(last_word(link, &mut sender, error));
        }
        let done = total - sender.left;
        Event::Progress { done, total }.tell(observer)?;
    };
    if let Err(error) = link.write_all(&checksum) {
        return Err(last_word(link, &mut sender, error));
    }
    Event::AwaitingVerdict.tell(observer)?;
    link.all_written();
    match read_answer(link, &mut sender)? {
        Answer::Stored => Ok(()),
        answer => Err(refusal(answer)),
    }
}

fn read_answer(link: &mut impl Link, sender: &mut Sender) -> Result<Answer, Error> {
    let mut byte = [0];
    match link.read(&mut byte).map_err(Error::Lost)? {
        0 => Err(Error::ended()),
        _ => understand(sender, byte[0]),
    }
}

fn understand(sender: &mut Sender, byte: u8) -> Result<Answer, Error> {
    match sender.handle_answer(byte) {
        Answer::Unexpected => Err(Error::UnexpectedAnswer(byte)),
        answer => Ok(answer),
    }
}

/// A receiver that gives up in the middle answers and closes: its answer is still there to be read
/// when a write fails.
fn last_word(link: &mut impl Link, sender: &mut Sender, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::TimedOut {
        return Error::Lost(error);
    }
    match read_answer(link, sender) {
        Ok(answer @ (Answer::Refused | Answer::NotAccepted)) => refusal(answer),
        _ => Error::Lost(error),
    }
}

fn refusal(answer: Answer) -> Error {
    match answer {
        Answer::NotAccepted => Error::NotAccepted,
        _ => Error::RefusedByPeer,
    }
}

/// Receives a file over `link` into `store`. The sender hears that it is there only after the file
/// has its final name.
///
/// # Errors
/// Why there is no file now. The sender was told so, when it can still be.
pub fn receive(
    link: &mut impl Link,
    store: &Store,
    observer: &mut Observer<'_>,
) -> Result<(Header, Stored), Error> {
    receive_begun(link, store, &[], observer)
}

/// As [`receive`], when these bytes of the sender were read already.
///
/// # Errors
/// As [`receive`].
pub fn receive_begun(
    link: &mut impl Link,
    store: &Store,
    read: &[u8],
    observer: &mut Observer<'_>,
) -> Result<(Header, Stored), Error> {
    let result = receive_file(link, store, read, observer);
    match &result {
        // The file is there, whether or not the sender hears of it.
        Ok(_) => {
            let _ = link.write_all(&[YES]);
            link.finish();
        }
        Err(Error::Lost(_) | Error::RefusedByRelay | Error::Cancelled) => {}
        Err(_) => {
            let _ = link.write_all(&[NO]);
            link.finish();
        }
    }
    result
}

fn receive_file(
    link: &mut impl Link,
    store: &Store,
    read: &[u8],
    observer: &mut Observer<'_>,
) -> Result<(Header, Stored), Error> {
    let mut receiver = Receiver::default();
    let mut file: Option<(Header, Sink<'_>)> = None;
    let mut done = 0;
    let mut buffer = read.to_vec();
    let mut count = buffer.len();
    buffer.resize(BLOCK, 0);
    loop {
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let (used, received) = receiver.handle_bytes(rest).map_err(Error::Malformed)?;
            let (bytes, after) = rest.split_at(used);
            rest = after;
            match (received, &mut file) {
                (Received::Header(header), _) => {
                    let (name, length) = (header.name(), header.length());
                    Event::Header { name, length }.tell(observer)?;
                    let sink = store.create(name)?;
                    link.write_all(&[YES]).map_err(Error::Lost)?;
                    file = Some((header, sink));
                }
                (Received::Data, Some((header, sink))) => {
                    sink.write_all(bytes)?;
                    done += bytes.len() as u64;
                    let total = header.length();
                    Event::Progress { done, total }.tell(observer)?;
                }
                (Received::Checksum { holds: false }, _) => return Err(Error::Checksum),
                (Received::Checksum { holds: true }, _) => {
                    let (header, sink) = file.ok_or_else(Error::ended)?;
                    // The file, its verdict and the exit status must agree.
                    if !link.settle() {
                        return Err(Error::Cancelled);
                    }
                    return Ok((header, sink.commit()?));
                }
                _ => {}
            }
        }
        count = link.read(&mut buffer).map_err(Error::Lost)?;
        if count == 0 {
            return Err(match receiver.got_refusal_only() {
                true => Error::RefusedByRelay,
                false => Error::ended(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender_in(state: Sending) -> Sender {
        let (mut sender, _) = Sender::new(&Header::new(b"a", 3).unwrap());
        if state != Sending::HeaderAnswer {
            assert_eq!(sender.handle_answer(YES), Answer::SendData);
        }
        if state == Sending::Verdict {
            sender.handle_data(b"abc");
            assert!(sender.poll_checksum().is_some());
        }
        if state == Sending::Nothing {
            assert_eq!(sender.handle_answer(b'?'), Answer::Unexpected);
        }
        assert_eq!(sender.state, state);
        sender
    }

    #[test]
    fn an_answer_means_what_its_state_says_and_only_a_yes_to_the_header_goes_on() {
        let table = [
            (Sending::HeaderAnswer, YES, Answer::SendData),
            (Sending::HeaderAnswer, NO, Answer::Refused),
            (Sending::HeaderAnswer, b'2', Answer::Unexpected),
            (Sending::Data, YES, Answer::Unexpected),
            (Sending::Data, NO, Answer::Refused),
            (Sending::Verdict, YES, Answer::Stored),
            (Sending::Verdict, NO, Answer::NotAccepted),
            (Sending::Verdict, 0, Answer::Unexpected),
            (Sending::Nothing, YES, Answer::Unexpected),
            (Sending::Nothing, NO, Answer::Unexpected),
        ];
        for (state, byte, answer) in table {
            let mut sender = sender_in(state);
            assert_eq!(sender.handle_answer(byte), answer, "{state:?} {byte}");
            let data = if answer == Answer::SendData { 3 } else { 0 };
            assert_eq!(sender.poll_data(), data);
        }
    }

    #[test]
    fn data_is_asked_for_only_after_the_yes_and_ends_in_its_checksum() {
        assert_eq!(sender_in(Sending::HeaderAnswer).poll_data(), 0);
        let mut sender = sender_in(Sending::Data);
        sender.handle_data(b"ab");
        assert_eq!((sender.poll_data(), sender.poll_checksum()), (1, None));
        sender.handle_data(b"c");
        assert_eq!(sender.poll_data(), 0);
        let checksum = *b"294\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(sender.poll_checksum(), Some(checksum));
        assert_eq!(sender.poll_checksum(), None);
    }

    #[test]
    fn a_receiver_reads_the_same_whatever_the_pieces() {
        let header = Header::new(b"a", 3).unwrap();
        let said = [&header.encode()[..], b"abc", b"294\0leftover1234", b"more"].concat();
        for size in 1..=said.len() {
            let mut receiver = Receiver::default();
            let (mut headers, mut data, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
            for mut piece in said.chunks(size) {
                while !piece.is_empty() {
                    let (used, received) = receiver.handle_bytes(piece).unwrap();
                    match received {
                        Received::Header(header) => headers.push(header),
                        Received::Data => data.extend_from_slice(&piece[..used]),
                        Received::Checksum { holds } => verdicts.push(holds),
                        Received::Piece if used == 0 => break,
                        Received::Piece => {}
                    }
                    piece = &piece[used..];
                }
            }
            assert_eq!(headers, std::slice::from_ref(&header), "{size}");
            assert_eq!(
                (data.as_slice(), verdicts.as_slice()),
                (&b"abc"[..], &[true][..])
            );
        }
    }
}

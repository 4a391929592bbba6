//! Peers that break the rules, played over links in memory and over sockets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use p2pxfer::client::{Cancel, Received, recv_file, send_file};
use p2pxfer::transfer::{Error, Event, HeaderError, Link, NameError, Source, Store, v1};

use crate::jobs::{endpoint, into};
use crate::relay::Folder;

/// A peer that has said all it will ever say.
struct Script {
    said: Vec<u8>,
    at: usize,
    heard: Vec<u8>,
    /// After this many bytes the peer hears no more.
    deaf_after: usize,
    /// After this many bytes the peer answers without being asked.
    speaks_after: usize,
    /// This side was cancelled.
    cancelled: bool,
    finished: bool,
}

impl Script {
    fn new(said: &[u8]) -> Self {
        Self {
            said: said.to_vec(),
            at: 0,
            heard: Vec::new(),
            deaf_after: usize::MAX,
            speaks_after: usize::MAX,
            cancelled: false,
            finished: false,
        }
    }
}

impl Link for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // In odd pieces, so that every field comes split.
        let count = buffer.len().min(self.said.len() - self.at).min(7);
        buffer[..count].copy_from_slice(&self.said[self.at..][..count]);
        self.at += count;
        Ok(count)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.heard.extend_from_slice(bytes);
        if self.heard.len() > self.deaf_after {
            self.heard.truncate(self.deaf_after);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    fn readable(&mut self) -> io::Result<bool> {
        Ok(self.heard.len() >= self.speaks_after && self.at < self.said.len())
    }

    fn settle(&mut self) -> bool {
        !self.cancelled
    }

    fn finish(&mut self) {
        self.finished = true;
    }
}

fn ignore(_: Event<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn field<const WIDTH: usize>(text: &[u8]) -> [u8; WIDTH] {
    let mut field = [0; WIDTH];
    field[..text.len()].copy_from_slice(text);
    field
}

fn session(name: &[u8], length: &[u8], data: &[u8], checksum: &[u8]) -> Vec<u8> {
    let (name, length) = (field::<32>(name), field::<16>(length));
    [&name[..], &length, data, &field::<16>(checksum)].concat()
}

/// What a receiver into `folder` makes of a sender's bytes, and what it answers.
fn received(folder: &Path, said: &[u8]) -> (Result<(), Error>, Vec<u8>) {
    let store = Store::open(&into(folder)).unwrap();
    let mut link = Script::new(said);
    let result = v1::receive(&mut link, &store, &mut ignore);
    assert_eq!(
        link.finished,
        !link.heard.is_empty() && !matches!(result, Err(Error::Lost(_)))
    );
    (result.map(drop), link.heard)
}

#[test]
fn a_connection_cut_at_any_byte_leaves_no_file_and_no_part() {
    let said = session(b"hello.txt", b"13", b"hello, world\n", b"1170\0leftover");
    let folder = Folder::new();
    for end in 0..said.len() {
        let (result, answers) = received(folder.path(), &said[..end]);
        assert!(matches!(result, Err(Error::Lost(_))), "{end}: {result:?}");
        assert_eq!(answers, if end < 48 { &b""[..] } else { b"O" });
        assert!(folder.names().is_empty(), "{end}");
    }
    let (result, answers) = received(folder.path(), &said);
    assert!(result.is_ok() && answers == b"OO");
    assert_eq!(folder.names(), ["hello.txt"]);
}

#[test]
fn a_sender_that_breaks_a_rule_is_refused_and_leaves_nothing() {
    let folder = Folder::new();
    let header = |length: &[u8]| session(b"a", length, b"", b"");
    let mut endless_name = session(b"", b"1", b"x", b"120");
    endless_name[..32].fill(b'n');
    for (said, error) in [
        (endless_name, HeaderError::NameWithoutEnd),
        (header(b"-1"), HeaderError::LengthOutOfRange),
        (header(b"99999999999"), HeaderError::LengthOutOfRange),
        (header(b"12x"), HeaderError::NotANumber),
        (header(b""), HeaderError::NotANumber),
        (header(b"0"), HeaderError::LengthZero),
        (header(&[b'1'; 16]), HeaderError::NumberWithoutEnd),
    ] {
        let (result, answers) = received(folder.path(), &said);
        assert!(matches!(result, Err(Error::Malformed(found)) if found == error));
        assert_eq!(answers, b"X");
    }
    for (name, rule) in [
        (&b"../x"[..], NameError::Path),
        (b"C:\\x", NameError::Path),
        (b"CON", NameError::Reserved),
        (b"", NameError::Empty),
        (b".bashrc", NameError::LeadingDot),
    ] {
        let (result, answers) = received(folder.path(), &session(name, b"1", b"x", b"120"));
        assert!(matches!(result, Err(Error::UnsafeName { error, .. }) if error == rule));
        assert_eq!(answers, b"X");
    }
    let (result, answers) = received(folder.path(), &session(b"a", b"1", b"x", b"121"));
    assert!(matches!(result, Err(Error::Checksum)) && answers == b"OX");
    let (result, answers) = received(folder.path(), &session(b"a", b"1", b"x", b"12x"));
    assert!(matches!(result, Err(Error::Malformed(_))) && answers == b"OX");
    assert!(folder.names().is_empty());
}

#[test]
fn a_name_that_was_asked_for_stands_whatever_the_sender_calls_the_file() {
    let folder = Folder::new();
    let target = folder.path().join("mine");
    let (result, _) = received(&target, &session(b"../x", b"1", b"x", b"120"));
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(folder.names(), ["mine"]);
}

#[test]
fn who_was_cancelled_gives_the_file_no_name_and_the_sender_no_yes() {
    let folder = Folder::new();
    let store = Store::open(&into(folder.path())).unwrap();
    let mut link = Script::new(&session(b"a", b"1", b"x", b"120"));
    link.cancelled = true;
    let error = v1::receive(&mut link, &store, &mut ignore).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    assert_eq!(link.heard, b"O");
    assert!(folder.names().is_empty());
}

#[test]
fn an_abandoned_place_has_no_part_and_gets_none() {
    let folder = Folder::new();
    let store = Store::open(&into(folder.path())).unwrap();
    let sink = store.create(b"a").unwrap();
    assert_eq!(folder.names().len(), 1);
    store.guard().abandon();
    assert!(folder.names().is_empty());
    assert!(matches!(store.create(b"b"), Err(Error::File { .. })));
    assert!(folder.names().is_empty());
    drop(sink);
}

#[test]
fn a_refusal_where_a_header_should_be_is_the_relays() {
    let folder = Folder::new();
    let (result, answers) = received(folder.path(), b"X");
    assert!(matches!(result, Err(Error::RefusedByRelay)) && answers.is_empty());
}

#[test]
fn a_sender_understands_every_answer_in_every_state() {
    let folder = Folder::new();
    let path = folder.file("hello.txt", b"hello, world\n");
    let send = |said: &[u8]| {
        let mut link = Script::new(said);
        let mut source = Source::open(&path).unwrap();
        (v1::send(&mut link, &mut source, &mut ignore), link.heard)
    };
    let whole = session(b"hello.txt", b"13", b"hello, world\n", b"1170");
    // One answer a read: the script hands out what there is, and the sender asks for one byte.
    let (result, heard) = send(b"OO");
    assert!(result.is_ok() && heard == whole, "{result:?}");
    let (result, heard) = send(b"X");
    assert!(matches!(result, Err(Error::RefusedByPeer)) && heard == whole[..48]);
    let (result, _) = send(b"OX");
    assert!(matches!(result, Err(Error::NotAccepted)), "{result:?}");
    let (result, _) = send(b"2");
    assert!(matches!(result, Err(Error::UnexpectedAnswer(b'2'))));
    let (result, _) = send(b"O\0");
    assert!(matches!(result, Err(Error::UnexpectedAnswer(0))));
    for said in [&b""[..], b"O"] {
        let (result, _) = send(said);
        assert!(matches!(result, Err(Error::Lost(_))), "{result:?}");
    }
}

#[test]
fn a_receiver_that_closes_at_any_byte_is_lost_or_has_refused_when_it_said_so() {
    let folder = Folder::new();
    let path = folder.file("hello.txt", b"hello, world\n");
    for deaf_after in 0..48 + 13 + 16 {
        let send = |said: &[u8]| {
            let mut link = Script::new(said);
            link.deaf_after = deaf_after;
            let mut source = Source::open(&path).unwrap();
            v1::send(&mut link, &mut source, &mut ignore)
        };
        assert!(matches!(send(b"O"), Err(Error::Lost(_))), "{deaf_after}");
        if deaf_after >= 48 {
            let result = send(b"OX");
            let refused = matches!(result, Err(Error::RefusedByPeer | Error::NotAccepted));
            assert!(refused, "{deaf_after}: {result:?}");
        }
    }
}

#[test]
fn an_answer_before_the_checksum_is_never_a_success() {
    let folder = Folder::new();
    let path = folder.file("long.bin", &[1; 600_000]);
    for speaks_after in [48, 48 + 1, 48 + 300_000, 48 + 600_000] {
        for (said, status) in [(&b"OO"[..], 8), (b"OX", 5), (b"O", 4)] {
            let mut link = Script::new(said);
            link.speaks_after = speaks_after;
            let mut source = Source::open(&path).unwrap();
            let error = v1::send(&mut link, &mut source, &mut ignore).unwrap_err();
            assert_eq!(error.kind().number(), status, "{speaks_after}: {error:?}");
            if status != 4 {
                // At most the block that was on its way then, and no checksum.
                assert!(link.heard.len() < speaks_after + 300_000);
                assert!(link.heard.len() <= 48 + 600_000);
            }
        }
    }
}

#[test]
fn a_receiver_that_answers_twice_and_reads_nothing_has_not_got_the_file() {
    let folder = Folder::new();
    let path = folder.file("a", &[1; 3_000_000]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(listener.local_addr().unwrap().port());
    thread::scope(|scope| {
        let relay = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 7]).unwrap();
            stream.write_all(b"O").unwrap();
            stream.read_exact(&mut [0; 48]).unwrap();
            stream.write_all(b"OO").unwrap();
            stream
        });
        let error = send_file(&endpoint, &path, &Cancel::new(), &mut ignore).unwrap_err();
        assert!(matches!(error, Error::UnexpectedAnswer(b'O')), "{error:?}");
        drop(relay.join().unwrap());
    });
}

/// Plays the relay and the sender on one socket.
fn over_socket(folder: &Path, play: impl FnOnce(TcpStream) + Send) -> Result<Received, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(listener.local_addr().unwrap().port());
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 7];
            stream.read_exact(&mut hello).unwrap();
            assert_eq!(hello, *b"Talice$");
            play(stream);
        });
        recv_file(&endpoint, &into(folder), &Cancel::new(), &mut ignore)
    })
}

#[test]
fn the_last_answer_arrives_although_the_sender_said_more_than_was_asked() {
    let folder = Folder::new();
    let mut said = session(b"a", b"1", b"x", b"120");
    // More than the kernel takes for one who does not read.
    said.resize(20_000_000, 0);
    for _ in 0..3 {
        let result = over_socket(folder.path(), |mut stream| {
            stream.write_all(&said).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answers = Vec::new();
            stream.read_to_end(&mut answers).unwrap();
            assert_eq!(answers, b"OO");
        });
        assert!(result.is_ok(), "{result:?}");
    }
}

#[test]
fn the_file_has_its_name_before_the_sender_hears_that_it_is_there() {
    let folder = Folder::new();
    let result = over_socket(folder.path(), |mut stream| {
        stream
            .write_all(&session(b"a", b"1", b"x", b"120"))
            .unwrap();
        stream.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"x");
    });
    assert!(result.is_ok(), "{result:?}");
}

#[test]
fn a_relay_that_ends_or_refuses_is_told_from_a_sender_that_does() {
    let folder = Folder::new();
    let result = over_socket(folder.path(), drop);
    let text = result.unwrap_err().to_string();
    assert!(
        text.contains("a sender came and left, or the relay ended it"),
        "{text}"
    );
    let result = over_socket(folder.path(), |mut stream| stream.write_all(b"X").unwrap());
    assert!(matches!(result, Err(Error::RefusedByRelay)), "{result:?}");
}

//! A sender that says whatever a test wants it to.

use std::io::{Read, Write};
use std::net::TcpStream;

use p2pxfer::transfer::channel::{Channel, frame};
use p2pxfer::transfer::handshake::{ENTROPY, Initiator, Step};
use p2pxfer::transfer::{Secret, UserId};
use p2pxfer::wire::v2::{FromReceiver, FromSender};

use super::common::{Relay, hello, read};

/// A sender's end of a connection.
pub(crate) struct Caller {
    stream: TcpStream,
    channel: Channel,
    /// What came and is not opened yet.
    bytes: Vec<u8>,
}

impl Caller {
    pub(crate) fn call(relay: &Relay) -> Self {
        let mut stream = relay.connect();
        stream.write_all(&hello(b'C', b"alice")).unwrap();
        assert_eq!(read(&mut stream, 1), b"O");
        let user = UserId::new(b"alice").unwrap();
        // As the programs of the tests have it.
        let secret = Secret::new(b"correct horse".to_vec()).unwrap();
        let (mut machine, first) = Initiator::new(&user, Some(&secret), None, [7; ENTROPY]);
        stream.write_all(&first).unwrap();
        loop {
            let bytes = read(&mut stream, machine.wanted());
            match machine.handle(&bytes).unwrap().1 {
                Step::More => {}
                Step::Send(bytes) => stream.write_all(&bytes).unwrap(),
                Step::Done(bytes, channel) => {
                    stream.write_all(&bytes).unwrap();
                    return Self {
                        stream,
                        channel,
                        bytes: Vec::new(),
                    };
                }
                _ => panic!("the secret is right"),
            }
        }
    }

    pub(crate) fn say(&mut self, records: &[FromSender<'_>]) {
        let mut frames = Vec::new();
        for record in records {
            frame(&mut frames, |out| record.encode(out));
        }
        self.channel.sealer.seal(&mut frames);
        self.stream.write_all(&frames).unwrap();
    }

    /// Hears the receiver's next record.
    pub(crate) fn hear<T>(&mut self, take: impl FnOnce(FromReceiver<'_>) -> T) -> T {
        loop {
            if let Some((used, text)) = self.channel.opener.open(&mut self.bytes).unwrap() {
                let taken = take(FromReceiver::decode(&self.bytes[text]).unwrap());
                self.bytes.drain(..used);
                return taken;
            }
            let mut more = [0; 4096];
            let count = self.stream.read(&mut more).unwrap();
            assert!(count > 0, "the receiver ended it");
            self.bytes.extend_from_slice(&more[..count]);
        }
    }
}

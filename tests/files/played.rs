//! A peer that the test plays, beside one real program.

use std::io::Write;
use std::net::TcpStream;

use super::common::{Relay, hello, read};

/// A caller that has met whoever waits as `alice`.
pub(crate) fn sender(relay: &Relay) -> TcpStream {
    let mut stream = relay.connect();
    stream.write_all(&hello(b'C', b"alice")).unwrap();
    assert_eq!(read(&mut stream, 1), b"O");
    stream
}

/// A listener that waits as `alice`.
pub(crate) fn receiver(relay: &Relay) -> TcpStream {
    let mut stream = relay.connect();
    stream.write_all(&hello(b'T', b"alice")).unwrap();
    relay.wait_registered(&stream);
    stream
}

/// The 48 bytes before the data.
pub(crate) fn header(name: &str, length: u64) -> [u8; 48] {
    let mut header = [0; 48];
    header[..name.len()].copy_from_slice(name.as_bytes());
    let length = length.to_string();
    header[32..][..length.len()].copy_from_slice(length.as_bytes());
    header
}

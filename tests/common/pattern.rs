//! A long stream of bytes that looks random and is the same each time.

use std::io::{Read, Write};
use std::net::TcpStream;

/// A prime, so that no block size of a relay divides it and a misplaced block shows.
const PERIOD: usize = 1_048_573;

/// The stream that belongs to a seed.
#[derive(Clone)]
pub(crate) struct Pattern {
    block: Vec<u8>,
}

impl Pattern {
    /// The stream of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        let block = (0..PERIOD).map(|_| {
            // xorshift64 (Marsaglia 2003); its high byte is the best mixed.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 56) as u8
        });
        Self {
            block: block.collect(),
        }
    }

    /// Bytes from `offset` on, at most `most` of them and at least one.
    fn at(&self, offset: usize, most: usize) -> &[u8] {
        let start = offset % PERIOD;
        &self.block[start..(start + most).min(PERIOD)]
    }

    /// The first `count` bytes.
    pub(crate) fn bytes(&self, count: usize) -> Vec<u8> {
        self.block.iter().copied().cycle().take(count).collect()
    }

    /// Writes the first `count` bytes.
    pub(crate) fn send(&self, mut stream: &TcpStream, count: usize) {
        let mut sent = 0;
        while sent < count {
            let bytes = self.at(sent, count - sent);
            stream
                .write_all(bytes)
                .unwrap_or_else(|error| panic!("after {sent} of {count} bytes: {error}"));
            sent += bytes.len();
        }
    }

    /// Reads bytes `from..to` of the stream and compares each.
    pub(crate) fn expect(&self, mut stream: &TcpStream, from: usize, to: usize) {
        let mut buffer = vec![0; 65536];
        let mut read = from;
        while read < to {
            let most = (to - read).min(buffer.len());
            let count = stream
                .read(&mut buffer[..most])
                .unwrap_or_else(|error| panic!("after {read} of {to} bytes: {error}"));
            assert!(count > 0, "the stream ended after {read} of {to} bytes");
            let mut got = &buffer[..count];
            while !got.is_empty() {
                let wanted = self.at(read, got.len());
                assert!(
                    got.starts_with(wanted),
                    "other bytes than sent at {read}..{}",
                    read + wanted.len()
                );
                read += wanted.len();
                got = &got[wanted.len()..];
            }
        }
    }
}

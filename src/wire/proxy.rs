//! The header with which a balancer says whose connection it passes on: the PROXY protocol, version 2
//! ("The PROXY protocol", HAProxy Technologies, section 2.2).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::codec::Reader;
use super::error::ProxyError;

/// Longest header that is taken, in bytes, its extensions (TLVs) included: what fits into the smallest
/// segment that IPv4 promises to carry.
pub const PROXY_MAX: usize = 536;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, and length of what follows, in bytes.
const FIXED: usize = 16;
/// Two addresses and two ports, in bytes.
const TCP4: usize = 12;
const TCP6: usize = 36;

/// What came of some bytes given to a [`ProxyReader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProgress {
    /// All of them belong to a header that has not ended yet.
    More,
    /// The header is whole; the first `used` of the bytes belonged to it.
    Done {
        /// Whose connection it is; `None` when the balancer speaks for itself (LOCAL).
        source: Option<SocketAddr>,
        /// How many of the bytes belonged to it.
        used: usize,
    },
}

/// Collects a header that may come in any number of pieces. Only its addresses are kept; the
/// extensions are counted and dropped.
#[derive(Debug)]
pub struct ProxyReader {
    kept: [u8; FIXED + TCP6],
    /// Bytes taken until now.
    taken: usize,
    /// Bytes of the whole header, as far as is known: at least the fixed part.
    length: usize,
}

impl Default for ProxyReader {
    fn default() -> Self {
        Self {
            kept: [0; FIXED + TCP6],
            taken: 0,
            length: FIXED,
        }
    }
}

impl ProxyReader {
    /// A reader that awaits the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// As many bytes as were pushed so far, of a header that is not whole; those that tell nothing
    /// here are zeros.
    pub fn taken(&self) -> Vec<u8> {
        let mut bytes = self.kept[..self.taken.min(self.kept.len())].to_vec();
        bytes.resize(self.taken, 0);
        bytes
    }

    /// Takes the next bytes of the connection.
    ///
    /// # Errors
    /// At the first byte that no header can have in this place; the reader is of no use after it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<ProxyProgress, ProxyError> {
        let mut used = 0;
        while self.taken < self.length {
            let Some(&byte) = bytes.get(used) else {
                return Ok(ProxyProgress::More);
            };
            if let Some(place) = self.kept.get_mut(self.taken) {
                *place = byte;
            }
            used += 1;
            self.taken += 1;
            self.check(byte)?;
        }
        let source = self.source();
        Ok(ProxyProgress::Done { source, used })
    }

    /// Checks the byte that was taken last, as early as a lie can be told.
    fn check(&mut self, byte: u8) -> Result<(), ProxyError> {
        match self.taken {
            at @ 1..=12 if SIGNATURE[at - 1] != byte => Err(ProxyError::Signature),
            13 => match byte {
                0x20 | 0x21 => Ok(()),
                _ if byte >> 4 == 2 => Err(ProxyError::Command),
                _ => Err(ProxyError::Version),
            },
            14 if self.is_local() || matches!(byte, 0x11 | 0x21) => Ok(()),
            14 => Err(ProxyError::Family),
            FIXED => {
                let rest = usize::from(u16::from_be_bytes([self.kept[14], self.kept[15]]));
                self.length = FIXED + rest;
                match rest {
                    _ if self.length > PROXY_MAX => Err(ProxyError::TooLong),
                    _ if rest < self.addresses() => Err(ProxyError::TooShort),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn is_local(&self) -> bool {
        self.kept[12] == 0x20
    }

    /// Bytes of the addresses that the header must have.
    fn addresses(&self) -> usize {
        match self.kept[13] {
            _ if self.is_local() => 0,
            0x11 => TCP4,
            _ => TCP6,
        }
    }

    /// The source address of a whole header.
    fn source(&self) -> Option<SocketAddr> {
        let mut reader = Reader::new(self.kept.get(FIXED..)?);
        match self.addresses() {
            TCP4 => {
                let ip: [u8; 4] = reader.take(4)?.try_into().ok()?;
                reader.take(4)?;
                Some((Ipv4Addr::from(ip), port(&mut reader)?).into())
            }
            TCP6 => {
                let ip: [u8; 16] = reader.take(16)?.try_into().ok()?;
                reader.take(16)?;
                Some((Ipv6Addr::from(ip), port(&mut reader)?).into())
            }
            _ => None,
        }
    }
}

fn port(reader: &mut Reader<'_>) -> Option<u16> {
    Some(u16::from_be_bytes(reader.take(2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with these bytes behind the signature, and so long a rest.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn tcp4(extensions: usize) -> Vec<u8> {
        let mut rest = vec![198, 51, 100, 7, 203, 0, 113, 9, 0x9c, 0x40, 0x23, 0x28];
        rest.resize(TCP4 + extensions, 0xee);
        header(0x21, 0x11, &rest)
    }

    fn tcp6(extensions: usize) -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let mut rest = [&source.octets()[..], &[0; 16], &[0x9c, 0x40, 0x23, 0x28]].concat();
        rest.resize(TCP6 + extensions, 0xee);
        header(0x21, 0x21, &rest)
    }

    #[test]
    fn a_header_is_read_whatever_the_split_and_what_follows_is_left_alone() {
        let four = "198.51.100.7:40000".parse().ok();
        let six = "[2001:db8::7]:40000".parse().ok();
        for (header, source) in [
            (tcp4(0), four),
            (tcp4(PROXY_MAX - FIXED - TCP4), four),
            (tcp6(0), six),
            (tcp6(100), six),
            (header(0x20, 0x00, &[]), None),
            (header(0x20, 0x11, &[1; 12]), None),
            (header(0x20, 0x31, &[1; 216]), None),
        ] {
            for cut in 0..header.len() {
                let mut reader = ProxyReader::new();
                assert_eq!(reader.push(&header[..cut]), Ok(ProxyProgress::More));
                let rest = [&header[cut..], b"Talice$"].concat();
                let used = header.len() - cut;
                assert_eq!(
                    reader.push(&rest),
                    Ok(ProxyProgress::Done { source, used }),
                    "cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn each_lie_has_its_error_at_its_last_byte() {
        let with = |at: usize, byte: u8| {
            let mut header = tcp4(0);
            header[at] = byte;
            header
        };
        let long = |length: u16| [&header(0x21, 0x11, &[])[..14], &length.to_be_bytes()].concat();
        let mut lies = vec![
            (b"Talice$".to_vec(), 0, ProxyError::Signature),
            // Version 1 of the PROXY protocol.
            (b"PROXY TCP4 ".to_vec(), 0, ProxyError::Signature),
            (with(12, 0x11), 12, ProxyError::Version),
            (with(12, 0x31), 12, ProxyError::Version),
            (with(12, 0x22), 12, ProxyError::Command),
            (with(13, 0x00), 13, ProxyError::Family),
            (with(13, 0x12), 13, ProxyError::Family),
            (with(13, 0x31), 13, ProxyError::Family),
            (header(0x21, 0x11, &[0; TCP4 - 1]), 15, ProxyError::TooShort),
            (header(0x21, 0x21, &[0; TCP6 - 1]), 15, ProxyError::TooShort),
            (header(0x21, 0x21, &[0; TCP4]), 15, ProxyError::TooShort),
            (long(521), 15, ProxyError::TooLong),
            (long(u16::MAX), 15, ProxyError::TooLong),
        ];
        lies.extend((0..12).map(|at| (with(at, b'!'), at, ProxyError::Signature)));
        for (bytes, at, error) in lies {
            let mut reader = ProxyReader::new();
            assert_eq!(reader.push(&bytes[..at]), Ok(ProxyProgress::More));
            assert_eq!(
                reader.push(&bytes[at..=at]),
                Err(error),
                "{bytes:?} at {at}"
            );
        }
    }
}

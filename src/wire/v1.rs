//! Version 1, the transfer of 2013: a header of 48 bytes, the data, a checksum of 16 bytes.

use super::codec::Reader;
use super::error::HeaderError;

/// Width of the name field, in bytes, its NUL included.
pub const NAME_WIDTH: usize = 32;
/// Width of the length field and of the checksum field, in bytes.
pub const NUMBER_WIDTH: usize = 16;
/// Size of the header, in bytes.
pub const HEADER_SIZE: usize = NAME_WIDTH + NUMBER_WIDTH;
/// Longest file name, in bytes.
pub const NAME_MAX: usize = NAME_WIDTH - 1;
/// Longest file, in bytes: 2047 MiB.
pub const LENGTH_MAX: u64 = 2047 * 1024 * 1024;

/// What a sender says of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    name: Vec<u8>,
    length: u64,
}

impl Header {
    /// A header that can be sent: `None` when the name is over [`NAME_MAX`] bytes or holds a NUL,
    /// or when the length is not in `1..=LENGTH_MAX`.
    pub fn new(name: &[u8], length: u64) -> Option<Self> {
        let fits =
            name.len() <= NAME_MAX && !name.contains(&0) && (1..=LENGTH_MAX).contains(&length);
        fits.then(|| Self {
            name: name.to_vec(),
            length,
        })
    }

    /// The file name as the sender gave it: hostile until checked.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Length of the data, in bytes, within `1..=LENGTH_MAX`.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The header as it goes on the wire, zeros after each NUL.
    pub fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        put(&mut bytes[..NAME_WIDTH], &self.name);
        put(&mut bytes[NAME_WIDTH..], self.length.to_string().as_bytes());
        bytes
    }

    /// Reads a header; what follows a NUL is ignored.
    ///
    /// # Errors
    /// What is wrong with it. The name may be anything: see [`Self::name`].
    pub fn decode(bytes: &[u8; HEADER_SIZE]) -> Result<Self, HeaderError> {
        let mut reader = Reader::new(bytes);
        let name = reader
            .asciz(NAME_WIDTH)
            .ok_or(HeaderError::NameWithoutEnd)?
            .to_vec();
        let digits = reader
            .asciz(NUMBER_WIDTH)
            .ok_or(HeaderError::NumberWithoutEnd)?;
        match number(digits)? {
            0 => Err(HeaderError::LengthZero),
            length => match u64::try_from(length) {
                Ok(length) if length <= LENGTH_MAX => Ok(Self { name, length }),
                _ => Err(HeaderError::LengthOutOfRange),
            },
        }
    }
}

/// The sum of all bytes of a file, as the programs of 2013 count it: 32 bits, signed, wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum(i32);

impl Checksum {
    /// Adds the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        // Lanes of 32 bits that the compiler can add side by side; the wrap is the same in any order.
        let sum = bytes
            .iter()
            .fold(0u32, |sum, &byte| sum.wrapping_add(u32::from(byte)));
        self.0 = self.0.wrapping_add(sum as i32);
    }

    /// The checksum as it goes on the wire, zeros after its NUL.
    pub fn encode(self) -> [u8; NUMBER_WIDTH] {
        let mut bytes = [0; NUMBER_WIDTH];
        put(&mut bytes, self.0.to_string().as_bytes());
        bytes
    }

    /// Reads a checksum; what follows the NUL is ignored.
    ///
    /// # Errors
    /// When the field holds no number of 32 bits.
    pub fn decode(bytes: &[u8; NUMBER_WIDTH]) -> Result<Self, HeaderError> {
        let digits = Reader::new(bytes)
            .asciz(NUMBER_WIDTH)
            .ok_or(HeaderError::NumberWithoutEnd)?;
        let value = number(digits)?;
        i32::try_from(value)
            .map(Self)
            .map_err(|_| HeaderError::NotANumber)
    }
}

/// Copies `text` to the front of `field`, which it fits with a NUL to spare.
fn put(field: &mut [u8], text: &[u8]) {
    debug_assert!(text.len() < field.len());
    for (to, from) in field.iter_mut().zip(text) {
        *to = *from;
    }
}

/// A decimal number with an optional minus; at most 15 characters long by its field.
fn number(text: &[u8]) -> Result<i64, HeaderError> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(HeaderError::NotANumber);
    }
    let text = std::str::from_utf8(text).map_err(|_| HeaderError::NotANumber)?;
    text.parse().map_err(|_| HeaderError::NotANumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &[u8], length: &[u8]) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        bytes[..name.len()].copy_from_slice(name);
        bytes[NAME_WIDTH..NAME_WIDTH + length.len()].copy_from_slice(length);
        bytes
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        for (name, length) in [
            (&b"hello.txt"[..], 13),
            (&[b'n'; NAME_MAX], 1),
            (b"", LENGTH_MAX),
        ] {
            let ours = Header::new(name, length).unwrap();
            assert_eq!(Header::decode(&ours.encode()), Ok(ours));
        }
    }

    #[test]
    fn a_header_that_could_not_be_read_back_cannot_be_made() {
        assert_eq!(Header::new(&[b'n'; NAME_MAX + 1], 1), None);
        assert_eq!(Header::new(b"a\0b", 1), None);
        assert_eq!(Header::new(b"a", 0), None);
        assert_eq!(Header::new(b"a", LENGTH_MAX + 1), None);
    }

    #[test]
    fn what_follows_a_nul_is_ignored() {
        let mut bytes = header(b"a\0leftover", b"12\0P2");
        assert_eq!(Header::decode(&bytes), Ok(Header::new(b"a", 12).unwrap()));
        bytes[HEADER_SIZE - 1] = 0xff;
        assert!(Header::decode(&bytes).is_ok());
    }

    #[test]
    fn each_broken_rule_has_its_error() {
        let decode =
            |name: &[u8], length: &[u8]| Header::decode(&header(name, length)).unwrap_err();
        assert_eq!(
            decode(&[b'n'; NAME_WIDTH], b"1"),
            HeaderError::NameWithoutEnd
        );
        assert_eq!(
            decode(b"a", b"1234567890123456"),
            HeaderError::NumberWithoutEnd
        );
        assert_eq!(decode(b"a", b"0"), HeaderError::LengthZero);
        assert_eq!(decode(b"a", b"-1"), HeaderError::LengthOutOfRange);
        assert_eq!(decode(b"a", b"99999999999"), HeaderError::LengthOutOfRange);
        assert_eq!(decode(b"a", b"2146435073"), HeaderError::LengthOutOfRange);
        for length in [&b""[..], b"12x", b" 12", b"+12", b"-", b"1-2", b"\xff"] {
            assert_eq!(decode(b"a", length), HeaderError::NotANumber);
        }
    }

    #[test]
    fn the_checksum_wraps_as_a_signed_32_bit_sum() {
        let mut sum = Checksum::default();
        let block = vec![0xff; 1 << 20];
        for _ in 0..9 {
            sum.update(&block);
        }
        // 9 * 2^20 * 255 = 2406481920, which is -1888485376 in 32 signed bits.
        assert_eq!(sum.encode(), *b"-1888485376\0\0\0\0\0");
        assert_eq!(Checksum::decode(&sum.encode()), Ok(sum));
        assert_eq!(
            Checksum::decode(b"51000\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            Ok(Checksum(51000))
        );
        assert_eq!(
            Checksum::decode(b"4294967296\0\0\0\0\0\0"),
            Err(HeaderError::NotANumber)
        );
    }
}

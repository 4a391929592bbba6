//! Test vectors as they are printed.

/// The bytes that hexadecimal digits stand for; white space and colons between them are skipped.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|char| !char.is_whitespace() && *char != ':')
        .map(|char| char.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    assert!(digits.len() % 2 == 0, "an odd number of digits");
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// As [`bytes`], for a known number of them.
pub(super) fn array<const N: usize>(text: &str) -> [u8; N] {
    bytes(text)
        .try_into()
        .expect("as many digits as the type says")
}

//! What is put into the primitives.

use std::fmt;

/// Bytes of the longest text.
pub(crate) const MOST: usize = 1100;
/// Bytes of a seed.
pub(crate) const SEED_SIZE: usize = 256;

/// An input. What a primitive needs besides a text it takes out of the seed.
pub(crate) struct Input<'a> {
    pub(crate) text: &'a [u8],
    /// Where ours gets the text in two pieces; at most its length.
    pub(crate) cut: usize,
    pub(crate) seed: [u8; SEED_SIZE],
    /// How far the text's address is from a multiple of 64.
    pub(crate) offset: usize,
}

impl Input<'_> {
    /// The two pieces.
    pub(crate) fn pieces(&self) -> (&[u8], &[u8]) {
        self.text.split_at(self.cut)
    }

    /// Bytes of the seed from a place on.
    pub(crate) fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        self.seed[at..at + N].try_into().expect("N bytes")
    }

    /// Up to 200 bytes from the end of the seed, as many as its last byte says.
    pub(crate) fn some(&self) -> &[u8] {
        let length = usize::from(self.seed[SEED_SIZE - 1]) % 201;
        &self.seed[SEED_SIZE - length..]
    }
}

impl fmt::Display for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            text,
            cut,
            seed,
            offset,
        } = self;
        write!(
            f,
            "{} bytes, cut {cut}, offset {offset}: {text:02x?}, seed {seed:02x?}",
            text.len()
        )
    }
}

/// Room for a text at every offset from a multiple of 64.
#[repr(align(64))]
pub(crate) struct Page([u8; MOST + 64]);

impl Page {
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self([0; MOST + 64]))
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// SplitMix64: the same numbers for the same seed, on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream << 56)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Random bytes. One time in eight all bytes are 0 or 255, where carries are longest.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        let extreme = self.below(8) == 0;
        for piece in bytes.chunks_mut(8) {
            let mut random = self.next().to_le_bytes();
            if extreme {
                random = random.map(|byte| if byte & 1 == 1 { 255 } else { 0 });
            }
            piece.copy_from_slice(&random[..piece.len()]);
        }
    }
}

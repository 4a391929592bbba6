//! Words of several blocks side by side, in the wide registers of a processor that has them: what ChaCha20 and
//! BLAKE3 are computed in.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(avx512)]
pub(super) mod avx512;

/// A word of 32 bits; or the same word of several blocks.
pub(super) trait Word: Copy {
    /// The sum modulo 2^32.
    fn plus(self, other: Self) -> Self;
    /// The exclusive or.
    fn xor(self, other: Self) -> Self;
    /// Turned by fewer than 32 bits.
    fn rotated_left(self, bits: u32) -> Self;
}

impl Word for u32 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn rotated_left(self, bits: u32) -> Self {
        self.rotate_left(bits)
    }
}

/// A register: a word in each of its lanes.
#[cfg(target_arch = "x86_64")]
pub(super) trait Register<const LANES: usize>: Word {
    /// Shows that this processor has such registers. Each is made from one.
    type Unit: Copy;

    fn new(unit: Self::Unit, words: [u32; LANES]) -> Self;

    /// From as many bytes as it has; each word begins with its lowest byte.
    fn load(unit: Self::Unit, bytes: &[u8]) -> Self;

    /// Into as many bytes as it has.
    fn store(self, bytes: &mut [u8]);

    fn words(self) -> [u32; LANES];

    /// Lane i of row j becomes lane j of row i.
    fn transposed(rows: [Self; LANES]) -> [Self; LANES];
}

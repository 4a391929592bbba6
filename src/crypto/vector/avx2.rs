//! Eight words in a 256-bit register of x86-64.

use std::arch::x86_64::*;
use std::array;
use std::mem;

use super::{Register, Word};

/// Lanes of a register.
pub(in crate::crypto) const LANES: usize = 8;
/// Bytes of a register.
const BYTES: usize = 4 * LANES;

/// Shows that this processor has AVX2: there is no other way to one.
#[derive(Clone, Copy)]
pub(in crate::crypto) struct Unit(());

impl Unit {
    /// The unit, where there is one.
    pub(in crate::crypto) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

/// Made from a [`Unit`], so that there is none without AVX2: that is what all of its methods rely on.
#[derive(Clone, Copy)]
pub(in crate::crypto) struct Eight(__m256i);

#[expect(unsafe_code, reason = "each is one instruction of the vector unit")]
impl Eight {
    /// Words 0, 1 and 4, 5 of both in turn; and words 2, 3 and 6, 7.
    #[inline(always)]
    fn interleaved(self, other: Self) -> (Self, Self) {
        // SAFETY: the processor has AVX2.
        let low = unsafe { _mm256_unpacklo_epi32(self.0, other.0) };
        // SAFETY: the processor has AVX2.
        let high = unsafe { _mm256_unpackhi_epi32(self.0, other.0) };
        (Self(low), Self(high))
    }

    /// Pairs of words 0 and 2 of both in turn; and pairs 1 and 3.
    #[inline(always)]
    fn interleaved_pairs(self, other: Self) -> (Self, Self) {
        // SAFETY: the processor has AVX2.
        let low = unsafe { _mm256_unpacklo_epi64(self.0, other.0) };
        // SAFETY: the processor has AVX2.
        let high = unsafe { _mm256_unpackhi_epi64(self.0, other.0) };
        (Self(low), Self(high))
    }

    /// The lower halves of both, and the upper halves.
    #[inline(always)]
    fn halves(self, other: Self) -> (Self, Self) {
        // SAFETY: the processor has AVX2.
        let low = unsafe { _mm256_permute2x128_si256::<0x20>(self.0, other.0) };
        // SAFETY: the processor has AVX2.
        let high = unsafe { _mm256_permute2x128_si256::<0x31>(self.0, other.0) };
        (Self(low), Self(high))
    }
}

#[expect(unsafe_code, reason = "each is one instruction of the vector unit")]
impl Word for Eight {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn rotated_left(self, bits: u32) -> Self {
        // SAFETY: the processor has AVX2, and so SSE2.
        let [left, right] = [bits, 32 - bits].map(|bits| unsafe { _mm_cvtsi32_si128(bits as i32) });
        // SAFETY: the processor has AVX2.
        let left = unsafe { _mm256_sll_epi32(self.0, left) };
        // SAFETY: the processor has AVX2.
        let right = unsafe { _mm256_srl_epi32(self.0, right) };
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_or_si256(left, right) })
    }
}

#[expect(unsafe_code, reason = "registers are turned into bytes and words")]
impl Register<LANES> for Eight {
    type Unit = Unit;

    #[inline(always)]
    fn new(_: Unit, words: [u32; LANES]) -> Self {
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u32; LANES], __m256i>(words) })
    }

    #[inline(always)]
    fn load(_: Unit, bytes: &[u8]) -> Self {
        // Taken whole: byte by byte it stays so in some builds, which is slower than no vector unit.
        let bytes: &[u8; BYTES] = bytes.try_into().expect("a register");
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u8; BYTES], __m256i>(*bytes) })
    }

    #[inline(always)]
    fn store(self, bytes: &mut [u8]) {
        let bytes: &mut [u8; BYTES] = bytes.try_into().expect("a register");
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        *bytes = unsafe { mem::transmute::<__m256i, [u8; BYTES]>(self.0) };
    }

    #[inline(always)]
    fn words(self) -> [u32; LANES] {
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        unsafe { mem::transmute::<__m256i, [u32; LANES]>(self.0) }
    }

    #[inline(always)]
    fn transposed(rows: [Self; LANES]) -> [Self; LANES] {
        // Named after what the lower half of the first of them has: of lanes 0 to 7, the words of two rows,
        // then of four, then of eight. The halves of a register do not meet before the last step.
        let pairs: [_; 4] = array::from_fn(|i| rows[2 * i].interleaved(rows[2 * i + 1]));
        let [(a0, a2), (b0, b2), (c0, c2), (d0, d2)] = pairs;
        let quarters = [
            (a0.interleaved_pairs(b0), c0.interleaved_pairs(d0)),
            (a2.interleaved_pairs(b2), c2.interleaved_pairs(d2)),
        ];
        let mut columns = rows;
        for (i, ((a0, a1), (b0, b1))) in quarters.into_iter().enumerate() {
            (columns[2 * i], columns[2 * i + 4]) = a0.halves(b0);
            (columns[2 * i + 1], columns[2 * i + 5]) = a1.halves(b1);
        }
        columns
    }
}

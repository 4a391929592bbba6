//! Sixteen words in a 512-bit register of x86-64.

#![expect(
    clippy::incompatible_msrv,
    reason = "left out where the compiler is older: see build.rs"
)]

use std::arch::x86_64::*;
use std::mem;

use super::{Register, Word};

/// Lanes of a register.
pub(in crate::crypto) const LANES: usize = 16;
/// Bytes of a register.
const BYTES: usize = 4 * LANES;

/// Shows that this processor has AVX-512: there is no other way to one.
#[derive(Clone, Copy)]
pub(in crate::crypto) struct Unit(());

impl Unit {
    /// The unit, where there is one.
    pub(in crate::crypto) fn detect() -> Option<Self> {
        // The latter are what a compiler takes for granted where there is the first.
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        there.then_some(Self(()))
    }
}

/// Made from a [`Unit`], so that there is none without AVX-512: that is what all of its methods rely on.
#[derive(Clone, Copy)]
pub(in crate::crypto) struct Sixteen(__m512i);

#[expect(unsafe_code, reason = "each is one instruction of the vector unit")]
impl Sixteen {
    /// Of each quarter of both, words 0 and 1 in turn; and words 2 and 3.
    #[inline(always)]
    fn interleaved(self, other: Self) -> [Self; 2] {
        // SAFETY: the processor has AVX-512.
        let low = unsafe { _mm512_unpacklo_epi32(self.0, other.0) };
        // SAFETY: the processor has AVX-512.
        let high = unsafe { _mm512_unpackhi_epi32(self.0, other.0) };
        [Self(low), Self(high)]
    }

    /// Of each quarter of both, pair 0 of words; and pair 1.
    #[inline(always)]
    fn interleaved_pairs(self, other: Self) -> [Self; 2] {
        // SAFETY: the processor has AVX-512.
        let low = unsafe { _mm512_unpacklo_epi64(self.0, other.0) };
        // SAFETY: the processor has AVX-512.
        let high = unsafe { _mm512_unpackhi_epi64(self.0, other.0) };
        [Self(low), Self(high)]
    }

    /// Quarters 0 and 2 of the one, then of the other; and quarters 1 and 3.
    #[inline(always)]
    fn quarters(self, other: Self) -> [Self; 2] {
        // SAFETY: the processor has AVX-512.
        let even = unsafe { _mm512_shuffle_i32x4::<0b10_00_10_00>(self.0, other.0) };
        // SAFETY: the processor has AVX-512.
        let odd = unsafe { _mm512_shuffle_i32x4::<0b11_01_11_01>(self.0, other.0) };
        [Self(even), Self(odd)]
    }
}

#[expect(unsafe_code, reason = "each is one instruction of the vector unit")]
impl Word for Sixteen {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512.
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn rotated_left(self, bits: u32) -> Self {
        // SAFETY: the processor has AVX-512.
        let bits = unsafe { _mm512_set1_epi32(bits as i32) };
        // SAFETY: the processor has AVX-512.
        Self(unsafe { _mm512_rolv_epi32(self.0, bits) })
    }
}

#[expect(unsafe_code, reason = "registers are turned into bytes and words")]
impl Register<LANES> for Sixteen {
    type Unit = Unit;

    #[inline(always)]
    fn new(_: Unit, words: [u32; LANES]) -> Self {
        // SAFETY: both are 64 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u32; LANES], __m512i>(words) })
    }

    #[inline(always)]
    fn load(_: Unit, bytes: &[u8]) -> Self {
        let bytes: &[u8; BYTES] = bytes.try_into().expect("a register");
        // SAFETY: both are 64 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u8; BYTES], __m512i>(*bytes) })
    }

    #[inline(always)]
    fn store(self, bytes: &mut [u8]) {
        let bytes: &mut [u8; BYTES] = bytes.try_into().expect("a register");
        // SAFETY: both are 64 bytes, and every pattern of bits is a value of either.
        *bytes = unsafe { mem::transmute::<__m512i, [u8; BYTES]>(self.0) };
    }

    #[inline(always)]
    fn words(self) -> [u32; LANES] {
        // SAFETY: both are 64 bytes, and every pattern of bits is a value of either.
        unsafe { mem::transmute::<__m512i, [u32; LANES]>(self.0) }
    }

    #[inline(always)]
    fn transposed(rows: [Self; LANES]) -> [Self; LANES] {
        // First in squares of four words, inside the quarters of each register: then row 4 i + j has word
        // j of each quarter of rows 4 i to 4 i + 3.
        let mut squares = rows;
        for i in (0..LANES).step_by(4) {
            let [a0, a2] = rows[i].interleaved(rows[i + 1]);
            let [b0, b2] = rows[i + 2].interleaved(rows[i + 3]);
            [squares[i], squares[i + 1]] = a0.interleaved_pairs(b0);
            [squares[i + 2], squares[i + 3]] = a2.interleaved_pairs(b2);
        }
        // Then the squares, which are a table of four by four.
        let mut columns = squares;
        for j in 0..4 {
            let [a02, a13] = squares[j].quarters(squares[j + 4]);
            let [b02, b13] = squares[j + 8].quarters(squares[j + 12]);
            [columns[j], columns[j + 8]] = a02.quarters(b02);
            [columns[j + 4], columns[j + 12]] = a13.quarters(b13);
        }
        columns
    }
}

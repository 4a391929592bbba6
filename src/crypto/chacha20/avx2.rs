//! Eight blocks at once, in the 256-bit registers of x86-64. With AVX-512 it is the same code, compiled once more.

use std::arch::x86_64::*;
use std::array;
use std::mem;

use super::{BLOCK_SIZE, WORDS, Word, rounds};
use crate::crypto::ct::wipe;
#[cfg(avx512)]
use crate::crypto::has_avx512vl;

/// Blocks that are made at once.
const LANES: usize = 8;
/// Bytes of them.
const STRIDE: usize = LANES * BLOCK_SIZE;
/// Bytes of a register.
const REGISTER: usize = 32;

/// Shows that this processor has AVX2: there is no other way to one.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    apply: unsafe fn(Unit, &[u32; WORDS], u32, &mut [u8]),
}

impl Unit {
    /// The faster unit, where there is one.
    pub(super) fn detect() -> Option<Self> {
        Self::avx512().or_else(Self::avx2)
    }

    /// With AVX2 alone.
    pub(super) fn avx2() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self { apply })
    }

    /// With twice as many registers, which it turns in one instruction.
    pub(super) fn avx512() -> Option<Self> {
        #[cfg(avx512)]
        if has_avx512vl() {
            return Some(Self {
                apply: apply_avx512,
            });
        }
        None
    }

    /// As [`super::ChaCha20::apply`], without its check.
    #[expect(
        unsafe_code,
        reason = "the processor was asked, the compiler cannot know"
    )]
    pub(super) fn apply(self, start: &[u32; WORDS], counter: u32, text: &mut [u8]) {
        // SAFETY: whoever made the unit has found the features that its function needs.
        unsafe { (self.apply)(self, start, counter, text) }
    }
}

/// # Safety
///
/// The processor must have AVX2.
#[expect(unsafe_code, reason = "compiled for a processor that may not be there")]
#[target_feature(enable = "avx2")]
unsafe fn apply(unit: Unit, start: &[u32; WORDS], counter: u32, text: &mut [u8]) {
    apply_strides(unit, start, counter, text);
}

/// # Safety
///
/// The processor must have what [`has_avx512vl`] looks for.
#[cfg(avx512)]
#[expect(unsafe_code, reason = "compiled for a processor that may not be there")]
#[target_feature(enable = "avx512vl")]
unsafe fn apply_avx512(unit: Unit, start: &[u32; WORDS], counter: u32, text: &mut [u8]) {
    apply_strides(unit, start, counter, text);
}

#[inline(always)]
fn apply_strides(unit: Unit, start: &[u32; WORDS], mut counter: u32, text: &mut [u8]) {
    let mut strides = text.chunks_exact_mut(STRIDE);
    for stride in &mut strides {
        apply_stride(unit, start, counter, stride);
        // Wraps behind the last block only, where nothing is left to do.
        counter = counter.wrapping_add(LANES as u32);
    }
    let rest = strides.into_remainder();
    if !rest.is_empty() {
        let mut stride = [0; STRIDE];
        stride[..rest.len()].copy_from_slice(rest);
        apply_stride(unit, start, counter, &mut stride);
        rest.copy_from_slice(&stride[..rest.len()]);
        wipe(&mut stride);
    }
}

/// Adds eight blocks of key stream to as much text.
#[inline(always)]
fn apply_stride(unit: Unit, start: &[u32; WORDS], counter: u32, text: &mut [u8]) {
    let mut state = start.map(|word| Eight::new(unit, [word; LANES]));
    let counters = array::from_fn(|lane| counter.wrapping_add(lane as u32));
    state[12] = Eight::new(unit, counters);
    rounds(&mut state);
    let [w0, w1, w2, w3, w4, w5, w6, w7, rest @ ..] = state;
    let low = transpose([w0, w1, w2, w3, w4, w5, w6, w7]);
    let high = transpose(rest);
    for (block, keys) in text
        .chunks_exact_mut(BLOCK_SIZE)
        .zip(low.into_iter().zip(high))
    {
        let (first, second) = block.split_at_mut(REGISTER);
        keys.0.apply(first);
        keys.1.apply(second);
    }
}

/// Turns eight words of eight blocks, word by word, into eight words of each block.
#[inline(always)]
fn transpose(rows: [Eight; LANES]) -> [Eight; LANES] {
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

/// Eight words in a register. Made from a [`Unit`], so that there is none without AVX2: that is what all of
/// its methods rely on.
#[derive(Clone, Copy)]
struct Eight(__m256i);

#[expect(unsafe_code, reason = "each is one instruction of the vector unit")]
impl Eight {
    #[inline(always)]
    fn new(_: Unit, words: [u32; LANES]) -> Self {
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u32; LANES], __m256i>(words) })
    }

    /// Adds the words to 32 bytes of text, modulo 2.
    #[inline(always)]
    fn apply(self, text: &mut [u8]) {
        let text: &mut [u8; REGISTER] = text.try_into().expect("half a block");
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        let words = unsafe { mem::transmute::<[u8; REGISTER], __m256i>(*text) };
        // SAFETY: the processor has AVX2.
        let sum = unsafe { _mm256_xor_si256(self.0, words) };
        // SAFETY: as above.
        *text = unsafe { mem::transmute::<__m256i, [u8; REGISTER]>(sum) };
    }

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
    fn mixed(self, other: Self, bits: u32) -> Self {
        // SAFETY: the processor has AVX2, and so SSE2.
        let [left, right] = [bits, 32 - bits].map(|bits| unsafe { _mm_cvtsi32_si128(bits as i32) });
        // SAFETY: the processor has AVX2.
        let mixed = unsafe { _mm256_xor_si256(self.0, other.0) };
        // SAFETY: the processor has AVX2.
        let left = unsafe { _mm256_sll_epi32(mixed, left) };
        // SAFETY: the processor has AVX2.
        let right = unsafe { _mm256_srl_epi32(mixed, right) };
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_or_si256(left, right) })
    }
}

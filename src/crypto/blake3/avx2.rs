//! The kernel of eight lanes for processors with AVX2: compressing is the same code, compiled for wider
//! vectors, and once more for AVX-512; gathering is a transposition, which the compiler does not find by itself.

#![expect(
    unsafe_code,
    reason = "only code for a processor that may not be this one needs it"
)]

use std::arch::x86_64::*;
use std::array;
use std::mem;

use super::compress::BLOCK;
use super::lanes::{Kernel, LANES, Rows, each_lane};
#[cfg(avx512)]
use crate::crypto::has_avx512vl;

/// The kernel, on a processor that can run it.
pub(super) fn kernel() -> Option<Kernel> {
    is_x86_feature_detected!("avx2").then_some(Kernel { compress, gather })
}

/// The same with twice as many registers, which it turns in one instruction.
pub(super) fn kernel_avx512() -> Option<Kernel> {
    #[cfg(avx512)]
    if has_avx512vl() {
        let compress = compress_avx512;
        return Some(Kernel { compress, gather });
    }
    None
}

/// Private, and handed out by [`kernel`] only.
fn compress(nodes: &mut Rows<8>, words: &Rows<16>, settings: &Rows<4>) {
    // SAFETY: whoever calls this has it from `kernel`, which found AVX2.
    unsafe { compiled(nodes, words, settings) }
}

/// # Safety
///
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn compiled(nodes: &mut Rows<8>, words: &Rows<16>, settings: &Rows<4>) {
    each_lane(nodes, words, settings);
}

/// Private, and handed out by [`kernel_avx512`] only.
#[cfg(avx512)]
fn compress_avx512(nodes: &mut Rows<8>, words: &Rows<16>, settings: &Rows<4>) {
    // SAFETY: whoever calls this has it from `kernel_avx512`, which asked `has_avx512vl`.
    unsafe { compiled_avx512(nodes, words, settings) }
}

/// # Safety
///
/// The processor has what [`has_avx512vl`] looks for.
#[cfg(avx512)]
#[target_feature(enable = "avx512vl")]
unsafe fn compiled_avx512(nodes: &mut Rows<8>, words: &Rows<16>, settings: &Rows<4>) {
    each_lane(nodes, words, settings);
}

/// Private, and handed out by the two above only.
fn gather(blocks: [&[u8; BLOCK]; LANES], words: &mut Rows<16>) {
    // SAFETY: whoever calls this has it from one of the two, which found AVX2.
    unsafe { transposed(blocks, words) }
}

/// # Safety
///
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn transposed(blocks: [&[u8; BLOCK]; LANES], words: &mut Rows<16>) {
    // SAFETY: the processor has AVX2.
    unsafe { turn(blocks, words) }
}

/// Without the attribute, for a closure that inherits it is not inlined where it is called.
///
/// # Safety
///
/// The processor has AVX2.
#[inline(always)]
unsafe fn turn(blocks: [&[u8; BLOCK]; LANES], words: &mut Rows<16>) {
    let (first, second) = words.split_at_mut(LANES);
    for (half, words) in [first, second].into_iter().enumerate() {
        let rows = blocks.map(|block| {
            // Taken whole: byte by byte it stays so in some builds, which is slower than no transposition.
            let bytes: &[u8; 32] = block[32 * half..].first_chunk().expect("half a block");
            // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
            unsafe { mem::transmute::<[u8; 32], __m256i>(*bytes) }
        });
        // SAFETY: the processor has AVX2.
        let columns = unsafe { transpose(rows) };
        for (row, column) in words.iter_mut().zip(columns) {
            // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
            *row = unsafe { mem::transmute::<__m256i, [u32; LANES]>(column) };
        }
    }
}

/// Turns eight words of eight lanes, lane by lane, into eight lanes of each word.
///
/// # Safety
///
/// The processor has AVX2.
#[inline(always)]
unsafe fn transpose(rows: [__m256i; LANES]) -> [__m256i; LANES] {
    // SAFETY: here and below, the processor has AVX2. The halves of a register do not meet before the end.
    let low: [_; 4] =
        array::from_fn(|i| unsafe { _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]) });
    // SAFETY: as above.
    let high: [_; 4] =
        array::from_fn(|i| unsafe { _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]) });
    // Of words w and w + 4: lanes 0 to 3 in the first, lanes 4 to 7 in the second.
    let quarters: [[__m256i; 2]; 4] = array::from_fn(|word| {
        let pairs = if word < 2 { &low } else { &high };
        [0, 2].map(|i| match word % 2 {
            // SAFETY: as above.
            0 => unsafe { _mm256_unpacklo_epi64(pairs[i], pairs[i + 1]) },
            // SAFETY: as above.
            _ => unsafe { _mm256_unpackhi_epi64(pairs[i], pairs[i + 1]) },
        })
    });
    array::from_fn(|word| {
        let [a, b] = quarters[word % 4];
        match word / 4 {
            // SAFETY: as above.
            0 => unsafe { _mm256_permute2x128_si256::<0x20>(a, b) },
            // SAFETY: as above.
            _ => unsafe { _mm256_permute2x128_si256::<0x31>(a, b) },
        }
    })
}

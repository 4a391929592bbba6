//! As many blocks at once as a register has lanes.

use std::array;

use super::{BLOCK_SIZE, WORDS, apply_portably, rounds};
use crate::crypto::ct::wipe;
use crate::crypto::vector::Register;
use crate::crypto::vector::avx2::{self, Eight};
#[cfg(avx512)]
use crate::crypto::vector::avx512::{self, Sixteen};

/// Bytes of the most blocks that are made at once.
const STRIDE_MAX: usize = 16 * BLOCK_SIZE;

/// So few bytes take no longer one block after the other.
const FEW: usize = 2 * BLOCK_SIZE;

/// As [`super::ChaCha20::apply`], without its check.
#[expect(
    unsafe_code,
    reason = "the processor was asked, the compiler cannot know"
)]
pub(super) fn apply_avx2(unit: avx2::Unit, start: &[u32; WORDS], counter: u32, text: &mut [u8]) {
    // SAFETY: a unit shows that the processor has what the function needs.
    unsafe { compiled_avx2(unit, start, counter, text) }
}

/// As [`super::ChaCha20::apply`], without its check.
#[cfg(avx512)]
#[expect(
    unsafe_code,
    reason = "the processor was asked, the compiler cannot know"
)]
pub(super) fn apply_avx512(
    unit: avx512::Unit,
    start: &[u32; WORDS],
    counter: u32,
    text: &mut [u8],
) {
    // SAFETY: a unit shows that the processor has what the function needs.
    unsafe { compiled_avx512(unit, start, counter, text) }
}

/// # Safety
///
/// The processor must have AVX2.
#[expect(unsafe_code, reason = "compiled for a processor that may not be there")]
#[target_feature(enable = "avx2")]
unsafe fn compiled_avx2(unit: avx2::Unit, start: &[u32; WORDS], counter: u32, text: &mut [u8]) {
    apply::<{ avx2::LANES }, Eight>(unit, start, counter, text);
}

/// # Safety
///
/// The processor must have AVX-512.
#[cfg(avx512)]
#[expect(unsafe_code, reason = "compiled for a processor that may not be there")]
#[target_feature(enable = "avx512f")]
unsafe fn compiled_avx512(unit: avx512::Unit, start: &[u32; WORDS], counter: u32, text: &mut [u8]) {
    apply::<{ avx512::LANES }, Sixteen>(unit, start, counter, text);
}

#[inline(always)]
fn apply<const LANES: usize, R: Register<LANES>>(
    unit: R::Unit,
    start: &[u32; WORDS],
    mut counter: u32,
    text: &mut [u8],
) {
    let mut strides = text.chunks_exact_mut(LANES * BLOCK_SIZE);
    for stride in &mut strides {
        apply_stride::<LANES, R>(unit, start, counter, stride);
        // Wraps behind the last block only, where nothing is left to do.
        counter = counter.wrapping_add(LANES as u32);
    }
    let rest = strides.into_remainder();
    if rest.len() <= FEW {
        apply_portably(start, counter, rest);
    } else {
        // In pieces, so that they are wiped piece by piece, and not byte by byte.
        let mut pieces = [[0; 32]; STRIDE_MAX / 32];
        let stride = &mut pieces.as_flattened_mut()[..LANES * BLOCK_SIZE];
        stride[..rest.len()].copy_from_slice(rest);
        apply_stride::<LANES, R>(unit, start, counter, stride);
        rest.copy_from_slice(&stride[..rest.len()]);
        wipe(&mut pieces);
    }
}

/// Adds a block of key stream for each lane to as much text.
#[inline(always)]
fn apply_stride<const LANES: usize, R: Register<LANES>>(
    unit: R::Unit,
    start: &[u32; WORDS],
    counter: u32,
    text: &mut [u8],
) {
    let mut state = start.map(|word| R::new(unit, [word; LANES]));
    let counters = array::from_fn(|lane| counter.wrapping_add(lane as u32));
    state[12] = R::new(unit, counters);
    rounds(&mut state);
    for (part, words) in state.chunks_exact(LANES).enumerate() {
        let keys = R::transposed(array::from_fn(|i| words[i]));
        for (block, keys) in text.chunks_exact_mut(BLOCK_SIZE).zip(keys) {
            let bytes = &mut block[4 * LANES * part..][..4 * LANES];
            keys.xor(R::load(unit, bytes)).store(bytes);
        }
    }
}

//! As many lanes as a register of AVX2 or AVX-512 has.

#![expect(
    unsafe_code,
    reason = "only code for a processor that may not be this one needs it"
)]

use std::array;

use super::compress::{BLOCK, CHUNK, INITIAL, MIDDLE, Node, PARENT, mix};
use super::lanes::{Lanes, flags};
use crate::crypto::vector::Register;
use crate::crypto::vector::avx2::{self, Eight};
#[cfg(avx512)]
use crate::crypto::vector::avx512::{self, Sixteen};

impl Lanes<{ avx2::LANES }> for avx2::Unit {
    fn chunks(self, chunks: [&[u8]; avx2::LANES], first: u64) -> [Node; avx2::LANES] {
        // SAFETY: a unit shows that the processor has what the function needs.
        unsafe { chunks_avx2(self, chunks, first) }
    }

    fn parents(self, pairs: [&[Node; 2]; avx2::LANES]) -> [Node; avx2::LANES] {
        // SAFETY: as above.
        unsafe { parents_avx2(self, pairs) }
    }
}

#[cfg(avx512)]
impl Lanes<{ avx512::LANES }> for avx512::Unit {
    fn chunks(self, chunks: [&[u8]; avx512::LANES], first: u64) -> [Node; avx512::LANES] {
        // SAFETY: a unit shows that the processor has what the function needs.
        unsafe { chunks_avx512(self, chunks, first) }
    }

    fn parents(self, pairs: [&[Node; 2]; avx512::LANES]) -> [Node; avx512::LANES] {
        // SAFETY: as above.
        unsafe { parents_avx512(self, pairs) }
    }
}

/// # Safety
///
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn chunks_avx2(
    unit: avx2::Unit,
    chunks: [&[u8]; avx2::LANES],
    first: u64,
) -> [Node; avx2::LANES] {
    hash_chunks::<{ avx2::LANES }, Eight>(unit, chunks, first)
}

/// # Safety
///
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn parents_avx2(unit: avx2::Unit, pairs: [&[Node; 2]; avx2::LANES]) -> [Node; avx2::LANES] {
    hash_parents::<{ avx2::LANES }, Eight>(unit, pairs)
}

/// # Safety
///
/// The processor has AVX-512.
#[cfg(avx512)]
#[target_feature(enable = "avx512f")]
unsafe fn chunks_avx512(
    unit: avx512::Unit,
    chunks: [&[u8]; avx512::LANES],
    first: u64,
) -> [Node; avx512::LANES] {
    hash_chunks::<{ avx512::LANES }, Sixteen>(unit, chunks, first)
}

/// # Safety
///
/// The processor has AVX-512.
#[cfg(avx512)]
#[target_feature(enable = "avx512f")]
unsafe fn parents_avx512(
    unit: avx512::Unit,
    pairs: [&[Node; 2]; avx512::LANES],
) -> [Node; avx512::LANES] {
    hash_parents::<{ avx512::LANES }, Sixteen>(unit, pairs)
}

#[inline(always)]
fn hash_chunks<const LANES: usize, R: Register<LANES>>(
    unit: R::Unit,
    chunks: [&[u8]; LANES],
    first: u64,
) -> [Node; LANES] {
    let all = |word| R::new(unit, [word; LANES]);
    let counters: [u64; LANES] = array::from_fn(|lane| first + lane as u64);
    let low = R::new(unit, counters.map(|counter| counter as u32));
    let high = R::new(unit, counters.map(|counter| (counter >> 32) as u32));
    let middle = MIDDLE.map(all);
    let length = all(BLOCK as u32);
    let mut nodes = INITIAL.map(all);
    for block in 0..CHUNK / BLOCK {
        let words = gather(|lane, part| {
            let bytes = &chunks[lane][block * BLOCK + 4 * LANES * part..][..4 * LANES];
            R::load(unit, bytes)
        });
        let setting = [low, high, length, all(flags(block))];
        nodes = mix(&nodes, &words, middle, setting);
    }
    each(nodes)
}

#[inline(always)]
fn hash_parents<const LANES: usize, R: Register<LANES>>(
    unit: R::Unit,
    pairs: [&[Node; 2]; LANES],
) -> [Node; LANES] {
    let all = |word| R::new(unit, [word; LANES]);
    let words = gather(|lane, part| {
        let words = pairs[lane].as_flattened()[LANES * part..].first_chunk();
        R::new(unit, *words.expect("a pair is whole registers"))
    });
    let setting = [0, 0, BLOCK as u32, PARENT].map(all);
    each(mix(&INITIAL.map(all), &words, MIDDLE.map(all), setting))
}

/// The words of a block in each lane, from its parts, each of which is as long as a register.
#[inline(always)]
fn gather<const LANES: usize, R: Register<LANES>>(part: impl Fn(usize, usize) -> R) -> [R; 16] {
    let mut words = [part(0, 0); 16];
    for (number, words) in words.chunks_exact_mut(LANES).enumerate() {
        let rows = array::from_fn(|lane| part(lane, number));
        words.copy_from_slice(&R::transposed(rows));
    }
    words
}

/// Each lane's chaining value.
#[inline(always)]
fn each<const LANES: usize, R: Register<LANES>>(nodes: [R; 8]) -> [Node; LANES] {
    // Columns may have room for more than one.
    let columns = R::transposed(array::from_fn(|row| nodes[row % 8]));
    columns.map(|column| {
        let words = column.words();
        array::from_fn(|word| words[word])
    })
}

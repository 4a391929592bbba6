//! Several chunks, or several parents, side by side: one in each lane of a vector.

use std::array;

use super::compress::{
    BLOCK, CHUNK, CHUNK_END, CHUNK_START, INITIAL, MIDDLE, Node, PARENT, Setting, chunk, mix,
    parent,
};
#[cfg(target_arch = "x86_64")]
use crate::crypto::vector::avx2;
#[cfg(avx512)]
use crate::crypto::vector::avx512;

/// What hashes several chunks or parents at once.
pub(super) trait Lanes<const LANES: usize>: Copy {
    /// The chaining values of whole chunks, the first of which has the number `first`.
    fn chunks(self, chunks: [&[u8]; LANES], first: u64) -> [Node; LANES];

    /// Those of parents.
    fn parents(self, pairs: [&[Node; 2]; LANES]) -> [Node; LANES];
}

/// The ways that a machine may have.
#[derive(Clone, Copy)]
pub(super) enum Kernel {
    /// Any machine's; with 128-bit vectors where the target always has them (SSE2, NEON).
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Unit),
    /// What is too little for sixteen lanes is done in eight.
    #[cfg(avx512)]
    Avx512(avx512::Unit, avx2::Unit),
}

/// The fastest that this machine can run.
pub(super) fn fastest() -> Kernel {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = avx2::Unit::detect() {
        #[cfg(avx512)]
        if let Some(avx512) = avx512::Unit::detect() {
            return Kernel::Avx512(avx512, avx2);
        }
        return Kernel::Avx2(avx2);
    }
    Kernel::Portable
}

/// Appends the chaining values of whole chunks, the first of which has the number `first`.
pub(super) fn chunks(kernel: Kernel, bytes: &[u8], first: u64, nodes: &mut Vec<Node>) {
    let mut rest = bytes;
    let mut number = first;
    while !rest.is_empty() {
        let taken = match kernel {
            _ if rest.len() == CHUNK => {
                nodes.push(chunk(rest, number, 0));
                1
            }
            Kernel::Portable => next_chunks(Portable, rest, number, nodes),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => next_chunks(avx2, rest, number, nodes),
            #[cfg(avx512)]
            Kernel::Avx512(_, avx2) if rest.len() <= avx2::LANES * CHUNK => {
                next_chunks(avx2, rest, number, nodes)
            }
            #[cfg(avx512)]
            Kernel::Avx512(avx512, _) => next_chunks(avx512, rest, number, nodes),
        };
        number += taken as u64;
        rest = &rest[taken * CHUNK..];
    }
}

/// As many as there are lanes; how many.
fn next_chunks<const LANES: usize>(
    lanes: impl Lanes<LANES>,
    bytes: &[u8],
    first: u64,
    nodes: &mut Vec<Node>,
) -> usize {
    let count = (bytes.len() / CHUNK).min(LANES);
    // Lanes to spare repeat the last chunk.
    let chunks = array::from_fn(|lane| &bytes[lane.min(count - 1) * CHUNK..][..CHUNK]);
    nodes.extend_from_slice(&lanes.chunks(chunks, first)[..count]);
    count
}

/// One level up: each two neighbours become their parent, and one left over stays as it is.
pub(super) fn level(kernel: Kernel, nodes: &mut Vec<Node>) {
    let pairs = nodes.len() / 2;
    let mut done = 0;
    while done < pairs {
        done += match kernel {
            _ if done + 1 == pairs => {
                nodes[done] = parent(&nodes[2 * done], &nodes[2 * done + 1], 0);
                1
            }
            Kernel::Portable => next_parents(Portable, nodes, done, pairs),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => next_parents(avx2, nodes, done, pairs),
            #[cfg(avx512)]
            Kernel::Avx512(_, avx2) if pairs - done <= avx2::LANES => {
                next_parents(avx2, nodes, done, pairs)
            }
            #[cfg(avx512)]
            Kernel::Avx512(avx512, _) => next_parents(avx512, nodes, done, pairs),
        };
    }
    if nodes.len() % 2 == 1 {
        nodes[pairs] = nodes[nodes.len() - 1];
    }
    nodes.truncate(nodes.len().div_ceil(2));
}

/// As many as there are lanes, into `nodes[done..]`; how many.
fn next_parents<const LANES: usize>(
    lanes: impl Lanes<LANES>,
    nodes: &mut [Node],
    done: usize,
    pairs: usize,
) -> usize {
    let count = (pairs - done).min(LANES);
    let pair = |lane: usize| {
        // Lanes to spare repeat the last pair.
        let pair = nodes[2 * (done + lane.min(count - 1))..].first_chunk();
        pair.expect("there are as many pairs")
    };
    let parents = lanes.parents(array::from_fn(pair));
    // What is written, `done..`, lies in front of all that is yet to be read, `2 * (done + count)..`.
    nodes[done..done + count].copy_from_slice(&parents[..count]);
    count
}

/// What each compression of a chunk's blocks is told apart by.
pub(super) fn flags(block: usize) -> u32 {
    match block {
        0 => CHUNK_START,
        block if block == CHUNK / BLOCK - 1 => CHUNK_END,
        _ => 0,
    }
}

/// What a parent is compressed with. Every block here is full.
const PARENT_SETTING: Setting = Setting {
    counter: 0,
    length: BLOCK as u32,
    flags: PARENT,
};

/// For each word, its value in every lane.
type Rows<const N: usize> = [[u32; PORTABLE_LANES]; N];

const PORTABLE_LANES: usize = 8;

#[derive(Clone, Copy)]
struct Portable;

impl Lanes<PORTABLE_LANES> for Portable {
    fn chunks(self, chunks: [&[u8]; PORTABLE_LANES], first: u64) -> [Node; PORTABLE_LANES] {
        let mut nodes = INITIAL.map(|word| [word; PORTABLE_LANES]);
        let mut words = [[0; PORTABLE_LANES]; 16];
        for block in 0..CHUNK / BLOCK {
            for (lane, chunk) in chunks.iter().enumerate() {
                let block = &chunk[block * BLOCK..][..BLOCK];
                for (row, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
                    row[lane] = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
            }
            each_lane(&mut nodes, &words, |lane| Setting {
                counter: first + lane,
                length: BLOCK as u32,
                flags: flags(block),
            });
        }
        array::from_fn(|lane| column(&nodes, lane))
    }

    fn parents(self, pairs: [&[Node; 2]; PORTABLE_LANES]) -> [Node; PORTABLE_LANES] {
        let mut nodes = INITIAL.map(|word| [word; PORTABLE_LANES]);
        let mut words = [[0; PORTABLE_LANES]; 16];
        for (lane, pair) in pairs.into_iter().enumerate() {
            for (row, word) in words.iter_mut().zip(pair.as_flattened()) {
                row[lane] = *word;
            }
        }
        each_lane(&mut nodes, &words, |_| PARENT_SETTING);
        array::from_fn(|lane| column(&nodes, lane))
    }
}

/// The lanes depend on nothing of each other, and all that is read or written lies one lane beside the next: so
/// the compiler makes vectors of them.
#[inline(always)]
fn each_lane(nodes: &mut Rows<8>, words: &Rows<16>, setting: impl Fn(u64) -> Setting) {
    let settings: [[u32; 4]; PORTABLE_LANES] = array::from_fn(|lane| setting(lane as u64).words());
    let settings: Rows<4> = array::from_fn(|word| settings.map(|setting| setting[word]));
    for lane in 0..PORTABLE_LANES {
        let node = mix(
            &column(nodes, lane),
            &column(words, lane),
            MIDDLE,
            column(&settings, lane),
        );
        for (row, word) in nodes.iter_mut().zip(node) {
            row[lane] = word;
        }
    }
}

#[inline(always)]
fn column<const N: usize>(rows: &Rows<N>, lane: usize) -> [u32; N] {
    array::from_fn(|word| rows[word][lane])
}

//! Eight chunks, or eight parents, side by side: one in each lane of a vector.

use super::compress::{
    BLOCK, CHUNK, CHUNK_END, CHUNK_START, INITIAL, Node, PARENT, Setting, mix, parent,
};
use std::array;

/// How many run side by side.
pub(super) const LANES: usize = 8;

/// For each word, its value in every lane.
pub(super) type Rows<const N: usize> = [[u32; LANES]; N];

/// What a machine does with eight lanes at once.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    /// Compresses a block in each lane into the chaining value there, with the lane's own setting.
    pub(super) compress: fn(nodes: &mut Rows<8>, words: &Rows<16>, settings: &Rows<4>),
    /// Puts the words of a block into each lane.
    pub(super) gather: fn(blocks: [&[u8; BLOCK]; LANES], words: &mut Rows<16>),
}

/// Any machine's kernel; with 128-bit vectors where the target always has them (SSE2, NEON).
pub(super) const PORTABLE: Kernel = Kernel { compress, gather };

/// The fastest that this machine can run.
pub(super) fn fastest() -> Kernel {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = super::avx2::kernel_avx512().or_else(super::avx2::kernel) {
        return kernel;
    }
    PORTABLE
}

fn compress(nodes: &mut Rows<8>, words: &Rows<16>, settings: &Rows<4>) {
    each_lane(nodes, words, settings);
}

fn gather(blocks: [&[u8; BLOCK]; LANES], words: &mut Rows<16>) {
    for (lane, block) in blocks.into_iter().enumerate() {
        for (row, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            row[lane] = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
    }
}

/// The body of every kernel. The lanes depend on nothing of each other, and all that is read or written
/// lies one lane beside the next: so the compiler makes vectors of them, as wide as the caller's target.
#[inline(always)]
pub(super) fn each_lane(nodes: &mut Rows<8>, words: &Rows<16>, settings: &Rows<4>) {
    for lane in 0..LANES {
        let node = mix(
            &column(nodes, lane),
            &column(words, lane),
            column(settings, lane),
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

/// Appends the chaining values of whole chunks, the first of which has the number `first`.
pub(super) fn chunks(kernel: Kernel, bytes: &[u8], first: u64, nodes: &mut Vec<Node>) {
    for (batch, bytes) in bytes.chunks(LANES * CHUNK).enumerate() {
        let counter = first + (batch * LANES) as u64;
        let count = bytes.len() / CHUNK;
        if count == 1 {
            nodes.push(super::compress::chunk(bytes, counter, 0));
            continue;
        }
        // Lanes to spare repeat the last chunk.
        let lanes = array::from_fn(|lane| &bytes[lane.min(count - 1) * CHUNK..][..CHUNK]);
        nodes.extend_from_slice(&eight_chunks(kernel, lanes, counter)[..count]);
    }
}

fn eight_chunks(kernel: Kernel, chunks: [&[u8]; LANES], first: u64) -> [Node; LANES] {
    let mut rows = INITIAL.map(|word| [word; LANES]);
    let counters: [u64; LANES] = array::from_fn(|lane| first + lane as u64);
    let mut words = [[0; LANES]; 16];
    for block in 0..CHUNK / BLOCK {
        let blocks = chunks.map(|chunk| {
            let block = chunk[block * BLOCK..].first_chunk();
            block.expect("a chunk is whole blocks")
        });
        (kernel.gather)(blocks, &mut words);
        let flags = match block {
            0 => CHUNK_START,
            block if block == CHUNK / BLOCK - 1 => CHUNK_END,
            _ => 0,
        };
        (kernel.compress)(&mut rows, &words, &settings(counters, flags));
    }
    array::from_fn(|lane| column(&rows, lane))
}

/// One level up: each two neighbours become their parent, and one left over stays as it is.
pub(super) fn level(kernel: Kernel, nodes: &mut Vec<Node>) {
    let pairs = nodes.len() / 2;
    for done in (0..pairs).step_by(LANES) {
        // What is written here, `done..`, lies in front of all that is yet to be read, `2 * done..`.
        let count = (pairs - done).min(LANES);
        let parents = eight_parents(kernel, &nodes[2 * done..][..2 * count]);
        nodes[done..done + count].copy_from_slice(&parents[..count]);
    }
    if nodes.len() % 2 == 1 {
        nodes[pairs] = nodes[nodes.len() - 1];
    }
    nodes.truncate(nodes.len().div_ceil(2));
}

/// The parents of one to eight pairs; lanes to spare give nothing of worth.
fn eight_parents(kernel: Kernel, pairs: &[Node]) -> [Node; LANES] {
    if let [left, right] = pairs {
        return [parent(left, right, 0); LANES];
    }
    let mut rows = INITIAL.map(|word| [word; LANES]);
    let mut words = [[0; LANES]; 16];
    for (lane, pair) in pairs.chunks_exact(2).enumerate() {
        for (row, word) in words.iter_mut().zip(pair.as_flattened()) {
            row[lane] = *word;
        }
    }
    (kernel.compress)(&mut rows, &words, &settings([0; LANES], PARENT));
    array::from_fn(|lane| column(&rows, lane))
}

/// Every block here is full.
fn settings(counters: [u64; LANES], flags: u32) -> Rows<4> {
    let rows = counters.map(|counter| {
        Setting {
            counter,
            length: BLOCK as u32,
            flags,
        }
        .words()
    });
    array::from_fn(|word| array::from_fn(|lane| rows[lane][word]))
}

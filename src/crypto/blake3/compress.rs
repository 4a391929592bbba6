//! The compression function of the BLAKE3 paper, one block at a time, and what it makes of a chunk and of a
//! parent.

use crate::crypto::vector::Word;

/// A chaining value: what a chunk or a subtree comes down to.
pub(super) type Node = [u32; 8];

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;
/// Bytes of a chunk, the leaf of the tree.
pub(super) const CHUNK: usize = 1024;

// The domain flags of plain hashing.
pub(super) const CHUNK_START: u32 = 1;
pub(super) const CHUNK_END: u32 = 2;
pub(super) const PARENT: u32 = 4;
pub(super) const ROOT: u32 = 8;

/// The initial chaining value: that of SHA-256.
pub(super) const INITIAL: Node = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// What each compression begins with, beside chaining value and setting.
pub(super) const MIDDLE: [u32; 4] = {
    let [m0, m1, m2, m3, ..] = INITIAL;
    [m0, m1, m2, m3]
};

/// What a block of a chunk or of a parent is compressed with, beside its words.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    /// The number of the chunk; 0 for a parent.
    pub(super) counter: u64,
    /// Bytes of the block that count.
    pub(super) length: u32,
    pub(super) flags: u32,
}

impl Setting {
    /// As the last four words of the state.
    pub(super) fn words(self) -> [u32; 4] {
        let counter = self.counter;
        [
            counter as u32,
            (counter >> 32) as u32,
            self.length,
            self.flags,
        ]
    }
}

/// The chaining value of one chunk of at most `CHUNK` bytes, or the root if `last` says so.
pub(super) fn chunk(bytes: &[u8], counter: u64, last: u32) -> Node {
    let mut node = INITIAL;
    let mut rest = bytes;
    let mut flags = CHUNK_START;
    loop {
        // An empty message is one block without a byte.
        let (block, behind) = rest.split_at(rest.len().min(BLOCK));
        if behind.is_empty() {
            flags |= CHUNK_END | last;
        }
        let setting = Setting {
            counter,
            length: block.len() as u32,
            flags,
        };
        node = compress(&node, &words(block), setting);
        if behind.is_empty() {
            return node;
        }
        (rest, flags) = (behind, 0);
    }
}

/// The chaining value over two others, or the root if `last` says so.
pub(super) fn parent(left: &Node, right: &Node, last: u32) -> Node {
    let mut words = [0; 16];
    words[..8].copy_from_slice(left);
    words[8..].copy_from_slice(right);
    let setting = Setting {
        counter: 0,
        length: BLOCK as u32,
        flags: PARENT | last,
    };
    compress(&INITIAL, &words, setting)
}

/// The words of a block of at most `BLOCK` bytes; zeros where it ends early.
fn words(block: &[u8]) -> [u32; 16] {
    let mut padded = [0; BLOCK];
    padded[..block.len()].copy_from_slice(block);
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(padded.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    words
}

fn compress(node: &Node, words: &[u32; 16], setting: Setting) -> Node {
    mix(node, words, MIDDLE, setting.words())
}

/// Seven rounds, and the output cut to 32 bytes. No branch and no loop over rounds: that lets the compiler run several
/// of these side by side, one in each lane of a vector.
#[inline(always)]
pub(super) fn mix<W: Word>(
    node: &[W; 8],
    words: &[W; 16],
    middle: [W; 4],
    setting: [W; 4],
) -> [W; 8] {
    let [n0, n1, n2, n3, n4, n5, n6, n7] = *node;
    let [m0, m1, m2, m3] = middle;
    let [s0, s1, s2, s3] = setting;
    let mut v = [
        n0, n1, n2, n3, n4, n5, n6, n7, m0, m1, m2, m3, s0, s1, s2, s3,
    ];
    round(&mut v, words, &ORDER[0]);
    round(&mut v, words, &ORDER[1]);
    round(&mut v, words, &ORDER[2]);
    round(&mut v, words, &ORDER[3]);
    round(&mut v, words, &ORDER[4]);
    round(&mut v, words, &ORDER[5]);
    round(&mut v, words, &ORDER[6]);
    [
        v[0].xor(v[8]),
        v[1].xor(v[9]),
        v[2].xor(v[10]),
        v[3].xor(v[11]),
        v[4].xor(v[12]),
        v[5].xor(v[13]),
        v[6].xor(v[14]),
        v[7].xor(v[15]),
    ]
}

/// First the columns of the state, then its diagonals.
#[inline(always)]
fn round<W: Word>(v: &mut [W; 16], m: &[W; 16], order: &[usize; 16]) {
    quarter(v, [0, 4, 8, 12], m[order[0]], m[order[1]]);
    quarter(v, [1, 5, 9, 13], m[order[2]], m[order[3]]);
    quarter(v, [2, 6, 10, 14], m[order[4]], m[order[5]]);
    quarter(v, [3, 7, 11, 15], m[order[6]], m[order[7]]);
    quarter(v, [0, 5, 10, 15], m[order[8]], m[order[9]]);
    quarter(v, [1, 6, 11, 12], m[order[10]], m[order[11]]);
    quarter(v, [2, 7, 8, 13], m[order[12]], m[order[13]]);
    quarter(v, [3, 4, 9, 14], m[order[14]], m[order[15]]);
}

/// The function G. It turns right by 16, 12, 8 and 7 bits.
#[inline(always)]
fn quarter<W: Word>(v: &mut [W; 16], [a, b, c, d]: [usize; 4], x: W, y: W) {
    v[a] = v[a].plus(v[b]).plus(x);
    v[d] = v[d].xor(v[a]).rotated_left(32 - 16);
    v[c] = v[c].plus(v[d]);
    v[b] = v[b].xor(v[c]).rotated_left(32 - 12);
    v[a] = v[a].plus(v[b]).plus(y);
    v[d] = v[d].xor(v[a]).rotated_left(32 - 8);
    v[c] = v[c].plus(v[d]);
    v[b] = v[b].xor(v[c]).rotated_left(32 - 7);
}

/// For each round, which word goes where: each is the permutation of the one before.
const ORDER: [[usize; 16]; 7] = {
    let mut order = [[0; 16]; 7];
    let mut round = 0;
    while round < 7 {
        let mut i = 0;
        while i < 16 {
            order[round][i] = if round == 0 {
                i
            } else {
                order[round - 1][PERMUTATION[i]]
            };
            i += 1;
        }
        round += 1;
    }
    order
};

/// The words of a round, by their places in the round before.
const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

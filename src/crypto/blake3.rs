//! BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020): plain hashing, 32 bytes.
//!
//! What it prints for a file is what `b3sum FILE` prints.
//!
//! The message is cut into chunks of 1 KiB, the leaves of a binary tree; a left subtree is always
//! complete and never the smaller one. 256 chunks whose first number is a multiple of 256 are therefore a
//! subtree of their own in every longer message: a [`Group`]. Somebody who keeps the groups of what
//! he has can check each piece by itself, and go on with the hash where it stopped. The root alone is
//! compressed otherwise than the rest, and a message of exactly one group has its root there; so a group is
//! the two halves below its top, and its top is made when it is known what it is.

use compress::{CHUNK, Node, ROOT};
use lanes::Kernel;

mod compress;
mod lanes;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Bytes of a group: 256 KiB.
pub const GROUP: usize = GROUP_CHUNKS * CHUNK;
/// Bytes that a [`Group`] is kept in.
pub const GROUP_VALUE: usize = 64;

const GROUP_CHUNKS: usize = 256;
/// How many groups the longest message has: 2^64 bytes.
const GROUPS: u64 = 1 << 46;

/// A hash: 32 bytes.
pub type Hash = [u8; 32];

/// What 256 KiB of a message come down to, at their place in it: the chaining values of their two halves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group([u8; GROUP_VALUE]);

impl Group {
    /// As kept by [`Group::to_bytes`]. Any bytes are a group; of which message, if of any, the hash shows.
    pub fn from_bytes(bytes: [u8; GROUP_VALUE]) -> Self {
        Self(bytes)
    }

    /// To be kept: the left half's chaining value, then the right one's.
    pub fn to_bytes(self) -> [u8; GROUP_VALUE] {
        self.0
    }

    fn new(halves: [Node; 2]) -> Self {
        let mut bytes = [0; GROUP_VALUE];
        for (half, node) in bytes.chunks_exact_mut(32).zip(&halves) {
            half.copy_from_slice(&to_bytes(node));
        }
        Self(bytes)
    }

    fn halves(self) -> [Node; 2] {
        let mut halves = [[0; 8]; 2];
        for (word, bytes) in halves
            .as_flattened_mut()
            .iter_mut()
            .zip(self.0.chunks_exact(4))
        {
            *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        halves
    }
}

/// The hash of bytes that are all there.
pub fn hash(bytes: &[u8]) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// The group of the `GROUP` bytes that stand at `index * GROUP` in a message; `None` for any other number of
/// bytes, and where no message reaches.
pub fn group(index: u64, bytes: &[u8]) -> Option<Group> {
    group_with(lanes::fastest(), index, bytes)
}

fn group_with(kernel: Kernel, index: u64, bytes: &[u8]) -> Option<Group> {
    if bytes.len() != GROUP || index >= GROUPS {
        return None;
    }
    let mut nodes = Vec::with_capacity(GROUP_CHUNKS);
    lanes::chunks(kernel, bytes, index * GROUP_CHUNKS as u64, &mut nodes);
    Some(Group::new(halves(kernel, &mut nodes)))
}

/// A hash that is fed piece by piece. A clone goes on from where its original is.
///
/// It needs at most 12 KB, however long the message is.
#[derive(Clone)]
pub struct Hasher {
    kernel: Kernel,
    /// The complete subtrees in front of the group that is begun, the largest first, one for each bit
    /// that is set in their number of groups; but the last group's top is not made yet: its two halves are.
    done: Vec<Node>,
    /// The complete chunks of the group that is begun: fewer than 256.
    chunks: Vec<Node>,
    /// The chunk that is begun: its first `length % CHUNK` bytes count. The message's first chunk
    /// stays here when it is complete and nothing follows yet: it may be the root.
    chunk: [u8; CHUNK],
    /// Bytes hashed so far. A message ends at 2^64 bytes, which nobody reaches.
    length: u64,
}

impl Hasher {
    /// The hash of nothing yet.
    pub fn new() -> Self {
        Self::with(lanes::fastest())
    }

    /// The hash of a message that begins with these groups, all of them in their order: what
    /// [`Hasher::update_with`] reported, or [`group`] made.
    pub fn from_groups(groups: impl IntoIterator<Item = Group>) -> Self {
        let mut hasher = Self::new();
        for group in groups {
            hasher.length += GROUP as u64;
            hasher.add(group.halves());
        }
        hasher
    }

    /// Adds bytes. Where they are cut into calls does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        self.update_with(bytes, |_, _| ());
    }

    /// Adds bytes, and reports each group that they complete, with its index, in order.
    pub fn update_with(&mut self, bytes: &[u8], mut report: impl FnMut(u64, Group)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let begun = (self.length % CHUNK as u64) as usize;
            let number = self.length / CHUNK as u64;
            let may_be_root = number == 0 && rest.len() == CHUNK;
            let taken = if begun > 0 || may_be_root || rest.len() < CHUNK {
                let taken = rest.len().min(CHUNK - begun);
                self.chunk[begun..begun + taken].copy_from_slice(&rest[..taken]);
                if begun + taken == CHUNK {
                    self.chunks.push(compress::chunk(&self.chunk, number, 0));
                }
                taken
            } else {
                let missing = GROUP_CHUNKS - self.chunks.len();
                let taken = (rest.len() / CHUNK).min(missing) * CHUNK;
                lanes::chunks(self.kernel, &rest[..taken], number, &mut self.chunks);
                taken
            };
            self.length += taken as u64;
            rest = &rest[taken..];
            if self.chunks.len() == GROUP_CHUNKS {
                let halves = halves(self.kernel, &mut self.chunks);
                self.chunks.clear();
                self.add(halves);
                report(self.groups() - 1, Group::new(halves));
            }
        }
    }

    /// The hash of all that was added. More may be added afterwards.
    pub fn finish(&self) -> Hash {
        if self.length <= CHUNK as u64 {
            return to_bytes(&compress::chunk(
                &self.chunk[..self.length as usize],
                0,
                ROOT,
            ));
        }
        let mut nodes = self.done.clone();
        let mut tail = self.chunks.clone();
        let begun = (self.length % CHUNK as u64) as usize;
        if begun > 0 {
            let number = self.length / CHUNK as u64;
            tail.push(compress::chunk(&self.chunk[..begun], number, 0));
        }
        // Pairing neighbours level by level gives each left subtree all the chunks it can have.
        if !tail.is_empty() {
            merge(&mut nodes, self.groups());
            let enough = if nodes.is_empty() { 2 } else { 1 };
            while tail.len() > enough {
                lanes::level(self.kernel, &mut tail);
            }
            nodes.append(&mut tail);
        }
        // Two or more: a message longer than a chunk has two chunks, or two halves of a group.
        while nodes.len() > 2 {
            join(&mut nodes);
        }
        to_bytes(&compress::parent(&nodes[0], &nodes[1], ROOT))
    }

    fn with(kernel: Kernel) -> Self {
        Self {
            kernel,
            done: Vec::new(),
            chunks: Vec::new(),
            chunk: [0; CHUNK],
            length: 0,
        }
    }

    /// Complete groups.
    fn groups(&self) -> u64 {
        self.length / GROUP as u64
    }

    /// Takes in the group that ends at `length`: what stands in front of it is not the whole message.
    fn add(&mut self, halves: [Node; 2]) {
        let before = self.groups() - 1;
        merge(&mut self.done, before);
        self.done.extend(halves);
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes the subtrees that `groups` groups have, now that something follows them.
fn merge(nodes: &mut Vec<Node>, groups: u64) {
    while nodes.len() > groups.count_ones() as usize {
        join(nodes);
    }
}

/// Puts the parent in the place of the last two.
fn join(nodes: &mut Vec<Node>) {
    if let [.., left, right] = nodes[..] {
        nodes.truncate(nodes.len() - 2);
        nodes.push(compress::parent(&left, &right, 0));
    }
}

/// The two halves that the chunks of a group come down to.
fn halves(kernel: Kernel, chunks: &mut Vec<Node>) -> [Node; 2] {
    while chunks.len() > 2 {
        lanes::level(kernel, chunks);
    }
    [chunks[0], chunks[1]]
}

fn to_bytes(node: &Node) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(node) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

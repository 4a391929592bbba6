//! BLAKE3, beside the package of its authors.

use std::sync::OnceLock;

use p2pxfer::crypto::blake3::{GROUP, Group, Hasher, group, hash};

use crate::input::{Input, Random};

pub(crate) fn blake3(input: &Input) -> bool {
    let (first, second) = input.pieces();
    let mut ours = Hasher::new();
    ours.update(first);
    let fork = ours.clone();
    ours.update(second);
    let theirs = *blake3::hash(input.text).as_bytes();
    ours.finish() == theirs
        && hash(input.text) == theirs
        && fork.finish() == *blake3::hash(first).as_bytes()
}

/// Longer messages, in pieces, and once more from the groups that the seed says.
pub(crate) fn groups(input: &Input) -> bool {
    static MESSAGE: OnceLock<Vec<u8>> = OnceLock::new();
    let message = MESSAGE.get_or_init(|| {
        let mut message = vec![0; 9 * GROUP];
        Random::new(0, 255).fill(&mut message);
        message
    });
    let number = |at| u32::from_le_bytes(input.array(at)) as usize;
    // One in 32 has groups; of those, one in four ends with one.
    let length = match number(0) % 128 {
        0 => number(4) % 10 * GROUP,
        1..4 => number(4) % message.len(),
        _ => number(4) % 65_536,
    };
    // Not the same bytes each time.
    let begin = number(8) % (message.len() - length + 1);
    let text = &message[begin..begin + length];
    let theirs = *blake3::hash(text).as_bytes();

    let mut reported = Vec::new();
    let mut hasher = Hasher::new();
    for piece in text.chunks(number(12) % 100_000 + 500) {
        hasher.update_with(piece, |index, group| reported.push((index, group)));
    }
    if hasher.finish() != theirs || reported.len() != length / GROUP {
        return false;
    }
    let kept = number(16) % (reported.len() + 1);
    let groups: Vec<Group> = reported[..kept].iter().map(|(_, group)| *group).collect();
    let mut resumed = Hasher::from_groups(groups);
    resumed.update(&text[kept * GROUP..]);
    let made = text
        .chunks_exact(GROUP)
        .zip(&reported)
        .all(|(bytes, (index, expected))| group(*index, bytes) == Some(*expected));
    resumed.finish() == theirs && made
}

//! Files that are made, and compared without being held in memory.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// A prime, so that no block of a program or a relay divides it and a misplaced block shows.
const BLOCK: usize = 1_048_573;

/// Makes a file of `length` bytes, no two of whose first 256 blocks are alike.
pub(crate) fn write(path: &Path, length: usize) {
    let mut file = File::create(path).expect("a file of our own");
    let block: Vec<u8> = (0..BLOCK as u64)
        .map(|i| (i.wrapping_mul(i).wrapping_mul(0x9e37_79b9) >> 21) as u8)
        .collect();
    let mut mixed = vec![0; BLOCK];
    for (number, start) in (0..length).step_by(BLOCK).enumerate() {
        for (to, from) in mixed.iter_mut().zip(&block) {
            *to = from ^ number as u8;
        }
        let count = BLOCK.min(length - start);
        file.write_all(&mixed[..count]).expect("room on the disk");
    }
}

/// Compares two files byte by byte.
pub(crate) fn assert_same(left: &Path, right: &Path) {
    let open = |path: &Path| File::open(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let (mut left, mut right) = (open(left), open(right));
    let length = |file: &File| file.metadata().expect("an open file").len();
    assert_eq!(length(&left), length(&right), "the lengths differ");
    let (mut one, mut other) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut at = 0;
    loop {
        let count = left.read(&mut one).expect("a file can be read");
        if count == 0 {
            return;
        }
        right
            .read_exact(&mut other[..count])
            .expect("a file can be read");
        assert!(one[..count] == other[..count], "other bytes after {at}");
        at += count;
    }
}

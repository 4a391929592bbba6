use super::super::hex;
use super::compress::CHUNK;
use super::lanes::{Kernel, fastest};
use super::{GROUP, Group, Hash, Hasher, group, group_with, hash};

/// The input of the official vectors: byte i is i mod 251.
fn input(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

/// Every kernel that this machine can run.
fn kernels() -> Vec<Kernel> {
    let mut kernels = vec![fastest(), Kernel::Portable];
    #[cfg(target_arch = "x86_64")]
    kernels.extend(crate::crypto::vector::avx2::Unit::detect().map(Kernel::Avx2));
    kernels
}

fn hash_with(kernel: Kernel, bytes: &[u8]) -> Hash {
    let mut hasher = Hasher::with(kernel);
    hasher.update(bytes);
    hasher.finish()
}

/// The hash by the definition of the tree, from the root down: the left subtree is the largest complete one
/// that leaves something for the right.
fn from_the_root(bytes: &[u8], first: u64, last: u32) -> super::Node {
    if bytes.len() <= CHUNK {
        return super::compress::chunk(bytes, first, last);
    }
    let chunks = bytes.len().div_ceil(CHUNK);
    let left = chunks.next_power_of_two() / 2;
    super::compress::parent(
        &from_the_root(&bytes[..left * CHUNK], first, 0),
        &from_the_root(&bytes[left * CHUNK..], first + left as u64, 0),
        last,
    )
}

fn expected(bytes: &[u8]) -> Hash {
    super::to_bytes(&from_the_root(bytes, 0, super::ROOT))
}

/// As many as Miri has the patience for, or all.
fn lengths(all: usize) -> impl Iterator<Item = usize> {
    (0..=all).step_by(if cfg!(miri) { 97 } else { 1 })
}

#[test]
fn official_vectors_hold() {
    // From test_vectors.json of BLAKE3: lengths at the borders of block, chunk and tree.
    for (length, digest) in [
        (
            0,
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        ),
        (
            1,
            "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        ),
        (
            64,
            "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98",
        ),
        (
            65,
            "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee",
        ),
        (
            1023,
            "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
        ),
        (
            1024,
            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
        ),
        (
            1025,
            "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
        ),
        (
            2048,
            "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a",
        ),
        (
            2049,
            "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030",
        ),
        (
            3072,
            "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2",
        ),
        (
            3073,
            "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3",
        ),
        (
            8192,
            "aae792484c8efe4f19e2ca7d371d8c467ffb10748d8a5a1ae579948f718a2a63",
        ),
        (
            8193,
            "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b",
        ),
        (
            102400,
            "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
        ),
    ] {
        for kernel in kernels() {
            let digest: Hash = hex::array(digest);
            assert_eq!(hash_with(kernel, &input(length)), digest, "{length} bytes");
        }
    }
}

#[test]
fn every_length_to_1100_and_around_each_border_is_the_tree_of_the_paper() {
    let borders = [2, 3, 4, 7, 8, 9, 16, 17, 31, 32, 33, 64]
        .map(|chunks| chunks * CHUNK)
        .into_iter()
        .flat_map(|border| border - 2..=border + 2);
    for length in lengths(1100).chain(borders.step_by(if cfg!(miri) { 13 } else { 1 })) {
        let bytes = input(length);
        for kernel in kernels() {
            assert_eq!(
                hash_with(kernel, &bytes),
                expected(&bytes),
                "{length} bytes"
            );
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "megabytes")]
fn lengths_around_groups_are_the_tree_of_the_paper() {
    let bytes = input(9 * GROUP + 2 * CHUNK);
    for groups in 1..=9 {
        for (back, more) in [
            (CHUNK + 1, 0),
            (1, 0),
            (0, 0),
            (0, 1),
            (0, CHUNK),
            (0, CHUNK + 1),
        ] {
            let part = &bytes[..groups * GROUP - back + more];
            for kernel in kernels() {
                assert_eq!(
                    hash_with(kernel, part),
                    expected(part),
                    "{} bytes",
                    part.len()
                );
            }
        }
    }
}

#[test]
fn every_split_gives_the_hash_of_the_whole() {
    for whole in [1100, 2 * CHUNK + 1] {
        let bytes = input(whole);
        let digest = expected(&bytes);
        for at in lengths(whole) {
            let mut hasher = Hasher::new();
            hasher.update(&bytes[..at]);
            let mut fork = hasher.clone();
            assert_eq!(hasher.finish(), expected(&bytes[..at]));
            hasher.update(&bytes[at..]);
            assert_eq!(hasher.finish(), digest, "split at {at}");
            for piece in bytes[at..].chunks(at % 300 + 1) {
                fork.update(piece);
            }
            assert_eq!(fork.finish(), digest, "pieces from {at}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "megabytes")]
fn pieces_of_any_size_give_the_hash_of_the_whole() {
    let bytes = input(3 * GROUP + 5 * CHUNK + 17);
    let digest = expected(&bytes);
    for size in [
        1,
        63,
        1000,
        1023,
        1024,
        1025,
        3000,
        8191,
        8192,
        65_535,
        65_536,
        GROUP - 1,
        GROUP + 1,
    ] {
        for kernel in kernels() {
            let mut hasher = Hasher::with(kernel);
            for piece in bytes.chunks(size) {
                hasher.update(piece);
            }
            assert_eq!(hasher.finish(), digest, "pieces of {size}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "megabytes")]
fn a_hash_goes_on_behind_any_number_of_groups() {
    let bytes = input(9 * GROUP + 3 * CHUNK + 5);
    for end in [
        GROUP,
        GROUP + 1,
        2 * GROUP,
        7 * GROUP,
        8 * GROUP,
        bytes.len(),
    ] {
        let message = &bytes[..end];
        let mut reported = Vec::new();
        let mut hasher = Hasher::new();
        for piece in message.chunks(65_535) {
            hasher.update_with(piece, |index, group| reported.push((index, group)));
        }
        assert_eq!(hasher.finish(), expected(message));
        for kernel in kernels() {
            let made: Vec<(u64, Group)> = (0..)
                .zip(message.chunks_exact(GROUP))
                .map(|(index, bytes)| (index, group_with(kernel, index, bytes).expect("a group")))
                .collect();
            assert_eq!(reported, made, "groups of {end} bytes");
        }
        for kept in 0..=reported.len() {
            let groups = reported[..kept]
                .iter()
                .map(|(_, group)| Group::from_bytes(group.to_bytes()));
            let mut hasher = Hasher::from_groups(groups);
            assert_eq!(hasher.finish(), expected(&message[..kept * GROUP]));
            let mut again = Vec::new();
            hasher.update_with(&message[kept * GROUP..], |index, group| {
                again.push((index, group));
            });
            assert_eq!(
                hasher.finish(),
                expected(message),
                "{end} bytes, {kept} groups"
            );
            assert_eq!(again, reported[kept..]);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "a whole group")]
fn a_group_has_its_size_and_its_place() {
    let bytes = input(GROUP + 1);
    assert_eq!(group(0, &bytes), None);
    assert_eq!(group(0, &bytes[..GROUP - 1]), None);
    assert_eq!(group(1 << 46, &bytes[..GROUP]), None);
    assert_ne!(group(0, &bytes[..GROUP]), None);
    assert_ne!(group(0, &bytes[..GROUP]), group(1, &bytes[..GROUP]));
    assert_ne!(
        group(1 << 45, &bytes[..GROUP]),
        group((1 << 46) - 1, &bytes[..GROUP])
    );
    assert_eq!(hash(&bytes), expected(&bytes));
}

//! Ends by force at many points of a transfer of 300 MB and two folders (`make crash`; `CRASHES=N` for
//! another number than 200). Each time everything has to be there afterwards, once, whole, with nothing beside it, and
//! at most 1 MiB may have come twice.

#[expect(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "tests use more of it"
)]
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/end.rs"]
mod end;
#[expect(dead_code, reason = "tests use more of it")]
#[path = "kill.rs"]
mod kill;
#[path = "../common/temp.rs"]
mod temp;
#[path = "trees.rs"]
mod trees;
#[expect(dead_code, reason = "tests use more of it")]
#[path = "wire.rs"]
mod wire;

use std::fs;

use temp::TempDir;

/// The relay's other way to wait.
const BACKEND: &str = match cfg!(all(target_os = "linux", feature = "libc")) {
    true => "epoll",
    false => "threads",
};

/// Most that may come twice for one end, in bytes.
const AGAIN: u64 = 1 << 20;
/// Bytes of the two large files.
const SIZE: usize = 150_000_000;

fn main() {
    let crashes = std::env::var("CRASHES").ok();
    let crashes = crashes
        .and_then(|text| text.parse().ok())
        .unwrap_or(200_u64);
    let from = TempDir::new();
    let root = from.path().join("tree");
    for (index, folder) in ["one", "two"].iter().enumerate() {
        let folder = root.join(folder);
        trees::plant(&folder);
        let content = trees::content(SIZE, index as u64);
        fs::write(folder.join("large"), content).expect("a file of our own");
        for small in 0..500 {
            let content = trees::content(small % 4096, small as u64);
            fs::write(folder.join(format!("s{small}")), content).expect("a file of our own");
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id());
    let mut again = Vec::new();
    for crash in 0..crashes {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let at = state % (2 * SIZE as u64);
        let who = ["sender", "receiver", "relay"][(state >> 33) as usize % 3];
        let backend = ["threads", BACKEND][(state >> 40) as usize % 2];
        let twice = kill::kill_at(backend, &root, at, who);
        println!(
            "{:>4} of {crashes}: {backend}, the {who} killed after {at} bytes, {twice} came twice",
            crash + 1
        );
        assert!(twice <= AGAIN);
        again.push(twice);
    }
    let most = again.iter().max().copied().unwrap_or_default();
    let sum: u64 = again.iter().sum();
    println!(
        "{crashes} ends by force, and all was there; twice came at most {most} bytes, {} on average",
        sum / crashes.max(1)
    );
}

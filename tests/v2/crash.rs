//! Ends by force at many points of a transfer of 300 MB and two folders (`make crash`; `CRASHES=N` for
//! another number than 200). Each time everything has to be there afterwards, once, whole, with nothing beside it.

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
    for crash in 0..crashes {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let at = state % (2 * SIZE as u64);
        let who = ["sender", "receiver", "relay"][(state >> 33) as usize % 3];
        println!(
            "{:>4} of {crashes}: the {who} is killed after {at} bytes",
            crash + 1
        );
        kill::kill_at("threads", &root, at, who);
    }
    println!("{crashes} ends by force, and all was there");
}

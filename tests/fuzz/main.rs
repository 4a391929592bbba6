//! The fuzzer's targets without the fuzzer: on the inputs that once broke a promise, and on random ones.
//!
//! `make fuzz` searches for more. What it finds is put into `tests/fuzz/found/TARGET/`, and is run here from then on.

#![cfg(unix)]

use std::fs;
use std::path::Path;

mod inputs;

#[test]
fn no_input_that_was_found_breaks_a_promise_again() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/found");
    for (name, run) in inputs::ALL {
        let Ok(entries) = fs::read_dir(found.join(name)) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            eprintln!("{}", path.display());
            run(&fs::read(path).expect("an input"));
        }
    }
}

#[test]
fn no_random_input_breaks_a_promise() {
    for (name, run) in inputs::ALL {
        let count = match name {
            "session" => 3000,
            "journal" => 60,
            _ => 3000,
        };
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for number in 0..count {
            let mut bytes = vec![0; number % 300];
            for byte in &mut bytes {
                // xorshift64
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = (state >> 32) as u8;
            }
            run(&bytes);
        }
    }
}

//! Somebody else's static library in Rust, which brings the standard library too.

use std::collections::HashMap;
use std::panic::catch_unwind;

/// 42, by way of the allocator, the random hash keys and an unwound panic.
#[unsafe(no_mangle)]
pub extern "C" fn other_archive() -> i32 {
    let map: HashMap<String, i32> = (0..42).map(|key| (key.to_string(), 1)).collect();
    match catch_unwind(|| map["42"]) {
        Ok(_) => -1,
        Err(_) => map.values().sum(),
    }
}

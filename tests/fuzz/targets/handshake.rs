//! See `inputs/handshake.rs`.
#![no_main]

#[path = "../inputs/mod.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::handshake::run(bytes));

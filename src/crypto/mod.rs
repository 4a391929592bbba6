//! What version 2 is built on: hashes, keys from secrets, and sealed records.
//!
//! Pure functions over bytes: no I/O, no clock, and entropy is an argument. None of them branches on a
//! secret or uses one as an index; lengths are public. What is secret has no `Debug` and no `==`, and is
//! wiped when it is dropped. What the optimiser keeps in registers or spills to the stack is beyond reach
//! of such a wipe, and so is the old place of a value that was moved; sealing and opening therefore overwrite
//! the stack that they took, too.

pub mod aead;
pub mod blake3;
pub mod chacha20;
pub mod cpace;
pub mod ct;
pub mod hkdf;
pub mod hmac;
pub mod poly1305;
pub mod sha2;
pub mod x25519;

mod field25519;
mod vector;

#[cfg(test)]
mod hex;
#[cfg(all(test, any(target_arch = "x86_64", target_os = "linux")))]
mod skip;
#[cfg(all(test, target_os = "linux"))]
mod stack;

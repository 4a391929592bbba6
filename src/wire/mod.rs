//! Bytes to values and back: no I/O, no clock, no policy.
//!
//! The written specification of everything here is `doc/protocol.md`.

mod codec;
mod error;
mod hello;
pub mod proxy;
mod text;
pub mod v1;
pub mod v2;

pub use codec::Reader;
pub use error::{HeaderError, HelloError, IdError, ProxyError};
pub use hello::{HELLO_MAX, Hello, HelloReader, ID_MAX, Progress, Role, UserId};
pub use text::{Printable, misleads};

/// Answer of the relay or of a receiver: go on.
pub const YES: u8 = b'O';
/// Answer of the relay or of a receiver: refused.
pub const NO: u8 = b'X';

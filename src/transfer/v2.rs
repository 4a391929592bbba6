//! Version 2: many files, in order, over sealed records.
//!
//! [`Sender`] and [`Receiver`] are the protocol of one connection, without I/O, clock or randomness: they take
//! decoded records and local facts, and refuse everything that is not due. [`Sending`] and [`Receiving`] run
//! them over a [`Stream`], and live on from one connection to the next.

mod accepted;
mod frames;
mod produce;
mod receive;
pub mod receiver;
mod refused;
mod send;
pub mod sender;
mod session;

use std::time::Duration;

pub use self::receive::Receiving;
pub use self::receiver::Receiver;
pub use self::send::Sending;
pub use self::sender::{Job, Sender};
pub use self::session::{Ended, Stream};

/// Most entries that are announced and not settled.
pub const WINDOW: usize = 1024;
/// Most bytes of their paths together.
pub const WINDOW_BYTES: usize = 1 << 20;
/// After so long without a word a side says that it is still there.
pub const NOP_AFTER: Duration = Duration::from_secs(1);
/// After so long without a word from it, the peer counts as gone.
pub const SILENCE: Duration = Duration::from_secs(30);
/// No shorter silence does, whatever the user wants: a word may come late.
pub const SILENCE_MIN: Duration = Duration::from_secs(2);

/// Most bytes that wait between two threads.
const QUEUE: usize = 1 << 20;
/// How much is sealed and written at once, in bytes, and about how much is read.
const BATCH: usize = 512 * 1024;

/// The rule that a record breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken(pub &'static str);

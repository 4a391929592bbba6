//! The commands: everything that reads arguments, writes to a terminal, or decides an exit status.

mod args;
mod journal;
pub mod relay;
pub mod xfer;

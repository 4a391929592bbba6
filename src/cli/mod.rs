//! The commands: everything that reads arguments, writes to a terminal, or decides an exit status.

mod args;
mod exit;
mod journal;
mod limits;
mod progress;
pub mod relay;
pub mod xfer;

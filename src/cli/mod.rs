//! The commands: everything that reads arguments, writes to a terminal, or decides an exit status.

mod args;
mod exit;
mod http;
mod journal;
mod limits;
mod line;
mod metrics;
mod progress;
pub mod relay;
mod restart;
mod service;
mod status;
mod tenure;
pub mod xfer;

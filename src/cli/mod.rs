//! The commands: everything that reads arguments, writes to a terminal, or decides an exit status.

mod args;
mod command;
mod events;
mod exit;
mod help;
mod http;
mod journal;
mod json;
mod limits;
mod line;
mod metrics;
mod outcome;
mod pace;
mod progress;
mod prompt;
pub mod relay;
mod restart;
mod secret;
mod service;
mod status;
mod tenure;
pub mod xfer;

//! What is done with a fuzzer's bytes: a module for each target. Its `run` panics where a promise does not hold.

mod disk;
mod pair;
mod script;

pub(crate) mod channel;
pub(crate) mod handshake;
pub(crate) mod header;
pub(crate) mod hello;
pub(crate) mod journal;
pub(crate) mod name;
pub(crate) mod receiver;
pub(crate) mod record;
pub(crate) mod sender;
pub(crate) mod session;

/// What is done with a fuzzer's bytes.
pub(crate) type Run = fn(&[u8]);

/// The targets by their names.
pub(crate) const ALL: [(&str, Run); 10] = [
    ("hello", hello::run),
    ("header", header::run),
    ("handshake", handshake::run),
    ("record", record::run),
    ("channel", channel::run),
    ("name", name::run),
    ("journal", journal::run),
    ("sender", sender::run),
    ("receiver", receiver::run),
    ("session", session::run),
];

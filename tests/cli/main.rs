//! `send_r` and `recv_r` as a user's shell and a program around them see them: options, secrets, the
//! question at a terminal, and the events of `--json`.

#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with tests that use more of it"
)]
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/end.rs"]
mod end;
#[path = "../common/temp.rs"]
mod temp;

mod events;
mod manual;
mod options;
mod run;
mod secrets;
#[cfg(unix)]
mod terminal;

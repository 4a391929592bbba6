//! A file on one host, wanted on another: the relay and the two programs as a user starts them, in version
//! 1. Version 2 has `tests/v2`.

#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
#[path = "../common/mount.rs"]
mod mount;
#[path = "../common/temp.rs"]
mod temp;

mod content;
mod crossing;
mod gate;
mod played;
mod program;

mod cases;
mod change;
mod output;
mod refused;
mod wait;

#[cfg(unix)]
mod disk;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod hang;
#[cfg(unix)]
mod pace;
#[cfg(unix)]
mod place;
#[cfg(target_os = "linux")]
mod terminal;

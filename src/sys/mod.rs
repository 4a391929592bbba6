//! The platform: the one place with `unsafe`, and no policy.
//!
//! # The contract
//! A platform is a folder that gives the modules below; callers carry no `cfg` for them. `unix` uses
//! the `libc` crate, `windows` declares by hand what it calls, `portable` uses the standard library
//! alone: that serves any Unix when the feature `libc` is off, and is tested on Linux too. Where a
//! platform can do less, the item says so.
//!
//! | module | what it gives |
//! |---|---|
//! | `bell` | ending the waits of other threads |
//! | `fs` | a folder that files are made, named and removed in; nothing is followed out of it |
//! | `given` | a descriptor by its number, who may read a file, the room on a disk |
//! | `handoff` | passing descriptors to another process, where the system can |
//! | `net` | sockets: listen, connect with a way out, reset, what the kernel still holds |
//! | `random` | bytes from the system's generator |
//! | `service` | a service manager: the socket that it passes, what it is told |
//! | `signal` | waiting for the request to end; the limit on file sizes as an error; threads without signals |
//! | `term` | the width of the terminal; a question to its user, with or without echo |
//!
//! `linux` adds `epoll` and `pipe` on top, for the relay's epoll backend only.
#![expect(
    unsafe_code,
    reason = "calls into the operating system are made here and nowhere else"
)]

mod file;
#[cfg(not(all(unix, feature = "libc")))]
mod near;
#[cfg(all(unix, feature = "libc"))]
#[path = "unix/mod.rs"]
mod platform;
#[cfg(all(unix, not(feature = "libc")))]
#[path = "portable/mod.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod platform;
#[cfg(unix)]
mod private;

#[cfg(all(target_os = "linux", feature = "libc"))]
pub mod linux;

pub use platform::{bell, fs, given, handoff, net, random, service, signal, term};

//! The end of a relay and its beginning again, seen from outside, on each backend.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/pairs.rs"]
mod pairs;
#[path = "../common/temp.rs"]
mod temp;

#[cfg(all(target_os = "linux", feature = "libc"))]
mod broken;
mod drain;
#[cfg(all(target_os = "linux", feature = "libc"))]
mod load;
#[cfg(all(target_os = "linux", feature = "libc"))]
mod manager;
mod path;
mod process;
#[cfg(all(target_os = "linux", feature = "libc"))]
mod takeover;
mod unit;

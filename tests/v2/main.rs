//! Version 2 through the real relay: every kind of thing that is sent, and every kind of end.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/end.rs"]
mod end;
#[cfg(target_os = "linux")]
#[path = "../common/mount.rs"]
mod mount;
#[path = "../common/names.rs"]
mod names_table;
#[path = "../common/temp.rs"]
mod temp;

mod caller;
mod crossed;
mod crossing;
#[cfg(target_os = "linux")]
mod disk;
mod guesses;
mod kill;
mod lies;
mod missing;
mod names;
mod offers;
mod pair;
mod patience;
mod programs;
mod resume;
mod trees;
mod window;
mod wire;

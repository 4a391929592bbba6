//! The store of version 2, seen from outside: what it makes of entries and bytes, and what is there
//! after any kind of end.

#[path = "../common/mount.rs"]
mod mount;
#[path = "../common/temp.rs"]
mod temp;

mod disk;
mod kill;
mod planted;
mod resume;
mod sender;
mod tree;

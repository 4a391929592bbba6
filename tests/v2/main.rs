//! Version 2 through the real relay: every kind of thing that is sent, and every kind of end.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/temp.rs"]
mod temp;

mod crossing;
mod pair;

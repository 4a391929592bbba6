//! Version 2 through the real relay: every kind of thing that is sent, and every kind of end.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/end.rs"]
mod end;
#[path = "../common/temp.rs"]
mod temp;

mod crossing;
mod guesses;
mod kill;
mod lies;
mod offers;
mod pair;
mod programs;
mod resume;
mod trees;
mod window;
mod wire;

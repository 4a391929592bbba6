//! The programs of 2013: what they said to each other, said again to ours.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/end.rs"]
mod end;
#[path = "../common/temp.rs"]
mod temp;

mod clients;
mod exchange;
mod marked;
mod pairings;
mod relay_2013;

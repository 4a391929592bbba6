//! Every rule of the relay, seen from outside, on each backend.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/pairs.rs"]
mod pairs;
#[path = "../common/pattern.rs"]
mod pattern;

mod behind;
mod close;
mod command;
mod hello;
mod id;
mod limits;
mod meeting;
mod splice;
mod tcp;

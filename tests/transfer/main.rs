//! A file crosses, or it does not and nothing is left of it: in process over links in memory, over
//! sockets, and with the two programs.

#[path = "../common/end.rs"]
mod end;

mod commands;
mod hostile;
mod jobs;
mod relay;

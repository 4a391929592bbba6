//! What a relay says of itself: its metrics, its health, its status, its log; on each backend.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/pairs.rs"]
mod pairs;

mod counters;
mod hostile;
mod log;
mod page;
mod scrape;
mod status;
mod usage;

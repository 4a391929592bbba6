//! What an event loop is made of, over `sys`: numbered entries, alarms, and a pool of pipes.

mod pool;
mod slab;
mod timer;

pub use pool::PipePool;
pub use slab::{Key, Slab};
pub use timer::Timers;

//! What an event loop is made of, over `sys`: numbered entries, alarms, a pool of pipes, and messages
//! between its threads.

mod channel;
#[cfg(all(target_os = "linux", feature = "libc"))]
mod pool;
mod slab;
mod timer;

pub use channel::{Nothing, Receiver, Sender, channel};
#[cfg(all(target_os = "linux", feature = "libc"))]
pub use pool::PipePool;
pub use slab::{Key, Slab};
pub use timer::Timers;

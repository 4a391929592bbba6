//! What an event loop is made of, over `sys`: numbered entries, alarms, and a pool of pipes.

#[cfg(all(target_os = "linux", feature = "libc"))]
mod pool;
#[cfg(all(target_os = "linux", feature = "libc"))]
mod slab;
#[cfg(all(target_os = "linux", feature = "libc"))]
mod timer;

#[cfg(all(target_os = "linux", feature = "libc"))]
pub use {pool::PipePool, slab::Key, slab::Slab, timer::Timers};

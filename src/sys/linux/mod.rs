//! Linux only: what the relay's epoll backend stands on.

pub mod epoll;
pub mod pipe;

use std::io;

/// The result of a call that answers -1 and `errno` when it fails, else a count.
fn count(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

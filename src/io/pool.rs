//! Pipes to borrow.

use std::io;

use crate::sys::linux::pipe::Pipe;

/// Capacity asked for, in bytes; an unprivileged process may use this for 64 pipes at a time and
/// gets smaller ones after that (pipe(7), `pipe-user-pages-soft`).
const CAPACITY: usize = 1 << 20;
/// How many empty pipes are kept for the next borrower.
const KEPT: usize = 16;

/// Lends pipes out. Each is two descriptors, so they are lent only while bytes are inside.
#[derive(Debug, Default)]
pub struct PipePool {
    idle: Vec<Pipe>,
}

impl PipePool {
    /// An empty pipe.
    ///
    /// # Errors
    /// When none is left over and no descriptors can be had.
    pub fn borrow(&mut self) -> io::Result<Pipe> {
        self.idle.pop().map_or_else(|| Pipe::new(CAPACITY), Ok)
    }

    /// Takes back a pipe, which has to be empty.
    pub fn give_back(&mut self, pipe: Pipe) {
        if self.idle.len() < KEPT {
            self.idle.push(pipe);
        }
    }
}

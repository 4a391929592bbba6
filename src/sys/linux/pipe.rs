//! Moving bytes from socket to socket without touching them: `splice(2)` through a pipe.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use super::count;

/// A pipe that holds bytes on their way from one socket to another.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    /// A pipe that asks for a `capacity` in bytes; the kernel may grant less.
    ///
    /// # Errors
    /// When no descriptors can be had.
    pub fn new(capacity: usize) -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two descriptors into the array.
        let result = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
        count(result as isize)?;
        let [read, write] = ends;
        // SAFETY: the descriptor is new and nobody else's.
        let read = unsafe { OwnedFd::from_raw_fd(read) };
        // SAFETY: as above.
        let write = unsafe { OwnedFd::from_raw_fd(write) };
        let capacity = libc::c_int::try_from(capacity).unwrap_or(libc::c_int::MAX);
        // SAFETY: no memory is passed. A refusal (a user's share of pipe memory is used up) leaves
        // the default capacity, with which all else works.
        unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETPIPE_SZ, capacity) };
        Ok(Self { read, write })
    }

    /// Takes up to `most` bytes from `source` into the pipe; 0 means that the source has ended.
    ///
    /// # Errors
    /// `WouldBlock` when the source has nothing now or the pipe is full, else the source's error.
    pub fn fill(&self, source: impl AsFd, most: usize) -> io::Result<usize> {
        splice(source, &self.write, most)
    }

    /// Copies all of `bytes` into the pipe, which is empty, or nothing; whether it took them.
    pub fn keep(&self, bytes: &[u8]) -> bool {
        // SAFETY: no memory is passed; an empty pipe takes its capacity at once, or a part of more.
        let capacity = unsafe { libc::fcntl(self.write.as_raw_fd(), libc::F_GETPIPE_SZ) };
        if usize::try_from(capacity).is_ok_and(|capacity| bytes.len() > capacity) {
            return false;
        }
        let (from, length) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: `bytes` is readable for its length.
        let taken = unsafe { libc::write(self.write.as_raw_fd(), from, length) };
        taken.unsigned_abs() == length && taken >= 0
    }

    /// Gives up to `most` bytes out of the pipe to `sink`.
    ///
    /// # Errors
    /// `WouldBlock` when the sink takes nothing now, else the sink's error.
    pub fn empty(&self, sink: impl AsFd, most: usize) -> io::Result<usize> {
        splice(&self.read, sink, most)
    }
}

fn splice(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    let none = std::ptr::null_mut();
    // SAFETY: null offsets are right for pipes and sockets; no memory is passed.
    count(unsafe { libc::splice(from, none, to, none, most, flags) })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    fn couple() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (caller, listener.accept().unwrap().0)
    }

    #[test]
    fn a_pipe_keeps_all_of_some_bytes_or_none() {
        let (alice, mut bob) = couple();
        let pipe = Pipe::new(4096).unwrap();
        assert!(!pipe.keep(&[1; 4097]));
        assert!(pipe.keep(b"hello"));
        assert_eq!(pipe.empty(&alice, 100).unwrap(), 5);
        let mut bytes = [0; 5];
        bob.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
    }

    #[test]
    fn bytes_cross_a_pipe_and_the_end_is_told_from_nothing_yet() {
        let ((mut alice, source), (sink, mut bob)) = (couple(), couple());
        source.set_nonblocking(true).unwrap();
        let pipe = Pipe::new(1 << 20).unwrap();
        assert_eq!(
            pipe.fill(&source, 10).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        alice.write_all(b"hello").unwrap();
        drop(alice);
        while source.peek(&mut [0; 8]).unwrap() < 5 {}
        assert_eq!(pipe.fill(&source, 10).unwrap(), 5);
        assert_eq!(pipe.fill(&source, 10).unwrap(), 0);
        assert_eq!(pipe.empty(&sink, 5).unwrap(), 5);
        drop(sink);
        let mut bytes = Vec::new();
        bob.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"hello");
    }
}

//! Bytes that are no files: what the caller's own reader gives, and what its own writer takes.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::ops::ControlFlow;
//! use std::sync::mpsc;
//! use std::thread;
//!
//! use p2pxfer::client::{Argument, Cancel, Endpoint, Options, Wait, receive, send};
//! use p2pxfer::relay::{Config, Relay};
//! use p2pxfer::transfer::{Input, Output, Place, Target, UserId};
//!
//! /// Hands on what it gets.
//! struct Tee(mpsc::Sender<Vec<u8>>);
//!
//! impl Write for Tee {
//!     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
//!         self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
//!         Ok(bytes.len())
//!     }
//!     fn flush(&mut self) -> std::io::Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config {
//!     bind: Some([127, 0, 0, 1].into()),
//!     ..Config::default()
//! };
//! let relay = Relay::bind(0, config)?;
//! let (port, control) = (relay.local_addr()?.port(), relay.control());
//! let relay = thread::spawn(move || relay.run(&|_| ()));
//! let mut endpoint = Endpoint::new(UserId::new(b"alice")?, "127.0.0.1".parse()?, port);
//! endpoint.wait = Wait::Forever;
//!
//! let (tee, came) = mpsc::channel();
//! let place = Place {
//!     target: Target::Output(Output::new(Tee(tee))),
//!     overwrite: false,
//! };
//! let there = endpoint.clone();
//! let receiver = thread::spawn(move || {
//!     let go_on = &mut |_: p2pxfer::transfer::Event<'_>| ControlFlow::Continue(());
//!     receive(&there, &Options::default(), &place, &Cancel::new(), go_on)
//! });
//! // Anything that can be read; `Argument::Bytes` is for what is in memory as a whole.
//! let input = Input::new(std::io::repeat(b'x').take(1_000_000));
//! let arguments = [Argument::Stream("x.txt".into(), input)];
//! let go_on = &mut |_: p2pxfer::transfer::Event<'_>| ControlFlow::Continue(());
//! send(&endpoint, &Options::default(), &arguments, &Cancel::new(), go_on)?;
//! receiver.join().unwrap()?;
//! assert_eq!(came.into_iter().flatten().collect::<Vec<u8>>(), [b'x'; 1_000_000]);
//!
//! control.end();
//! relay.join().unwrap()?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where bytes to be sent come from. It is read once, by a thread of its own and some megabytes ahead; clones are
/// the same one.
#[derive(Clone)]
pub struct Input(Arc<Mutex<Option<Box<dyn Read + Send>>>>);

impl Input {
    /// What `reader` gives until its end.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(reader)))))
    }

    /// The reader; `None` when it was taken before.
    pub(super) fn take(&self) -> Option<Box<dyn Read + Send>> {
        locked(&self.0).take()
    }
}

/// Where received bytes go, in the order of the file or stream that they are; clones are the same one.
#[derive(Clone)]
pub struct Output(Arc<Mutex<dyn Write + Send>>);

impl Output {
    /// To `writer`. What it has taken is not taken back: only the end of the transfer tells whether it was right.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        locked(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        locked(&self.0).flush()
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A reader or writer that panicked is asked again: it is for itself to say what then.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Input {}

impl PartialEq for Output {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Output {}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

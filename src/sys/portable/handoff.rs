//! Passing descriptors to another process: the standard library has no call for it.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

fn unsupported() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

/// Of what there is none.
#[derive(Clone, Copy, Debug)]
enum Never {}

/// There is none.
#[derive(Debug)]
pub struct Door(Never);

impl Door {
    /// Fails.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn open(_: &Path) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn accept(&self) -> io::Result<Channel> {
        match self.0 {}
    }
}

/// There is none.
#[derive(Clone, Debug)]
pub struct Nameplate(Never);

impl Nameplate {
    /// Fails.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn read(_: &Path) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Cannot be called.
    pub fn remove(&self) {
        match self.0 {}
    }
}

/// There is none.
#[derive(Debug)]
pub struct Descriptor(Never);

impl Descriptor {
    /// Cannot be called.
    pub fn into_stream(self) -> TcpStream {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn into_listener(self) -> TcpListener {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn into_door(self) -> Door {
        match self.0 {}
    }
}

/// A descriptor to be passed, if there were a way.
#[derive(Clone, Copy, Debug)]
pub struct Parcel;

impl<T> From<&T> for Parcel {
    fn from(_: &T) -> Self {
        Self
    }
}

/// There is none.
#[derive(Debug)]
pub struct Channel(Never);

impl Channel {
    /// Fails.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn connect(_: &Path) -> io::Result<Option<Self>> {
        Err(unsupported())
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn set_timeout(&self, _: Duration) -> io::Result<()> {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn send(&self, _: &[u8], _: &[Parcel]) -> io::Result<()> {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn receive(&self, _: &mut [u8], _: &mut Vec<Descriptor>) -> io::Result<usize> {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn receive_byte(&self) -> io::Result<Option<u8>> {
        match self.0 {}
    }
}

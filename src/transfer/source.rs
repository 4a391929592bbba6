//! The file to send.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::Error;
use super::name::fit_name;
use crate::wire::v1::{Header, LENGTH_MAX};

/// A file that is open and can be sent: found to be so before anybody is called.
#[derive(Debug)]
pub struct Source {
    file: File,
    path: PathBuf,
    name: Vec<u8>,
    header: Header,
}

impl Source {
    /// Opens a regular file of 1 byte to 2047 MiB.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Empty`] or [`Error::TooLarge`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::file(path, error);
        // Asked before the open, which would block on a FIFO.
        check_kind(&fs::metadata(path).map_err(failed)?).map_err(failed)?;
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        check_kind(&metadata).map_err(failed)?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = name.as_encoded_bytes().to_vec();
        let path = path.to_path_buf();
        let length = metadata.len();
        match Header::new(&fit_name(&name), length) {
            Some(header) => Ok(Self {
                file,
                path,
                name,
                header,
            }),
            None if length == 0 => Err(Error::Empty { path }),
            None if length > LENGTH_MAX => Err(Error::TooLarge { path, length }),
            None => Err(Error::file(&path, io::ErrorKind::InvalidInput.into())),
        }
    }

    /// The name of the file, without its folder.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The name under which it is sent.
    pub fn sent_name(&self) -> &[u8] {
        self.header.name()
    }

    /// The length at the time of the open, in bytes.
    pub fn length(&self) -> u64 {
        self.header.length()
    }

    /// What version 1 says of it.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The next bytes of the file; at least one.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.file.read(buffer) {
                Ok(0) => {
                    let error = io::Error::other("the file became shorter while it was sent");
                    return Err(Error::file(&self.path, error));
                }
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::file(&self.path, error)),
            }
        }
    }
}

fn check_kind(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::Error::other(
            "is a folder: version 1 of the protocol carries single files, pack it first",
        ));
    }
    if !metadata.is_file() {
        return Err(io::Error::other(
            "is not a regular file: its length cannot be told beforehand, copy it to one first",
        ));
    }
    Ok(())
}

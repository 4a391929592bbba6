//! The bytes of an entry, hashed while they are read.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::stream::Stream;
use super::{GiveUp, Origin};
use crate::crypto::blake3::{self, GROUP, Hasher};
use crate::sys::fs::Stat;

/// Reads an entry's bytes, and hashes them.
#[derive(Debug)]
pub struct Reader {
    inner: Inner,
    /// Where the next byte is read from.
    position: u64,
}

enum Inner {
    File {
        file: File,
        path: PathBuf,
        announced: Stat,
        hasher: Box<Hasher>,
    },
    Stream(Arc<Stream>),
    /// And what it is called in messages.
    Memory(PathBuf, Arc<[u8]>),
}

impl Reader {
    pub(super) fn open(origin: &Origin) -> Result<Self, GiveUp> {
        let inner = match origin {
            Origin::File(path, announced, near) => {
                let opened = near.open_regular(path);
                let (file, stat) = opened.map_err(|error| GiveUp::new(path, error))?;
                if !is_same(&stat, announced) {
                    return Err(GiveUp::changed(path));
                }
                Inner::File {
                    file,
                    path: path.clone(),
                    announced: *announced,
                    hasher: Box::default(),
                }
            }
            Origin::Stream(stream) => {
                let failed = |error| GiveUp::new(stream.shown(), error);
                stream.begin().map_err(failed)?;
                Inner::Stream(Arc::clone(stream))
            }
            Origin::Memory(shown, bytes) => Inner::Memory(shown.clone(), Arc::clone(bytes)),
            Origin::Folder(path) => {
                return Err(GiveUp::new(path, io::ErrorKind::IsADirectory.into()));
            }
        };
        Ok(Self { inner, position: 0 })
    }

    /// Goes to `offset` and answers with the BLAKE3 of all bytes in front of it, be they none. Of a
    /// file they are read, as long as `goes_on` says so after each 256 KiB: else there is no answer. Of a
    /// stream they must end among those that are not acknowledged.
    ///
    /// # Errors
    /// When the file cannot be read, ends before `offset`, or the stream does not have the bytes any
    /// more.
    pub fn seek(
        &mut self,
        offset: u64,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<[u8; 32]>, GiveUp> {
        let lost = |shown: &Path| {
            let text = "what was lost on the way cannot be read once more: send it again";
            GiveUp::new(shown, io::Error::other(text))
        };
        match &mut self.inner {
            Inner::Stream(stream) => {
                let prefix = stream.prefix(offset);
                let prefix = prefix.ok_or_else(|| lost(stream.shown()))?;
                self.position = offset;
                return Ok(Some(prefix));
            }
            Inner::Memory(shown, bytes) => {
                let front = usize::try_from(offset)
                    .ok()
                    .and_then(|end| bytes.get(..end));
                self.position = offset;
                return match front {
                    Some(front) => Ok(Some(blake3::hash(front))),
                    None => Err(lost(shown)),
                };
            }
            Inner::File {
                file, path, hasher, ..
            } => {
                file.rewind().map_err(|error| GiveUp::new(path, error))?;
                **hasher = Hasher::new();
                self.position = 0;
            }
        }
        let mut buffer = vec![0; GROUP];
        while self.position < offset {
            if !goes_on() {
                return Ok(None);
            }
            let rest = usize::try_from(offset - self.position).unwrap_or(GROUP);
            let end = rest.min(GROUP);
            if self.read(&mut buffer[..end])? == 0 {
                return Err(self.changed());
            }
        }
        Ok(match &self.inner {
            Inner::File { hasher, .. } => Some(hasher.finish()),
            _ => None,
        })
    }

    /// Calls `wake` from now on, on another thread, when there is more of a stream, or its end.
    pub fn wake_by(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        if let Inner::Stream(stream) = &self.inner {
            stream.wake_by(wake);
        }
    }

    /// Whether [`Reader::read`] answers at once: of a stream it may take for ever.
    pub fn is_ready(&self) -> bool {
        match &self.inner {
            Inner::Stream(stream) => stream.is_ready(self.position),
            _ => true,
        }
    }

    /// The next bytes, as many as fit and are there; 0 at the end. Blocks on a stream.
    ///
    /// # Errors
    /// When it cannot be read, or is shorter than announced.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GiveUp> {
        let count = match &mut self.inner {
            Inner::Stream(stream) => stream
                .read(self.position, buffer)
                .map_err(|error| GiveUp::new(stream.shown(), error))?,
            Inner::Memory(_, bytes) => {
                let start = usize::try_from(self.position).unwrap_or(usize::MAX);
                let rest = bytes.get(start..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                count
            }
            Inner::File {
                file,
                path,
                announced,
                hasher,
                ..
            } => {
                // What was added to it meanwhile is for the end to notice.
                let rest = announced.size - self.position;
                let end = usize::try_from(rest).map_or(buffer.len(), |rest| rest.min(buffer.len()));
                let buffer = &mut buffer[..end];
                let count = loop {
                    match file.read(buffer) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(GiveUp::new(path, error)),
                        Ok(0) if !buffer.is_empty() => return Err(GiveUp::changed(path)),
                        Ok(count) => break count,
                    }
                };
                hasher.update(&buffer[..count]);
                count
            }
        };
        self.position += count as u64;
        Ok(count)
    }

    /// How many bytes may be read: of a stream before more must be acknowledged, else until the end.
    /// [`Reader::read`] must not be called of a stream while it is 0.
    pub fn room(&self) -> u64 {
        match &self.inner {
            Inner::Stream(stream) => stream.room(self.position),
            Inner::Memory(_, bytes) => (bytes.len() as u64).saturating_sub(self.position),
            Inner::File { announced, .. } => announced.size.saturating_sub(self.position),
        }
    }

    /// Hears that the receiver has taken over the first `offset` bytes of a stream.
    pub fn acknowledge(&mut self, offset: u64) {
        if let Inner::Stream(stream) = &self.inner {
            stream.acknowledge(offset);
        }
    }

    /// After the last byte: the length and the BLAKE3 of the whole.
    ///
    /// # Errors
    /// When a file was changed while it was read: its size, its time or what its name stands for.
    pub fn finish(&mut self) -> Result<(u64, [u8; 32]), GiveUp> {
        let hash = match &self.inner {
            Inner::Memory(_, bytes) => blake3::hash(bytes),
            Inner::Stream(stream) => {
                let ended = stream.is_end(self.position).then_some(self.position);
                let hash = ended.and_then(|end| stream.prefix(end));
                hash.ok_or_else(|| self.changed())?
            }
            Inner::File {
                file,
                path,
                announced,
                hasher,
            } => {
                let failed = |error| GiveUp::new(path, error);
                // By the whole path, for the folder that was opened may be another one by now.
                let named = fs::symlink_metadata(path).map_err(failed)?;
                let named = Stat::from_metadata(&named);
                // What was opened had the number that was announced: a name that has it too stands for what is open.
                let opened = match named.identity {
                    Some(_) => named,
                    None => Stat::of(file).map_err(failed)?,
                };
                let whole = self.position == announced.size;
                if !whole || !is_same(&opened, announced) || !is_same(&named, announced) {
                    return Err(GiveUp::changed(path));
                }
                hasher.finish()
            }
        };
        Ok((self.position, hash))
    }

    fn changed(&self) -> GiveUp {
        GiveUp::changed(match &self.inner {
            Inner::File { path, .. } => path,
            Inner::Stream(stream) => stream.shown(),
            Inner::Memory(shown, _) => shown,
        })
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File { .. } => "File",
            Self::Stream(_) => "Stream",
            Self::Memory(..) => "Memory",
        })
    }
}

/// Whether a file is the one that was announced, as it was then.
fn is_same(now: &Stat, announced: &Stat) -> bool {
    let of = |stat: &Stat| (stat.kind, stat.size, stat.mtime, stat.identity);
    of(now) == of(announced)
}

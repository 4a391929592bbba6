//! Passing descriptors to another process of the same user, over a Unix socket.

use std::fs::{self, Metadata};
use std::io::{self, Read, Write};
use std::mem::size_of;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check;

/// How many descriptors one message carries at most.
const DESCRIPTORS: usize = 2;

/// Where another process may ask: a Unix socket with a name that only its owner may connect to.
#[derive(Debug)]
pub struct Door(UnixListener);

impl Door {
    /// Listens at `path`, mode 0600. A socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// `AlreadyExists` when something else than a socket is there, `InvalidInput` when the path is
    /// longer than the system's socket addresses (107 bytes on Linux), `AddrInUse` when another
    /// process listens there, else what the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        match UnixStream::connect(path) {
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                look(path)?;
                fs::remove_file(path)?;
            }
            Err(_) => look(path).map(drop)?,
        }
        // The name gets its mode as it appears: a later chmod would leave a moment for others.
        // SAFETY: no memory is passed.
        let mask = unsafe { libc::umask(0o177) };
        let listener = UnixListener::bind(path);
        // SAFETY: as above.
        unsafe { libc::umask(mask) };
        listener.map(Self)
    }

    /// Waits for the next process that asks.
    ///
    /// # Errors
    /// `PermissionDenied` when it is another user's, else what the system says, for example that no
    /// descriptor can be had.
    pub fn accept(&self) -> io::Result<Channel> {
        let (stream, _) = self.0.accept()?;
        trust(&stream)?;
        Ok(Channel(stream))
    }
}

/// The name of a [`Door`], to be removed when nobody is behind it any more.
#[derive(Clone, Debug)]
pub struct Nameplate {
    path: PathBuf,
    /// Device and number of the file that was there.
    file: (u64, u64),
}

impl Nameplate {
    /// The name as it is now.
    ///
    /// # Errors
    /// When it is not there, or not a socket.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = look(path)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self {
            path: path.into(),
            file: identity(&file),
        })
    }

    /// Removes the name, unless it names another socket by now.
    pub fn remove(&self) {
        if let Ok(Some(file)) = look(&self.path) {
            if identity(&file) == self.file {
                let _ = fs::remove_file(&self.path);
            }
        }
    }
}

/// Fails unless the process at the other end is of this user, or of root, who could do all of this
/// anyway. The mode of the name says as much, but can be changed, and not every system heeds it.
fn trust(stream: &UnixStream) -> io::Result<()> {
    // SAFETY: no memory is passed, and the call cannot fail.
    let ours = unsafe { libc::geteuid() };
    match peer(stream)? {
        0 => Ok(()),
        theirs if theirs == ours => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the process there is another user's: run as that user, or choose another path",
        )),
    }
}

/// The user of the process that connected, or listened, at the other end when it did.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer(stream: &UnixStream) -> io::Result<libc::uid_t> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: libc::uid_t::MAX,
        gid: libc::gid_t::MAX,
    };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: one `ucred` and its length are written, and both outlive the call.
    check(unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    })?;
    Ok(credentials.uid)
}

/// The user of the process that connected, or listened, at the other end when it did.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer(stream: &UnixStream) -> io::Result<libc::uid_t> {
    let (mut user, mut group) = (libc::uid_t::MAX, libc::gid_t::MAX);
    // SAFETY: one number each is written, and both outlive the call.
    check(unsafe { libc::getpeereid(stream.as_raw_fd(), &raw mut user, &raw mut group) })?;
    Ok(user)
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// The socket at `path`, itself and not what a link leads to; `None` when nothing is there.
fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => Ok(Some(file)),
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A descriptor that came from another process.
#[derive(Debug)]
pub struct Descriptor(OwnedFd);

impl Descriptor {
    /// As a connection.
    pub fn into_stream(self) -> TcpStream {
        self.0.into()
    }

    /// As a listening socket.
    pub fn into_listener(self) -> TcpListener {
        self.0.into()
    }

    /// As a door.
    pub fn into_door(self) -> Door {
        Door(self.0.into())
    }
}

/// A descriptor to be passed; the sender keeps its own.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a>(BorrowedFd<'a>);

impl<'a> From<&'a TcpStream> for Parcel<'a> {
    fn from(stream: &'a TcpStream) -> Self {
        Self(stream.as_fd())
    }
}

impl<'a> From<&'a TcpListener> for Parcel<'a> {
    fn from(listener: &'a TcpListener) -> Self {
        Self(listener.as_fd())
    }
}

impl<'a> From<&'a Door> for Parcel<'a> {
    fn from(door: &'a Door) -> Self {
        Self(door.0.as_fd())
    }
}

/// Room for the descriptors of one message, aligned as the kernel wants it.
#[repr(C)]
union Control {
    header: libc::cmsghdr,
    bytes: [u8; 64],
}

const SPACE: usize = {
    // SAFETY: the macro's function only computes.
    let space = unsafe { libc::CMSG_SPACE((DESCRIPTORS * size_of::<RawFd>()) as libc::c_uint) };
    space as usize
};
const _: () = assert!(SPACE <= size_of::<Control>());

/// A stream of bytes between two processes that carries descriptors too.
#[derive(Debug)]
pub struct Channel(UnixStream);

impl Channel {
    /// Reaches the process behind the door at `path`; `None` when there is no such door, or nobody
    /// behind it.
    ///
    /// # Errors
    /// `PermissionDenied` when that process is another user's, else as [`Door::open`].
    pub fn connect(path: &Path) -> io::Result<Option<Self>> {
        match UnixStream::connect(path) {
            Ok(stream) => trust(&stream).map(|()| Some(Self(stream))),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(error),
            Err(error) => match look(path)? {
                None => Ok(None),
                Some(_) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(None),
                Some(_) => Err(error),
            },
        }
    }

    /// Lets every read and write fail that takes longer than this.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_timeout(&self, time: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(time))?;
        self.0.set_write_timeout(Some(time))
    }

    /// Sends `bytes`, of which there must be one at least, and the descriptors (at most 2) with the first.
    ///
    /// # Errors
    /// When the other process is gone or does not read in time.
    pub fn send(&self, bytes: &[u8], parcels: &[Parcel<'_>]) -> io::Result<()> {
        let sent = if parcels.is_empty() {
            0
        } else {
            self.send_with(bytes, parcels)?
        };
        (&self.0).write_all(&bytes[sent..])
    }

    fn send_with(&self, bytes: &[u8], parcels: &[Parcel<'_>]) -> io::Result<usize> {
        let mut part = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let mut control = Control { bytes: [0; 64] };
        let message = message(&mut part, &mut control, parcels.len());
        // SAFETY: `message` names a control buffer with room for at least one header.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        let length = (parcels.len() * size_of::<RawFd>()) as libc::c_uint;
        // SAFETY: `header` points into `control`, which is aligned for it.
        let fields = unsafe { &mut *header };
        fields.cmsg_level = libc::SOL_SOCKET;
        fields.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: the macro's function only computes.
        fields.cmsg_len = unsafe { libc::CMSG_LEN(length) } as _;
        // SAFETY: the data stand behind the header, within `control`.
        let mut place: *mut RawFd = unsafe { libc::CMSG_DATA(header) }.cast();
        for parcel in parcels {
            // SAFETY: there is room for `DESCRIPTORS`, which `message` has checked.
            unsafe { place.write_unaligned(parcel.0.as_raw_fd()) };
            place = place.wrapping_add(1);
        }
        #[cfg(any(target_os = "linux", target_os = "freebsd"))]
        let flags = libc::MSG_NOSIGNAL;
        #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
        let flags = 0;
        loop {
            // SAFETY: what `message` names outlives the call.
            let count = unsafe { libc::sendmsg(self.0.as_raw_fd(), &raw const message, flags) };
            match usize::try_from(count) {
                Ok(count) => return Ok(count),
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Takes the next bytes, and puts the descriptors that came with them behind the others; 0 bytes
    /// are the end.
    ///
    /// # Errors
    /// When the other process is gone, nothing comes in time, or a descriptor that came finds no
    /// place in this process (its limit of open files is too low).
    pub fn receive(
        &self,
        buffer: &mut [u8],
        descriptors: &mut Vec<Descriptor>,
    ) -> io::Result<usize> {
        let mut part = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        let mut control = Control { bytes: [0; 64] };
        let mut message = message(&mut part, &mut control, DESCRIPTORS);
        #[cfg(target_os = "linux")]
        let flags = libc::MSG_CMSG_CLOEXEC;
        #[cfg(not(target_os = "linux"))]
        let flags = 0;
        let count = loop {
            // SAFETY: what `message` names outlives the call and is ours to write.
            let count = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, flags) };
            match usize::try_from(count) {
                Ok(count) => break count,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        };
        // SAFETY: the kernel has filled the control buffer that `message` names.
        let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        while !header.is_null() {
            // SAFETY: a header that is not null lies whole within the control buffer.
            let fields = unsafe { &*header };
            if fields.cmsg_level == libc::SOL_SOCKET && fields.cmsg_type == libc::SCM_RIGHTS {
                // SAFETY: the data stand behind the header.
                let mut place: *const RawFd = unsafe { libc::CMSG_DATA(header) }.cast();
                // SAFETY: the macro's function only computes.
                let empty = unsafe { libc::CMSG_LEN(0) } as usize;
                let here = (fields.cmsg_len as usize).saturating_sub(empty) / size_of::<RawFd>();
                for _ in 0..here {
                    // SAFETY: the header says that so many descriptors follow.
                    let raw = unsafe { place.read_unaligned() };
                    // SAFETY: the descriptor is new in this process and nobody else's.
                    let owned = unsafe { OwnedFd::from_raw_fd(raw) };
                    #[cfg(not(target_os = "linux"))]
                    // SAFETY: no memory is passed.
                    unsafe {
                        libc::fcntl(raw, libc::F_SETFD, libc::FD_CLOEXEC)
                    };
                    descriptors.push(Descriptor(owned));
                    place = place.wrapping_add(1);
                }
            }
            // SAFETY: both are as the kernel left them.
            header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
        }
        if message.msg_flags & libc::MSG_CTRUNC != 0 {
            return Err(io::Error::other("no room for another descriptor"));
        }
        Ok(count)
    }

    /// Takes one byte; `None` at the end.
    ///
    /// # Errors
    /// When nothing comes in time.
    pub fn receive_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        loop {
            match (&self.0).read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(byte[0])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// A message of one part and a control buffer for `count` descriptors.
fn message(part: &mut libc::iovec, control: &mut Control, count: usize) -> libc::msghdr {
    assert!(count <= DESCRIPTORS);
    // SAFETY: `msghdr` is plain data for which zero is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut *control).cast();
    let length = (count * size_of::<RawFd>()) as libc::c_uint;
    // SAFETY: the macro's function only computes.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(length) } as _;
    message
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_descriptor_arrives_with_its_bytes_and_is_the_same_socket() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, theirs) = (Channel(ours), Channel(theirs));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        ours.send(b"plain", &[]).unwrap();
        ours.send(b"both", &[(&listener).into(), (&stream).into()])
            .unwrap();
        drop((listener, stream, ours));
        let mut buffer = [0; 64];
        let (mut got, mut descriptors) = (Vec::new(), Vec::new());
        loop {
            let count = theirs.receive(&mut buffer, &mut descriptors).unwrap();
            if count == 0 {
                break;
            }
            got.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(got, b"plainboth");
        let mut stream = descriptors.pop().unwrap().into_stream();
        let listener = descriptors.pop().unwrap().into_listener();
        assert!(descriptors.is_empty());
        caller.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    }
}

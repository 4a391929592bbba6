//! The handle: its settings, its last error, and who may use it now.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use p2pxfer_core::client::{Cancel, Endpoint, Hosts, Options, Report, Wait};
use p2pxfer_core::transfer::{Event, Place, Target, UserId};

use crate::boundary::{self, Buffer, Excess, Failure};
use crate::status::{P2PXFER_BAD_ARGUMENT, P2PXFER_BUSY, p2pxfer_status};

/// As a time: never, or without an end.
pub const P2PXFER_FOREVER: u32 = 0xffff_ffff;

/// Hears how a transfer goes, in the thread that runs it. `done` of `total` bytes were received, or,
/// for a sender, handed to the system to be sent; what the receiver had before counts as done. That all
/// were says nothing about what the receiver has, only P2PXFER_OK does. `total` is 0 while it is not
/// known, because a folder is not read to its end yet. Both are 0 before data moves; those calls come
/// before the relay's name is looked up, when a receiver begins to wait, when the peer is there, and
/// about once a second while a sender waits. Anything but 0 ends the transfer with P2PXFER_CANCELLED.
/// It may call p2pxfer_cancel() and the functions that take no handle; all others are P2PXFER_BUSY on
/// this handle.
#[expect(non_camel_case_types, reason = "the name that C sees")]
pub type p2pxfer_progress =
    Option<unsafe extern "C" fn(user: *mut c_void, done: u64, total: u64) -> c_int>;

/// Hears in words what happens, in the thread that runs the call: one line for each step, without an end of line, as
/// `send_r -v` says it. The line lives until this returns; its words may change with each version. What it may call is
/// what p2pxfer_progress may.
#[expect(non_camel_case_types, reason = "the name that C sees")]
pub type p2pxfer_log = Option<unsafe extern "C" fn(user: *mut c_void, line: *const c_char)>;

/// Settings for transfers and streams, and the result of the last transfer.
#[expect(non_camel_case_types, reason = "the name that C sees")]
#[derive(Debug)]
pub struct p2pxfer {
    /// Locked for as long as a call lasts, and never waited for.
    state: Mutex<State>,
    /// Locked for a moment only, so that to cancel needs no patience.
    running: Mutex<Option<Cancel>>,
}

/// What one call at a time may touch.
#[derive(Debug)]
pub(crate) struct State {
    user: Option<UserId>,
    hosts: Option<Hosts>,
    port: Option<u16>,
    /// The times; user, host and port come from above.
    connect_timeout: Option<Duration>,
    idle_timeout: Option<Option<Duration>>,
    wait: Wait,
    progress: p2pxfer_progress,
    progress_user: *mut c_void,
    log: p2pxfer_log,
    log_user: *mut c_void,
    pub(crate) place: Place,
    pub(crate) options: Options,
    pub(crate) require_secret: bool,
    /// What the last transfer came to, and the text that it brought.
    pub(crate) report: Report,
    pub(crate) text: Vec<u8>,
    last_error: String,
}

impl State {
    fn new() -> Self {
        Self {
            user: None,
            hosts: None,
            port: None,
            connect_timeout: None,
            idle_timeout: None,
            wait: Wait::Usual,
            progress: None,
            progress_user: std::ptr::null_mut(),
            log: None,
            log_user: std::ptr::null_mut(),
            place: Place::default(),
            options: Options::default(),
            require_secret: false,
            report: Report::default(),
            text: Vec::new(),
            last_error: String::new(),
        }
    }

    /// Where to meet, when enough is known.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Failure> {
        let missing = |what| move || Failure::bad(format!("the {what} is not set"));
        let user = self.user.clone().ok_or_else(missing("user id"))?;
        let hosts = self.hosts.clone().ok_or_else(missing("host"))?;
        let port = self.port.ok_or_else(missing("port"))?;
        let mut endpoint = Endpoint::new(user, hosts, port);
        if let Some(timeout) = self.connect_timeout {
            endpoint.connect_timeout = timeout;
        }
        if let Some(timeout) = self.idle_timeout {
            endpoint.idle_timeout = timeout;
        }
        endpoint.wait = self.wait;
        Ok(endpoint)
    }

    /// What tells the caller's functions what happens until a stream is there.
    pub(crate) fn observer(&self) -> impl FnMut(Event<'_>) -> ControlFlow<()> + use<> {
        let teller = self.teller();
        move |event| {
            teller.hear(&event);
            match teller.tell(0, 0) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }

    /// What tells the caller's functions how it goes.
    pub(crate) fn teller(&self) -> Teller {
        Teller {
            progress: self.progress.map(|progress| (progress, self.progress_user)),
            log: self.log.map(|log| (log, self.log_user)),
        }
    }
}

/// The caller's functions, and what each gets.
pub(crate) struct Teller {
    progress: Option<(
        unsafe extern "C" fn(*mut c_void, u64, u64) -> c_int,
        *mut c_void,
    )>,
    log: Option<(
        unsafe extern "C" fn(*mut c_void, *const c_char),
        *mut c_void,
    )>,
}

impl Teller {
    /// Says how far a transfer is; `true` when the caller wants no more.
    pub(crate) fn tell(&self, done: u64, total: u64) -> bool {
        self.progress.is_some_and(|(progress, user)| {
            // SAFETY: the caller gave both for each other, and promised that the function returns.
            unsafe { progress(user, done, total) != 0 }
        })
    }

    /// Says in words what happened.
    pub(crate) fn hear(&self, event: &Event<'_>) {
        let Some((log, user)) = self.log else {
            return;
        };
        if matches!(event, Event::Progress { .. } | Event::Text { .. }) {
            return;
        }
        // What comes from the net is escaped, so no NUL is in it.
        if let Ok(line) = CString::new(event.to_string()) {
            // SAFETY: as above, and the line lives until the function returns.
            unsafe { log(user, line.as_ptr()) };
        }
    }
}

impl p2pxfer {
    /// The state, unless another call has it. A lock that a panic poisoned is as good as any: the
    /// state is whole after every statement.
    pub(crate) fn state(&self) -> Result<MutexGuard<'_, State>, p2pxfer_status> {
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(P2PXFER_BUSY),
        }
    }

    /// The way to stop the transfer that runs, if one does.
    pub(crate) fn running(&self) -> MutexGuard<'_, Option<Cancel>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `call` have the state, and keeps what it failed of.
    pub(crate) fn call(
        &self,
        call: impl FnOnce(&mut State) -> Result<(), Failure>,
    ) -> Result<(), p2pxfer_status> {
        let mut state = self.state()?;
        let result = boundary::contain(|| call(&mut state)).and_then(|result| result);
        state.last_error.clear();
        result.map_err(|failure| {
            state.last_error = failure.details;
            failure.status
        })
    }
}

/// The body of a setter.
///
/// # Safety
/// `handle` is NULL or a handle.
pub(crate) unsafe fn set(
    handle: *mut p2pxfer,
    setter: impl FnOnce(&mut State) -> Result<(), Failure>,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: as the caller promises.
        let handle = unsafe { boundary::target(handle) }?;
        handle.call(setter)
    })
}

/// Makes a handle and puts it into `*out`, to be given back to p2pxfer_free(). NULL is put there
/// when this fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_new(out: *mut *mut p2pxfer) -> p2pxfer_status {
    boundary::status(|| {
        if out.is_null() {
            return Err(P2PXFER_BAD_ARGUMENT);
        }
        // SAFETY: it is not NULL, so it points to a pointer of the caller's.
        unsafe { out.write(std::ptr::null_mut()) };
        let handle = Box::new(p2pxfer {
            state: Mutex::new(State::new()),
            running: Mutex::new(None),
        });
        // SAFETY: as above.
        unsafe { out.write(Box::into_raw(handle)) };
        Ok(())
    })
}

/// Frees a handle, which must not be used after that; NULL is fine. While a call on the handle runs,
/// it is P2PXFER_BUSY and nothing is freed. No other thread may be inside p2pxfer_cancel().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_free(handle: *mut p2pxfer) -> p2pxfer_status {
    boundary::status(|| {
        if handle.is_null() {
            return Ok(());
        }
        // SAFETY: it is not NULL, so it is a handle.
        drop(unsafe { boundary::target(handle) }?.state()?);
        // SAFETY: p2pxfer_new made it from a box, and no call has it.
        drop(unsafe { Box::from_raw(handle) });
        Ok(())
    })
}

/// Sets the name under which the two hosts meet: 1 to 255 bytes, no '$', no control characters.
/// Needed before a transfer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_user_id(
    handle: *mut p2pxfer,
    user_id: *const c_char,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        // SAFETY: the caller passes NULL or a string.
        let bytes = unsafe { boundary::bytes(user_id, "the user id") }?;
        let user = UserId::new(bytes).map_err(|error| Failure::bad(error.to_string()))?;
        state.user = Some(user);
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets the host of the relay: a name, an IPv4 address, or an IPv6 address with or without brackets,
/// in UTF-8. Several are separated by commas, and each may have a port of its own, as in
/// "a.example,b.example:9001,[::1]:9000": the user id decides which one serves, and the next takes over
/// when that is down. Both sides have to name the same ones. Needed before a transfer.
///
/// Each connection looks a name up with the system's resolver, in the thread of the transfer, and
/// tries its addresses one after the other. A look-up takes as long as the system lets it: no timeout
/// of ours and no p2pxfer_cancel() ends it. An address needs none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_host(
    handle: *mut p2pxfer,
    host: *const c_char,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        // SAFETY: the caller passes NULL or a string.
        let bytes = unsafe { boundary::bytes(host, "the host") }?;
        let hosts = boundary::text(bytes, "the host")?.parse::<Hosts>();
        state.hosts = Some(hosts.map_err(|error| Failure::bad(error.to_string()))?);
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets the TCP port of the relays that have none of their own, 1 to 65535. Needed before a transfer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_port(handle: *mut p2pxfer, port: u32) -> p2pxfer_status {
    let setter = |state: &mut State| match u16::try_from(port) {
        Ok(port @ 1..) => {
            state.port = Some(port);
            Ok(())
        }
        _ => Err(Failure::bad("the port is not from 1 to 65535")),
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets how long each address of the relay may take to accept a connection, and the relay to
/// answer a sender: at least 1 millisecond, and not P2PXFER_FOREVER. 30,000 unless set; with several
/// relays at most 10,000.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_connect_timeout(
    handle: *mut p2pxfer,
    milliseconds: u32,
) -> p2pxfer_status {
    let setter = |state: &mut State| match milliseconds {
        0 | P2PXFER_FOREVER => Err(Failure::bad(
            "the connect timeout is 0, or without an end: give milliseconds",
        )),
        _ => {
            state.connect_timeout = Some(duration(milliseconds));
            Ok(())
        }
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets after how long a silence of the peer, during the transfer, the connection counts as lost: at
/// least 1 millisecond, or P2PXFER_FOREVER for never. 60,000 unless set. The peer has no more time than
/// that, 2,000 at least and 60,000 where it is never, to say who it is. Once a sender has handed all
/// of the file to the system, it waits ten times as long for the receiver's last answer: much of the
/// file may still be on its way, where nobody sees it move.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_idle_timeout(
    handle: *mut p2pxfer,
    milliseconds: u32,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.idle_timeout = Some(match milliseconds {
            0 => {
                return Err(Failure::bad(
                    "the idle timeout is 0: give milliseconds, or P2PXFER_FOREVER for none",
                ));
            }
            P2PXFER_FOREVER => None,
            _ => Some(duration(milliseconds)),
        });
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets how long to wait for the peer to come, in milliseconds, or P2PXFER_FOREVER. A sender that
/// waits calls about once a second; with 0 it calls once. A receiver's time begins when it has reached
/// the relay. Unless set, a sender calls once and a receiver waits without an end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_wait(
    handle: *mut p2pxfer,
    milliseconds: u32,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.wait = match milliseconds {
            P2PXFER_FOREVER => Wait::Forever,
            _ => Wait::For(duration(milliseconds)),
        };
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets who hears how a transfer goes, and what it gets as `user`, which is only passed on. NULL for
/// nobody, as it is unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_progress(
    handle: *mut p2pxfer,
    progress: p2pxfer_progress,
    user: *mut c_void,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.progress = progress;
        state.progress_user = user;
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets who hears in words what happens, and what it gets as `user`, which is only passed on. NULL for nobody, as it is
/// unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_log(
    handle: *mut p2pxfer,
    log: p2pxfer_log,
    user: *mut c_void,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.log = log;
        state.log_user = user;
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets the folder that received files are put in. It must exist when a transfer begins. The
/// current folder unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_output_folder(
    handle: *mut p2pxfer,
    folder: *const c_char,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        // SAFETY: the caller passes NULL or a string.
        let folder = unsafe { boundary::path(folder, "the output folder") }?;
        // With a separator at its end a path means a folder only, never a file that is not there yet
        // or a FIFO, whose reader could leave and raise SIGPIPE.
        state.place.target = Target::Path(folder.join(""));
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets the file that what is received is put into, whatever the sender calls it, in place of a folder: one file or
/// folder is taken then and not more. The folder that it is in must exist when a transfer begins. P2PXFER_BAD_ARGUMENT
/// when there is something of that name that is no file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_output_file(
    handle: *mut p2pxfer,
    file: *const c_char,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        // SAFETY: the caller passes NULL or a string.
        let path = unsafe { boundary::path(file, "the output file") }?;
        // To write into a FIFO, whose reader could leave, may raise SIGPIPE; p2pxfer_recv_stream() is for that.
        let other = std::fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file());
        if other || path.file_name().is_none() {
            return Err(Failure::bad("the output file is something that is no file"));
        }
        state.place.target = Target::Path(path);
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets whether a received file replaces one of its name: 0 for no, as it is unless set; the new
/// one becomes "NAME (1).EXT" then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_overwrite(
    handle: *mut p2pxfer,
    overwrite: c_int,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.place.overwrite = overwrite != 0;
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Fills `buffer` with what was wrong in the last setter or transfer on this handle, for a person to
/// read; empty when nothing was. What does not fit is cut off. Returns the length of the whole text
/// in bytes, without the NUL, or a negative p2pxfer_status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_last_error(
    handle: *const p2pxfer,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    boundary::length(|| {
        // SAFETY: the caller passes NULL or a buffer of that size.
        let buffer = unsafe { Buffer::new(buffer, size) }?;
        // SAFETY: the caller passes NULL or a handle.
        let state = unsafe { boundary::target(handle) }?.state()?;
        Ok(buffer.fill(state.last_error.as_bytes(), Excess::Cut))
    })
}

/// For how long something goes on when nothing but "for ever" was said: 68 years, which every system can
/// count.
pub(crate) const ENDLESS: Duration = Duration::from_secs(i32::MAX as u64);

pub(crate) fn duration(milliseconds: u32) -> Duration {
    Duration::from_millis(milliseconds.into())
}

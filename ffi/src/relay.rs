//! A relay in the process.

use std::ffi::c_char;
use std::io;
use std::mem;
use std::net::IpAddr;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use p2pxfer_core::relay::{Backend, Config, Control, Limits, Relay, Stats};
use p2pxfer_core::sys::signal;

use crate::boundary;
use crate::handle::{ENDLESS, P2PXFER_FOREVER, duration};
use crate::status::{P2PXFER_BAD_ARGUMENT, P2PXFER_FAILED, P2PXFER_INTERNAL, p2pxfer_status};

/// How many connections it has at once: the host needs descriptors too. One source can make trouble
/// for itself, not for the others.
const CONNECTIONS: usize = 1000;
const SHARE: usize = CONNECTIONS / 4;
const ARRIVALS: u64 = 1000;

/// A relay that runs in threads of its own.
#[expect(non_camel_case_types, reason = "the name that C sees")]
#[derive(Debug)]
pub struct p2pxfer_relay {
    port: u16,
    control: Control,
    stats: Arc<Stats>,
    course: Mutex<Course>,
}

/// Whoever waits for the thread has this locked until then.
#[derive(Debug)]
enum Course {
    Runs(JoinHandle<io::Result<()>>),
    Ended(Result<(), p2pxfer_status>),
}

/// Numbers that a relay has, for p2pxfer_relay_get(). Those that count begin at 0 with the relay.
#[expect(non_camel_case_types, reason = "the names that C sees")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum p2pxfer_relay_number {
    /// Connections that are open.
    P2PXFER_RELAY_CONNECTIONS = 1,
    /// Listeners that wait.
    P2PXFER_RELAY_LISTENERS = 2,
    /// Pairs that run.
    P2PXFER_RELAY_PAIRS = 3,
    /// Connections that came, so far.
    P2PXFER_RELAY_ACCEPTED = 4,
    /// Connections that were refused, so far: nobody waited, it was no hello, or there were too many.
    P2PXFER_RELAY_REFUSED = 5,
    /// Callers that found a listener, so far.
    P2PXFER_RELAY_MATCHES = 6,
    /// Bytes from listeners that were given to callers, so far.
    P2PXFER_RELAY_LISTENER_BYTES = 7,
    /// Bytes from callers that were given to listeners, so far.
    P2PXFER_RELAY_CALLER_BYTES = 8,
}

use p2pxfer_relay_number::*;

/// What can be set about a relay, for p2pxfer_relay_start_with(). Times are in milliseconds, or P2PXFER_FOREVER for
/// never. 0 stands for no limit, or for never, where nothing else is said. A source is an IPv4 address or an IPv6 /56.
#[expect(non_camel_case_types, reason = "the names that C sees")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum p2pxfer_relay_option {
    /// How long a connection may take to say what it wants: 10,000 unless set, at least 1 and not P2PXFER_FOREVER.
    P2PXFER_RELAY_SET_HELLO_TIMEOUT = 1,
    /// After how long a silence a pair is ended: 0 unless set.
    P2PXFER_RELAY_SET_IDLE_TIMEOUT = 2,
    /// After how long a silence, once one side has ended, the other one is ended: 30,000 unless set, at least 1 and
    /// not P2PXFER_FOREVER.
    P2PXFER_RELAY_SET_HALF_CLOSE = 3,
    /// Connections at once: 1,000 unless set; more wait in the kernel.
    P2PXFER_RELAY_SET_CONNECTIONS = 4,
    /// Connections at once from one source: 250 unless set.
    P2PXFER_RELAY_SET_SOURCE_CONNECTIONS = 5,
    /// Listeners of one source that wait at once: 250 unless set.
    P2PXFER_RELAY_SET_SOURCE_LISTENERS = 6,
    /// New connections a second from one source, after a burst of four times as many: 1,000 unless set.
    P2PXFER_RELAY_SET_SOURCE_RATE = 7,
    /// Bytes a second that one source may send: 0 unless set.
    P2PXFER_RELAY_SET_SOURCE_BYTES = 8,
    /// Bytes a second of one pair: 0 unless set.
    P2PXFER_RELAY_SET_PAIR_BYTES = 9,
    /// 1 for two threads a pair, as where there is nothing better; 0, as it is unless set, for the best that this system
    /// has.
    P2PXFER_RELAY_SET_THREADS = 10,
}

use p2pxfer_relay_option::*;

/// A setting of a relay: one of p2pxfer_relay_option, and its value.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct p2pxfer_relay_setting {
    /// Which.
    pub option: u32,
    /// Its value.
    pub value: u64,
}

/// Starts a relay that listens on `port`, 0 for a free one, of `address`, an IPv4 or IPv6 address of
/// this machine without brackets, or NULL for all of them; puts it into `*out`, to be given back to
/// p2pxfer_relay_stop(). It serves in threads of its own, in which no signal is handled, until then:
/// at most 1,000 connections at once, 250 of them from one source, an IPv4 address or an IPv6 /56.
/// P2PXFER_FAILED when the port is in use, the address is not this machine's, or there are no
/// descriptors or threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_relay_start(
    address: *const c_char,
    port: u32,
    out: *mut *mut p2pxfer_relay,
) -> p2pxfer_status {
    // SAFETY: the caller passes NULL or a string, and NULL or a pointer's place; there are no settings.
    unsafe { p2pxfer_relay_start_with(address, port, std::ptr::null(), 0, out) }
}

/// As p2pxfer_relay_start(), with `count` settings; the last one of an option counts. `settings` may be NULL when `count`
/// is 0. P2PXFER_BAD_ARGUMENT when an option is unknown or has no such value, or there are more than 1,000 settings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_relay_start_with(
    address: *const c_char,
    port: u32,
    settings: *const p2pxfer_relay_setting,
    count: usize,
    out: *mut *mut p2pxfer_relay,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a pointer's place.
        unsafe { boundary::give(out, std::ptr::null_mut()) }?;
        let settings = match (settings.is_null(), count) {
            (_, 0) => &[],
            // SAFETY: it is not NULL, so there are `count` settings, no more than memory can have.
            (false, ..=SETTINGS_MAX) => unsafe { slice::from_raw_parts(settings, count) },
            _ => return Err(P2PXFER_BAD_ARGUMENT),
        };
        // SAFETY: the caller passes NULL or a string.
        let bind = unsafe { parse(address) }?;
        let port = u16::try_from(port).map_err(|_| P2PXFER_BAD_ARGUMENT)?;
        let mut config = usual();
        config.bind = bind;
        settings.iter().try_for_each(|it| set(&mut config, it))?;
        let relay = start(config, port).map_err(|_| P2PXFER_FAILED)?;
        // SAFETY: it is not NULL, or `give` had failed.
        unsafe { out.write(Box::into_raw(Box::new(relay))) };
        Ok(())
    })
}

/// The TCP port that the relay listens on, or a negative p2pxfer_status. From any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_relay_port(relay: *const p2pxfer_relay) -> i32 {
    boundary::length(|| {
        // SAFETY: the caller passes NULL or a relay.
        let relay = unsafe { boundary::target(relay) }?;
        Ok(relay.port.into())
    })
}

/// Puts a number of the relay, one of p2pxfer_relay_number, into `*out`. From any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_relay_get(
    relay: *const p2pxfer_relay,
    number: u32,
    out: *mut u64,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a relay.
        let numbers = unsafe { boundary::target(relay) }?.stats.snapshot();
        let refused = numbers.refusals.iter().map(|(_, count)| count);
        let value = match number {
            _ if number == P2PXFER_RELAY_CONNECTIONS as u32 => numbers.connections,
            _ if number == P2PXFER_RELAY_LISTENERS as u32 => numbers.listeners,
            _ if number == P2PXFER_RELAY_PAIRS as u32 => numbers.pairs,
            _ if number == P2PXFER_RELAY_ACCEPTED as u32 => numbers.accepted,
            _ if number == P2PXFER_RELAY_REFUSED as u32 => refused.sum(),
            _ if number == P2PXFER_RELAY_MATCHES as u32 => numbers.matches,
            _ if number == P2PXFER_RELAY_LISTENER_BYTES as u32 => numbers.listener_bytes,
            _ if number == P2PXFER_RELAY_CALLER_BYTES as u32 => numbers.caller_bytes,
            _ => return Err(P2PXFER_BAD_ARGUMENT),
        };
        // SAFETY: the caller passes NULL or a number of its own.
        unsafe { boundary::give(out, value) }
    })
}

/// Has the relay take no new connection and close who waits there, lets the pairs that run go on for at most
/// `milliseconds`, or P2PXFER_FOREVER, then resets them, and returns when there is none left. Its numbers can still be
/// read; give it back to p2pxfer_relay_stop(). From any thread, also while another one is in this call: the time that
/// is said last counts for both, and 0 ends it. P2PXFER_FAILED as p2pxfer_relay_stop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_relay_drain(
    relay: *const p2pxfer_relay,
    milliseconds: u32,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a relay.
        let relay = unsafe { boundary::target(relay) }?;
        relay.control.drain(match milliseconds {
            P2PXFER_FOREVER => ENDLESS,
            _ => duration(milliseconds),
        });
        relay.await_end()
    })
}

/// Ends the relay, resets the pairs that run, waits until its threads are done, and frees it; NULL is
/// fine. P2PXFER_FAILED when it had ended before, because the machine left it no way to go on; it is
/// freed even so. No other thread may be inside a call on this relay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_relay_stop(relay: *mut p2pxfer_relay) -> p2pxfer_status {
    boundary::status(|| {
        if relay.is_null() {
            return Ok(());
        }
        // SAFETY: it is not NULL, so p2pxfer_relay_start made it from a box, and no call has it.
        let relay = unsafe { Box::from_raw(relay) };
        relay.control.end();
        relay.await_end()
    })
}

impl p2pxfer_relay {
    /// Waits until its threads are done: how it ended.
    fn await_end(&self) -> Result<(), p2pxfer_status> {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *course, Course::Ended(Ok(())));
        let ended = match before {
            Course::Ended(ended) => ended,
            Course::Runs(thread) => match thread.join() {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(P2PXFER_FAILED),
                Err(_) => Err(P2PXFER_INTERNAL),
            },
        };
        *course = Course::Ended(ended);
        ended
    }
}

/// Nobody means more.
const SETTINGS_MAX: usize = 1000;

fn usual() -> Config {
    let limits = Limits {
        connections: Some(CONNECTIONS),
        source_connections: Some(SHARE),
        source_listeners: Some(SHARE),
        source_arrivals: Some(ARRIVALS),
        ..Limits::default()
    };
    Config {
        limits,
        ..Config::default()
    }
}

fn set(config: &mut Config, setting: &p2pxfer_relay_setting) -> Result<(), p2pxfer_status> {
    let &p2pxfer_relay_setting { option, value } = setting;
    let rate = (value > 0).then_some(value);
    // What is more than can be counted is no limit.
    let count = rate.and_then(|rate| usize::try_from(rate).ok());
    let never_or = || match u32::try_from(value) {
        Ok(0 | P2PXFER_FOREVER) => Ok(None),
        Ok(milliseconds) => Ok(Some(duration(milliseconds))),
        Err(_) => Err(P2PXFER_BAD_ARGUMENT),
    };
    let time = || never_or()?.ok_or(P2PXFER_BAD_ARGUMENT);
    let limits = &mut config.limits;
    match option {
        _ if option == P2PXFER_RELAY_SET_HELLO_TIMEOUT as u32 => config.hello_timeout = time()?,
        _ if option == P2PXFER_RELAY_SET_IDLE_TIMEOUT as u32 => config.idle_timeout = never_or()?,
        _ if option == P2PXFER_RELAY_SET_HALF_CLOSE as u32 => config.half_close = time()?,
        _ if option == P2PXFER_RELAY_SET_CONNECTIONS as u32 => limits.connections = count,
        _ if option == P2PXFER_RELAY_SET_SOURCE_CONNECTIONS as u32 => {
            limits.source_connections = count;
        }
        _ if option == P2PXFER_RELAY_SET_SOURCE_LISTENERS as u32 => limits.source_listeners = count,
        _ if option == P2PXFER_RELAY_SET_SOURCE_RATE as u32 => limits.source_arrivals = rate,
        _ if option == P2PXFER_RELAY_SET_SOURCE_BYTES as u32 => limits.source_bytes = rate,
        _ if option == P2PXFER_RELAY_SET_PAIR_BYTES as u32 => limits.pair_bytes = rate,
        _ if option == P2PXFER_RELAY_SET_THREADS as u32 => {
            config.backend = match value {
                0 => Backend::ALL[0],
                1 => Backend::Threads,
                _ => return Err(P2PXFER_BAD_ARGUMENT),
            };
        }
        _ => return Err(P2PXFER_BAD_ARGUMENT),
    }
    Ok(())
}

fn start(config: Config, port: u16) -> io::Result<p2pxfer_relay> {
    let relay = Relay::bind(port, config)?;
    let (control, stats) = (relay.control(), relay.stats());
    let port = relay.local_addr()?.port();
    let thread = thread::Builder::new()
        .name("p2pxfer relay".into())
        .spawn(move || {
            // The host's handlers run in the host's threads, and to splice into a connection that is
            // gone raises SIGPIPE.
            signal::block_all();
            relay.run(&|_| ())
        })?;
    Ok(p2pxfer_relay {
        port,
        control,
        stats,
        course: Mutex::new(Course::Runs(thread)),
    })
}

/// # Safety
/// `address` is NULL or points to a string that ends with a NUL.
unsafe fn parse(address: *const c_char) -> Result<Option<IpAddr>, p2pxfer_status> {
    if address.is_null() {
        return Ok(None);
    }
    let what = "the address";
    // SAFETY: as the caller promises.
    let bytes = unsafe { boundary::bytes(address, what) }.map_err(|failure| failure.status)?;
    let text = boundary::text(bytes, what).map_err(|failure| failure.status)?;
    text.parse().map(Some).map_err(|_| P2PXFER_BAD_ARGUMENT)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn with(option: p2pxfer_relay_option, value: u64) -> Result<Config, p2pxfer_status> {
        let mut config = usual();
        let option = option as u32;
        set(&mut config, &p2pxfer_relay_setting { option, value })?;
        Ok(config)
    }

    #[test]
    fn for_ever_as_a_time_is_never_or_refused() {
        let forever = u64::from(P2PXFER_FOREVER);
        let idle = |value| with(P2PXFER_RELAY_SET_IDLE_TIMEOUT, value).map(|it| it.idle_timeout);
        assert_eq!(idle(forever), Ok(None));
        assert_eq!(idle(0), Ok(None));
        let longest = Duration::from_millis(forever - 1);
        assert_eq!(idle(forever - 1), Ok(Some(longest)));
        for option in [
            P2PXFER_RELAY_SET_HELLO_TIMEOUT,
            P2PXFER_RELAY_SET_HALF_CLOSE,
        ] {
            for value in [0, forever, forever + 1] {
                assert_eq!(with(option, value).err(), Some(P2PXFER_BAD_ARGUMENT));
            }
            assert!(with(option, forever - 1).is_ok());
        }
    }
}

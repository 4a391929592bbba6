//! A relay in the process.

use std::ffi::c_char;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use p2pxfer_core::relay::{Config, Control, Limits, Relay, Stats};
use p2pxfer_core::sys::signal;

use crate::boundary;
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
    thread: JoinHandle<io::Result<()>>,
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
    boundary::status(|| {
        if out.is_null() {
            return Err(P2PXFER_BAD_ARGUMENT);
        }
        // SAFETY: it is not NULL, so it points to a pointer of the caller's.
        unsafe { out.write(std::ptr::null_mut()) };
        // SAFETY: the caller passes NULL or a string.
        let bind = unsafe { parse(address) }?;
        let port = u16::try_from(port).map_err(|_| P2PXFER_BAD_ARGUMENT)?;
        let relay = start(bind, port).map_err(|_| P2PXFER_FAILED)?;
        // SAFETY: as above.
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
        match relay.thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(P2PXFER_FAILED),
            Err(_) => Err(P2PXFER_INTERNAL),
        }
    })
}

fn start(bind: Option<IpAddr>, port: u16) -> io::Result<p2pxfer_relay> {
    let limits = Limits {
        connections: Some(CONNECTIONS),
        source_connections: Some(SHARE),
        source_listeners: Some(SHARE),
        source_arrivals: Some(ARRIVALS),
        ..Limits::default()
    };
    let config = Config {
        bind,
        limits,
        ..Config::default()
    };
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
        thread,
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

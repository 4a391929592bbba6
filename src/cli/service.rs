//! A service manager's side of the relay: the socket that it passes, and what it is told
//! (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)).

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use crate::sys::service;

/// Tells the service manager how the relay is; says nothing when there is none.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    address: Option<OsString>,
}

impl Manager {
    /// The one of this process's environment.
    pub(super) fn from_environment() -> Self {
        Self {
            address: std::env::var_os("NOTIFY_SOCKET"),
        }
    }

    /// Whether there is one.
    pub(super) fn listens(&self) -> bool {
        self.address.is_some()
    }

    /// It serves.
    pub(super) fn ready(&self) {
        self.say(|| "READY=1".into());
    }

    /// From now on it is this process; the end of the one before is not the service's.
    pub(super) fn moved(&self) {
        self.say(|| format!("MAINPID={}", std::process::id()));
    }

    /// Another process is about to take its place.
    pub(super) fn reloading(&self) {
        self.say(|| {
            let now = service::monotonic_microseconds();
            format!("RELOADING=1\nMONOTONIC_USEC={now}")
        });
    }

    /// It is about to end.
    pub(super) fn stopping(&self) {
        self.say(|| "STOPPING=1".into());
    }

    /// It lives.
    pub(super) fn watchdog(&self) {
        self.say(|| "WATCHDOG=1".into());
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if let Some(address) = &self.address {
            // A manager that does not hear is no reason not to serve.
            let _ = service::notify(address, &what());
        }
    }
}

/// Within which time the manager wants to hear that this process lives.
pub(super) fn watchdog() -> Option<Duration> {
    let read = |name| std::env::var_os(name);
    within(read("WATCHDOG_USEC"), read("WATCHDOG_PID"))
}

fn within(microseconds: Option<OsString>, process: Option<OsString>) -> Option<Duration> {
    let time = number(&microseconds?)?;
    let ours = process.is_none_or(|process| number(&process) == Some(std::process::id().into()));
    Some(Duration::from_micros(time)).filter(|time| ours && !time.is_zero())
}

/// The listening socket that the manager passed to this process.
///
/// # Errors
/// When it passed several, or something else.
pub(super) fn listener() -> io::Result<Option<TcpListener>> {
    let read = |name| std::env::var_os(name);
    match passed(read("LISTEN_PID"), read("LISTEN_FDS")) {
        0 => Ok(None),
        1 => service::passed_listener().map(Some),
        count => Err(io::Error::other(format!(
            "{count} sockets were passed, and one is served: give each its own relay"
        ))),
    }
}

/// Whether it passed one.
pub(super) fn passes_listener() -> bool {
    passed(
        std::env::var_os("LISTEN_PID"),
        std::env::var_os("LISTEN_FDS"),
    ) > 0
}

/// How many sockets were passed to this process, and not to another that left us its environment.
fn passed(process: Option<OsString>, count: Option<OsString>) -> u64 {
    let process = process.and_then(|process| number(&process));
    let count = count.and_then(|count| number(&count));
    match process {
        Some(process) if process == u64::from(std::process::id()) => count.unwrap_or(0),
        _ => 0,
    }
}

fn number(text: &OsStr) -> Option<u64> {
    text.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<OsString> {
        Some(text.into())
    }

    #[test]
    fn only_what_is_meant_for_this_process_counts() {
        let us = std::process::id().to_string();
        let other = (std::process::id() + 1).to_string();
        assert_eq!(passed(some(&us), some("1")), 1);
        assert_eq!(passed(some(&us), some("2")), 2);
        for (process, count) in [
            (some(&other), some("1")),
            (None, some("1")),
            (some(&us), None),
            (some(&us), some("x")),
            (some(""), some("1")),
        ] {
            assert_eq!(passed(process, count), 0);
        }
        let second = Some(Duration::from_secs(1));
        assert_eq!(within(some("1000000"), some(&us)), second);
        assert_eq!(within(some("1000000"), None), second);
        for (time, process) in [
            (some("1000000"), some(&other)),
            (some("0"), None),
            (some("-1"), None),
            (None, some(&us)),
        ] {
            assert_eq!(within(time, process), None);
        }
    }
}

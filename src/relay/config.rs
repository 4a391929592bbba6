//! What an operator can set.

use std::net::IpAddr;
use std::time::Duration;

use super::Network;

/// How the relay does its I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// One event loop a core; bytes move inside the kernel.
    #[cfg(all(target_os = "linux", feature = "libc"))]
    Epoll,
    /// Blocking threads, two a pair; works everywhere.
    Threads,
}

impl Backend {
    /// The backends of this build, the default first.
    pub const ALL: &[Self] = &[
        #[cfg(all(target_os = "linux", feature = "libc"))]
        Self::Epoll,
        Self::Threads,
    ];

    /// The name that the command line knows it by.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(all(target_os = "linux", feature = "libc"))]
            Self::Epoll => "epoll",
            Self::Threads => "threads",
        }
    }
}

/// The relay's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on; `None` is every address, IPv6 and IPv4.
    pub bind: Option<IpAddr>,
    /// How to do I/O.
    pub backend: Backend,
    /// How long a connection may take, from its accept, to say what it wants.
    pub hello_timeout: Duration,
    /// After how long without a byte in either direction a pair is ended; `None` is never.
    pub idle_timeout: Option<Duration>,
    /// After one side has ended: how long nothing may move before the other is ended too.
    pub half_close: Duration,
    /// How much there may be of what.
    pub limits: Limits,
    /// The balancers: when there are any, connections come from them only, and each begins with a
    /// header of the PROXY protocol, version 2.
    pub proxy_from: Vec<Network>,
}

/// How much there may be of what; `None` is no limit. A source is an IPv4 address or the /56 of an
/// IPv6 address.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Connections at once; at the limit new ones wait in the kernel.
    pub connections: Option<usize>,
    /// Connections at once from one source.
    pub source_connections: Option<usize>,
    /// New connections a second from one source, after a burst of four seconds' worth.
    pub source_arrivals: Option<u64>,
    /// Waiting listeners at once from one source.
    pub source_listeners: Option<usize>,
    /// Bytes a second that all connections from one source may send together.
    pub source_bytes: Option<u64>,
    /// Bytes a second of one pair, both directions together.
    pub pair_bytes: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: None,
            backend: Backend::ALL[0],
            hello_timeout: Duration::from_secs(10),
            idle_timeout: None,
            half_close: Duration::from_secs(30),
            limits: Limits::default(),
            proxy_from: Vec::new(),
        }
    }
}

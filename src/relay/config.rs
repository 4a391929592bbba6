//! What an operator can set.

use std::net::IpAddr;
use std::time::Duration;

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
    /// How many connections there may be at once; `None` is as many as there are descriptors.
    pub max_connections: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: None,
            backend: Backend::ALL[0],
            hello_timeout: Duration::from_secs(10),
            idle_timeout: None,
            half_close: Duration::from_secs(30),
            max_connections: None,
        }
    }
}

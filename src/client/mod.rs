//! The jobs over sockets: reach the relay, meet the peer, run the transfer.
//!
//! [`send`] and [`receive`] block until all has crossed or an error says why not; [`stream`] gives the
//! connected socket instead, for any protocol, and [`sealed`] one that a secret seals. A [`Cancel`] ends them from any other thread.

mod cancel;
mod connection;
mod dial;
mod hosts;
mod jobs;
mod meeting;
mod negotiate;
mod options;
mod reconnect;
mod rendezvous;
pub mod sealed;
pub mod stream;

use std::time::Duration;

pub use self::cancel::Cancel;
pub use self::hosts::{Hosts, HostsError};
pub use self::jobs::{Sent, receive, recv_file, send, send_file};
pub use self::options::{Accept, Options, RECONNECT};
use crate::transfer::UserId;
pub use crate::transfer::tree::Argument;
pub use crate::transfer::{Received, Report};

/// Where and under which name two hosts meet, and for how long they try.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The name.
    pub user: UserId,
    /// The relay, or several; both sides have to name the same ones in the same words.
    pub hosts: Hosts,
    /// The TCP port of the relays that name no other.
    pub port: u16,
    /// How long each address of a relay may take to accept a connection, and the relay to answer; with
    /// several relays no longer than 10 s.
    pub connect_timeout: Duration,
    /// After how long a silence of the peer the connection counts as lost; `None` for never. The
    /// receiver's verdict may take ten times as long.
    pub idle_timeout: Option<Duration>,
    /// How long to wait for the peer to come.
    pub wait: Wait,
}

/// How long to wait for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A sender calls once, a receiver waits without an end.
    Usual,
    /// As long as this; a sender calls about once a second, also through a restart of the relay.
    For(Duration),
    /// Without an end; a sender calls about once a second.
    Forever,
}

impl Endpoint {
    /// An endpoint with the usual times: 30 s to connect, 60 s of silence, [`Wait::Usual`].
    pub fn new(user: UserId, hosts: Hosts, port: u16) -> Self {
        Self {
            user,
            hosts,
            port,
            connect_timeout: Duration::from_secs(30),
            idle_timeout: Some(Duration::from_secs(60)),
            wait: Wait::Usual,
        }
    }
}

//! What happens in a relay, one value an event.

use std::net::SocketAddr;

use crate::wire::{HelloError, IdError, ProxyError, UserId};

/// Something that an operator may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A listener waits.
    Registered {
        /// Under this id.
        id: &'a UserId,
        /// Its address.
        from: SocketAddr,
    },
    /// A caller found a listener; they are a pair now.
    Matched {
        /// Under this id.
        id: &'a UserId,
        /// The listener's address.
        listener: SocketAddr,
        /// The caller's address.
        caller: SocketAddr,
    },
    /// A connection was answered `X`.
    Refused {
        /// Its address.
        from: SocketAddr,
        /// The id that it named, if it got so far.
        id: Option<&'a UserId>,
        /// Why.
        refusal: Refusal,
    },
    /// A waiting listener, or a connection before its hello, is no more.
    Left {
        /// Its address.
        from: SocketAddr,
        /// The id that it waited under, if it got so far.
        id: Option<&'a UserId>,
        /// Why.
        reason: Reason,
    },
    /// A pair is no more.
    Closed {
        /// The id that it met under.
        id: &'a UserId,
        /// Why.
        reason: Reason,
        /// Bytes that went from the listener to the caller.
        listener_bytes: u64,
        /// Bytes that went from the caller to the listener.
        caller_bytes: u64,
    },
}

/// Why a connection was answered `X`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody waits under the id.
    NobodyWaits,
    /// The first bytes are not a hello.
    NotHello(HelloError),
    /// The relay is behind balancers, and its address is none of theirs.
    NotFromProxy,
    /// It is a balancer's, and does not begin with a header of the PROXY protocol.
    NoProxyHeader(ProxyError),
    /// The hello was not whole in time.
    HelloTimeout,
    /// The relay has no thread left to serve it.
    Exhausted,
    /// Its source has as many connections as it may have.
    SourceConnections,
    /// Its source opens connections faster than it may.
    SourceArrivals,
    /// Its source has as many waiting listeners as it may have.
    SourceListeners,
}

impl Refusal {
    /// Every one, or one of those that share a word.
    pub const ALL: &[Self] = &[
        Self::NobodyWaits,
        Self::NotHello(HelloError::UnknownRole),
        Self::NotHello(HelloError::Id(IdError::Empty)),
        Self::NotHello(HelloError::Id(IdError::TooLong)),
        Self::NotHello(HelloError::Id(IdError::Control)),
        Self::NotFromProxy,
        Self::NoProxyHeader(ProxyError::Signature),
        Self::HelloTimeout,
        Self::Exhausted,
        Self::SourceConnections,
        Self::SourceArrivals,
        Self::SourceListeners,
    ];

    /// The word of the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::NobodyWaits => "nobody-waits",
            Self::NotHello(HelloError::UnknownRole) => "not-a-hello",
            Self::NotHello(HelloError::Id(IdError::Empty)) => "id-empty",
            Self::NotHello(HelloError::Id(IdError::TooLong)) => "id-too-long",
            Self::NotHello(HelloError::Id(IdError::Dollar | IdError::Control)) => {
                "id-control-character"
            }
            Self::NotFromProxy => "not-from-proxy",
            Self::NoProxyHeader(_) => "no-proxy-header",
            Self::HelloTimeout => "hello-timeout",
            Self::Exhausted => "exhausted",
            Self::SourceConnections => "limit-source-connections",
            Self::SourceArrivals => "limit-source-rate",
            Self::SourceListeners => "limit-source-listeners",
        }
    }
}

/// Why a connection or a pair ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Both sides ended, and every byte arrived.
    Finished,
    /// One side ended, and nothing moved for the half-close time.
    HalfClose,
    /// Nothing moved for the idle time.
    Idle,
    /// The listener's connection broke.
    ListenerLost,
    /// The caller's connection broke.
    CallerLost,
    /// A waiting listener went away.
    Gone,
    /// The connection ended before its hello was whole.
    NoHello,
    /// The relay was asked to end.
    Shutdown,
    /// The relay that took this one's place serves it.
    HandedOver,
}

impl Reason {
    /// Every one.
    pub const ALL: &[Self] = &[
        Self::Finished,
        Self::HalfClose,
        Self::Idle,
        Self::ListenerLost,
        Self::CallerLost,
        Self::Gone,
        Self::NoHello,
        Self::Shutdown,
        Self::HandedOver,
    ];

    /// The word of the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::HalfClose => "half-close",
            Self::Idle => "idle",
            Self::ListenerLost => "listener-lost",
            Self::CallerLost => "caller-lost",
            Self::Gone => "gone",
            Self::NoHello => "no-hello",
            Self::Shutdown => "shutdown",
            Self::HandedOver => "handed-over",
        }
    }
}

/// What an event says about one thing.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// The name of somebody: not for everybody's eyes.
    Id(&'a UserId),
    /// An address.
    Address(SocketAddr),
    /// A word of ours.
    Word(&'static str),
    /// A number of bytes.
    Bytes(u64),
}

impl<'a> Event<'a> {
    /// The word of the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "registered",
            Self::Matched { .. } => "matched",
            Self::Refused { .. } => "refused",
            Self::Left { .. } | Self::Closed { .. } => "closed",
        }
    }

    /// What the event says, by names that are told once each, in the order of the log.
    pub fn tell(&self, each: &mut dyn FnMut(&'static str, Field<'a>)) {
        match *self {
            Self::Registered { id, from } => {
                each("id", Field::Id(id));
                each("from", Field::Address(from));
            }
            Self::Matched {
                id,
                listener,
                caller,
            } => {
                each("id", Field::Id(id));
                each("listener", Field::Address(listener));
                each("caller", Field::Address(caller));
            }
            Self::Refused { from, id, refusal } => {
                each("from", Field::Address(from));
                each("reason", Field::Word(refusal.word()));
                if let Some(id) = id {
                    each("id", Field::Id(id));
                }
            }
            Self::Left { from, id, reason } => {
                each("from", Field::Address(from));
                each("reason", Field::Word(reason.word()));
                if let Some(id) = id {
                    each("id", Field::Id(id));
                }
            }
            Self::Closed {
                id,
                reason,
                listener_bytes,
                caller_bytes,
            } => {
                each("id", Field::Id(id));
                each("reason", Field::Word(reason.word()));
                each("listener_bytes", Field::Bytes(listener_bytes));
                each("caller_bytes", Field::Bytes(caller_bytes));
            }
        }
    }
}

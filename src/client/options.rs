//! How a job is to be done, beside where.

use std::fmt;
use std::time::Duration;

use crate::transfer::{Offer, Secret};

/// For how long a lost connection is made anew, unless told otherwise.
pub const RECONNECT: Duration = Duration::from_secs(60);

/// How a job is to be done; the same type for both sides.
pub struct Options {
    /// What both sides know and nobody else. With it the transfer is encrypted and the peer verified,
    /// or there is none; without it version 2 is encrypted, to whoever answers.
    pub secret: Option<Secret>,
    /// Speak the protocol of 2013 alone: for peers that trip over the mark of version 2.
    pub version1_only: bool,
    /// For how long a connection that was lost is made anew; `None` for not at all.
    pub reconnect: Option<Duration>,
    /// Asked on the receiver's side before anything of an offer moves; nothing stands for yes. It may
    /// take its time: the connection is kept alive meanwhile. In version 1 the offer is one file.
    pub accept: Option<Box<Accept>>,
}

/// Judges an offer: `true` to take it.
pub type Accept = dyn Fn(&Offer) -> bool + Send + Sync;

impl Default for Options {
    /// No secret, both versions, [`RECONNECT`], nobody asked.
    fn default() -> Self {
        Self {
            secret: None,
            version1_only: false,
            reconnect: Some(RECONNECT),
            accept: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("secret", &self.secret.is_some())
            .field("version1_only", &self.version1_only)
            .field("reconnect", &self.reconnect)
            .finish_non_exhaustive()
    }
}

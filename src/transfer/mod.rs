//! A file over any stream of bytes: it knows no sockets, only a [`Link`].
//!
//! - [`Source`] is the file to send, checked before anybody is called
//! - [`Input`] and [`Output`] are for bytes that are no files
//! - [`Place`] says where received bytes go, and a [`Store`] is that place, opened
//! - [`v1`] is the transfer of 2013: two machines, and the drivers that run them over a link
//! - an [`Observer`] hears each [`Event`] and may end the transfer

pub mod channel;
mod entry;
mod error;
mod event;
mod given;
pub mod handshake;
mod link;
mod name;
mod report;
mod secret;
mod source;
mod store;
pub mod tree;
pub mod v1;
pub mod v2;

pub use self::entry::{Entry, EntryKind, Item, Time};
pub use self::error::{Cause, Error, Kind, Reason, ShownPath};
pub use self::event::{Event, Observer};
pub use self::given::{Input, Output};
pub use self::link::Link;
pub use self::name::{DEPTH_MAX, Name, NameError, fit_name, safe_name, safe_path};
pub use self::report::{NAMED, Offer, Received, Report, Skip};
pub use self::secret::{SECRET_MAX, Secret, SecretError};
pub use self::source::Source;
pub use self::store::{
    Committed, Decision, Finished, OnSettled, PartGuard, Place, Refusal, RefusalReason, Settled,
    Sink, Store, Stored, Target, Tree,
};
pub use crate::wire::v2::RecordError;
pub use crate::wire::{HeaderError, IdError, Printable, UserId, misleads};

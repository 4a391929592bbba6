//! The transfer.

pub use crate::wire::Printable;

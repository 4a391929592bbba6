//! Unix by way of the standard library alone.

pub mod bell;
pub mod fs;
pub mod given;
pub mod handoff;
pub mod net;
pub mod random;
pub mod service;
pub mod signal;
pub mod term;

//! Unix by way of the standard library alone.

pub mod fs;
pub mod given;
pub mod net;
pub mod random;
pub mod signal;
pub mod term;

//! The store as a machine.

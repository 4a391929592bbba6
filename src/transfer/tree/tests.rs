//! Trees that are walked and read.

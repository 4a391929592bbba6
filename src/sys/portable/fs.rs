//! A folder that files are made, named and removed in.

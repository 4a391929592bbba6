//! The two jobs over sockets.

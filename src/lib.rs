//! Two hosts that cannot reach each other meet at a relay, and a file crosses it.
//!
//! The map, lowest first; `doc/architecture.md` says who may import whom:
//!
//! - [`sys`]: the platform, and nearly all `unsafe`
//! - [`crypto`]: hashes, keys and sealed records, over bytes alone
//! - [`wire`]: bytes to values and back, no I/O and no clock
//! - `io`: readiness, timers and pipes over `sys`
//! - [`relay`]: splices the two connections that name one user id
//! - [`transfer`]: a file over any stream of bytes
//! - [`client`]: dial the relay, meet the peer, run the transfer
//! - [`cli`]: the commands `p2p-relay`, `send_r`, `recv_r`

pub mod cli;
pub mod client;
pub mod crypto;
pub mod io;
pub mod relay;
pub mod sys;
pub mod transfer;
pub mod wire;

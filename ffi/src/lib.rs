//! libp2pxfer: files and streams through a relay, for C.
//!
//! - `boundary`: what every call needs: no panic gets out, no NULL gets in, strings both ways
//! - `version`: the version, as a macro and as functions
//! - `status`: the codes and their texts
//! - `handle`: the handle, its settings, its last error
//! - `offer`: what a sender offers, for the callback that judges it
//! - `options`: the settings of transfers alone
//! - `transfer`: the calls that move files, and the one that stops them
//! - `content`: what is no file: bytes in memory, and functions that give or take them
//! - `report`: what a transfer came to
//! - `stream`: a connected socket through the relay
//! - `sealed`: a stream through the relay that the secret seals
//! - `relay`: a relay in the process
//!
//! `include/p2pxfer.h` is made from these files; its head, with the rules that all calls share, stands
//! in `cbindgen.toml`.
#![expect(
    unsafe_code,
    reason = "the boundary to C: pointers come in, symbols go out"
)]
#![expect(
    clippy::missing_safety_doc,
    reason = "what a caller owes is the same for all calls and stands once, at the head of the header"
)]

mod boundary;
mod content;
mod handle;
mod offer;
mod options;
mod relay;
mod report;
mod sealed;
mod status;
mod stream;
mod transfer;
mod version;

pub use content::*;
pub use handle::*;
pub use offer::*;
pub use options::*;
pub use relay::*;
pub use report::*;
pub use sealed::*;
pub use status::*;
pub use stream::*;
pub use transfer::*;
pub use version::*;

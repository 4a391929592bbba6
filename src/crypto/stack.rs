//! What a call leaves behind on the stack, for tests.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;

/// Bytes below the call that are looked at.
const DEPTH: usize = 16384;
/// Bytes between the call and what the look itself writes.
const ROOM: usize = 8192;

/// The stack below a call, after it; `None` where the system does not show it.
pub(super) fn left_by(call: &dyn Fn()) -> Option<Vec<u8>> {
    let mut left = vec![0; DEPTH];
    let memory = File::open("/proc/self/mem").ok()?;
    let end = below(call);
    memory.read_exact_at(&mut left, end - DEPTH as u64).ok()?;
    Some(left)
}

/// Runs the call below some room, and says where that room begins.
#[inline(never)]
fn below(call: &dyn Fn()) -> u64 {
    let room = [0_u8; ROOM];
    black_box(&room);
    black_box(call)();
    black_box(&room).as_ptr().addr() as u64
}

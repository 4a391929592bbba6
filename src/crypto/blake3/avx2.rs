//! The kernel of eight lanes for processors with AVX2: the same code, compiled for wider vectors.

#![expect(
    unsafe_code,
    reason = "only code for a processor that may not be this one needs it"
)]

use super::lanes::{Kernel, each_lane};

/// The kernel, on a processor that can run it.
pub(super) fn kernel() -> Option<Kernel> {
    is_x86_feature_detected!("avx2").then_some(run as Kernel)
}

/// Private, and handed out by [`kernel`] only.
fn run(nodes: &mut [[u32; 8]; 8], words: &[[u32; 8]; 16], settings: &[[u32; 8]; 4]) {
    // SAFETY: whoever calls this has it from `kernel`, which found AVX2.
    unsafe { compiled(nodes, words, settings) }
}

/// # Safety
///
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn compiled(nodes: &mut [[u32; 8]; 8], words: &[[u32; 8]; 16], settings: &[[u32; 8]; 4]) {
    each_lane(nodes, words, settings);
}

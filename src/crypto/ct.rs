//! Comparing and forgetting secrets.

use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // The barrier hides from the optimiser that only zero or not matters, so it cannot stop early.
    let differing = a
        .iter()
        .zip(b)
        .fold(0, |bits, (a, b)| black_box(bits | (a ^ b)));
    differing == 0
}

/// Overwrites integers, bytes first of all, with zeros, also where nobody reads them again.
#[expect(unsafe_code, reason = "only a volatile write is never optimised away")]
pub fn wipe<T: Copy + Default>(values: &mut [T]) {
    for value in values {
        // SAFETY: a unique reference is valid for writes and aligned, and a Copy type has no destructor.
        unsafe { ptr::write_volatile(value, T::default()) };
    }
    compiler_fence(Ordering::SeqCst);
}

/// Pieces of stack that are overwritten behind a call: as many as `aead` takes, and half as many to spare.
const STACK: usize = 96;

/// Calls, and then overwrites the stack that the call took: the places that values were moved from, and what
/// the optimiser put there of vectors, which no wipe of a value reaches. What is returned is no secret.
pub(super) fn on_wiped_stack<T>(call: impl FnOnce() -> T) -> T {
    let result = on_stack_of_its_own(call);
    on_stack_of_its_own(|| wipe(&mut [[0_u64; 8]; STACK]));
    result
}

/// Not inlined, so that every call from one place has its frame at the same address.
#[inline(never)]
fn on_stack_of_its_own<T>(call: impl FnOnce() -> T) -> T {
    call()
}

/// `N` secret bytes, wiped when dropped. They neither print nor compare: see [`eq`].
///
/// A clone is another secret, wiped on its own.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes in; the caller wipes what it copied them from.
    pub fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Zeros, to be filled in through [`Secret::expose_mut`].
    pub fn zeroed() -> Self {
        Self([0; N])
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, to be changed.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_means_the_same_length_and_every_bit() {
        for length in 0..100 {
            let a: Vec<u8> = (0..length).map(|i: u8| i.wrapping_mul(7)).collect();
            assert!(eq(&a, &a.clone()));
            assert!(!eq(&a, &[&a[..], &[0]].concat()));
            for bit in 0..8 * a.len() {
                let mut b = a.clone();
                b[bit / 8] ^= 1 << (bit % 8);
                assert!(!eq(&a, &b), "bit {bit} of {length} bytes");
            }
        }
    }

    #[test]
    fn a_wipe_leaves_zeros_in_integers_of_any_size() {
        let mut bytes = [7_u8; 33];
        wipe(&mut bytes[1..32]);
        assert_eq!(bytes[0], 7);
        assert_eq!(bytes[1..32], [0; 31]);
        assert_eq!(bytes[32], 7);
        let mut words = [u64::MAX; 5];
        wipe(&mut words);
        assert_eq!(words, [0; 5]);
    }

    #[test]
    fn a_clone_outlives_its_original() {
        let mut secret = Secret::new([3; 32]);
        secret.expose_mut()[0] = 4;
        let copy = secret.clone();
        drop(secret);
        assert_eq!(copy.expose()[..2], [4, 3]);
        assert_eq!(*Secret::<8>::zeroed().expose(), [0; 8]);
    }
}

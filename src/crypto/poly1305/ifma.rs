//! Sixteen blocks at a time, in the 512-bit registers of an x86-64 that multiplies 52 bits by 52 (AVX-512 IFMA).
//!
//! A lane holds every eighth block, so a step to the next sixteen is
//! `sum r^16 + (m0, ..., m7) r^8 + (m8, ..., m15)` in each of the eight; in the end the lanes are weighed with
//! r^8, ..., r and added. Numbers are in the three limbs that they are in elsewhere. A product comes in two
//! halves, low + 2^52 high, which are summed up apart from each other.

#![expect(
    clippy::incompatible_msrv,
    reason = "left out where the compiler is older: see build.rs"
)]

use std::arch::x86_64::*;
use std::array;
use std::mem;

use super::{BATCH, BIT_128, BLOCK_SIZE, Factor, MASK_42, MASK_44, carry};
use crate::crypto::vector::avx512;

/// Blocks side by side: 64 bits each.
const LANES: usize = 8;
/// Bytes of a register, which are four blocks.
const REGISTER: usize = 4 * BLOCK_SIZE;
/// Bytes of a block for each lane.
const ROW: usize = LANES * BLOCK_SIZE;
/// Bytes of a step: how many are taken must be a multiple of it.
pub(super) const STEP: usize = 2 * ROW;

const LIMBS: usize = 3;

/// Shows that this processor has the instructions: there is no other way to one.
#[derive(Clone, Copy)]
pub(super) struct Unit(());

impl Unit {
    /// The unit, where there is one.
    pub(super) fn detect() -> Option<Self> {
        avx512::Unit::detect()?;
        is_x86_feature_detected!("avx512ifma").then_some(Self(()))
    }

    /// The sum behind whole steps, from the sum in front of them, which is reduced as the result is. `powers`
    /// are r, r^2, r^3, r^4.
    #[expect(
        unsafe_code,
        reason = "the processor was asked, the compiler cannot know"
    )]
    pub(super) fn steps(self, powers: &[Factor; BATCH], sum: [u64; 3], text: &[u8]) -> [u64; 3] {
        // SAFETY: a unit shows that the processor has the features that the function needs.
        unsafe { steps(self, powers, sum, text) }
    }
}

/// # Safety
///
/// The processor must have AVX-512 and its IFMA.
#[expect(unsafe_code, reason = "compiled for a processor that may not be there")]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn steps(unit: Unit, powers: &[Factor; BATCH], sum: [u64; 3], text: &[u8]) -> [u64; 3] {
    let mut steps = text.chunks_exact(STEP);
    let Some(first) = steps.next() else {
        return sum;
    };
    let [r, r2, r3, r4] = *powers;
    let [r5, r6, r7, r8] = powers.map(|power| power.product(r4));
    let far = Factors::new(unit, [r8.product(r8); LANES]);
    let near = Factors::new(unit, [r8; LANES]);

    // What was summed up before belongs to the first block, which is in the first lane.
    let mut before = [[0; LIMBS]; LANES];
    before[0] = sum;
    let (front, back) = first.split_at(ROW);
    // What is multiplied has limbs below 2^46: a carried product's are below 2^44 + 2^12, a block's below 2^44,
    // and those of a sum below 2^44 + 2^15.
    let mut lanes = Products::new(unit)
        .plus(Row::load(unit, front).plus(Row::new(unit, before)), &near)
        .carried(unit)
        .plus(Row::load(unit, back));
    for step in steps {
        let (front, back) = step.split_at(ROW);
        lanes = Products::new(unit)
            .plus(Row::load(unit, front), &near)
            .plus(lanes, &far)
            .carried(unit)
            .plus(Row::load(unit, back));
    }

    // In the order of the lanes, which is that of `Row::load`.
    let weights = Factors::new(unit, [r8, r4, r7, r3, r6, r2, r5, r]);
    carry(Products::new(unit).plus(lanes, &weights).total())
}

/// Eight numbers, a limb of all of them in each register.
#[derive(Clone, Copy)]
struct Row([Eight64; LIMBS]);

/// Eight numbers to multiply with, as [`Factor`].
struct Factors {
    limbs: [Eight64; LIMBS],
    twenty: [Eight64; LIMBS - 1],
}

/// Sums of products, not carried.
#[derive(Clone, Copy)]
struct Products {
    /// Of up to six for each limb: below 2^55.
    low: [Eight64; LIMBS],
    /// These weigh 2^52 times as much as the low ones. Of factors below 2^46 and 2^49, so that six of them are
    /// below 2^46; those of the last limb are of factors below 2^46 and 2^45, and so below 2^42.
    high: [Eight64; LIMBS],
}

impl Row {
    #[inline(always)]
    fn new(unit: Unit, numbers: [[u64; LIMBS]; LANES]) -> Self {
        Self(array::from_fn(|limb| {
            Eight64::new(unit, numbers.map(|number| number[limb]))
        }))
    }

    /// Eight blocks, which come into the lanes in the order 0, 4, 1, 5, 2, 6, 3, 7.
    #[inline(always)]
    fn load(unit: Unit, blocks: &[u8]) -> Self {
        let (first, second) = blocks.split_at(REGISTER);
        let (low, high) = Eight64::load(unit, first).interleaved(Eight64::load(unit, second));
        let mask = Eight64::all(unit, MASK_44);
        Self([
            low.and(mask),
            low.right::<44>().or(high.left::<20>()).and(mask),
            high.right::<24>().or(Eight64::all(unit, BIT_128)),
        ])
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        let [x0, x1, x2] = self.0;
        let [y0, y1, y2] = other.0;
        Self([x0.plus(y0), x1.plus(y1), x2.plus(y2)])
    }
}

impl Factors {
    #[inline(always)]
    fn new(unit: Unit, numbers: [Factor; LANES]) -> Self {
        Self {
            limbs: array::from_fn(|limb| {
                Eight64::new(unit, numbers.map(|number| number.limbs[limb]))
            }),
            twenty: array::from_fn(|limb| {
                Eight64::new(unit, numbers.map(|number| number.twenty[limb]))
            }),
        }
    }
}

impl Products {
    #[inline(always)]
    fn new(unit: Unit) -> Self {
        let none = [Eight64::all(unit, 0); LIMBS];
        Self {
            low: none,
            high: none,
        }
    }

    /// These, and those of as many numbers with their factors: see [`Factor::times`].
    #[inline(always)]
    fn plus(self, numbers: Row, factors: &Factors) -> Self {
        let Row([x0, x1, x2]) = numbers;
        let [r0, r1, r2] = factors.limbs;
        let [t1, t2] = factors.twenty;
        let [low0, low1, low2] = self.low;
        let [high0, high1, high2] = self.high;
        Self {
            low: [
                low0.plus_low(x0, r0).plus_low(x1, t2).plus_low(x2, t1),
                low1.plus_low(x0, r1).plus_low(x1, r0).plus_low(x2, t2),
                low2.plus_low(x0, r2).plus_low(x1, r1).plus_low(x2, r0),
            ],
            high: [
                high0.plus_high(x0, r0).plus_high(x1, t2).plus_high(x2, t1),
                high1.plus_high(x0, r1).plus_high(x1, r0).plus_high(x2, t2),
                high2.plus_high(x0, r2).plus_high(x1, r1).plus_high(x2, r0),
            ],
        }
    }

    /// As limbs below 2^44, 2^44 + 2^12 and 2^42.
    #[inline(always)]
    fn carried(self, unit: Unit) -> Row {
        let [low0, low1, low2] = self.low;
        let [high0, high1, high2] = self.high;
        let mask = Eight64::all(unit, MASK_44);
        // 2^52 high is 2^8 high in the next limb, where it is below 2^54. Both sums are below 2^56.
        let x1 = low1.plus(high0.left::<8>()).plus(low0.right::<44>());
        let x2 = low2.plus(high1.left::<8>()).plus(x1.right::<44>());
        // 2^130 = 5 modulo p, and 2^88 2^52 high is 2^130 2^10 high: together below 2^53, five times that 2^56.
        let up = high2.left::<10>().plus(x2.right::<42>());
        let x0 = low0.and(mask).plus(up).plus(up.left::<2>());
        Row([
            x0.and(mask),
            x1.and(mask).plus(x0.right::<44>()),
            x2.and(Eight64::all(unit, MASK_42)),
        ])
    }

    /// The sums over the lanes, of three products each: below 2^100, the last one below 2^96.
    #[inline(always)]
    fn total(self) -> [u128; LIMBS] {
        array::from_fn(|limb| {
            let [low, high] = [self.low[limb], self.high[limb]]
                .map(|half| u128::from(half.lanes().iter().sum::<u64>()));
            low + (high << 52)
        })
    }
}

/// A register of eight numbers of 64 bits. Made from a [`Unit`], so that there is none without the
/// instructions: that is what all of its methods rely on.
#[derive(Clone, Copy)]
struct Eight64(__m512i);

#[expect(unsafe_code, reason = "each is one instruction of the vector unit")]
impl Eight64 {
    #[inline(always)]
    fn new(_: Unit, lanes: [u64; LANES]) -> Self {
        // SAFETY: both are 64 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u64; LANES], __m512i>(lanes) })
    }

    #[inline(always)]
    fn all(unit: Unit, number: u64) -> Self {
        Self::new(unit, [number; LANES])
    }

    #[inline(always)]
    fn load(_: Unit, bytes: &[u8]) -> Self {
        let bytes: &[u8; REGISTER] = bytes.try_into().expect("four blocks");
        // SAFETY: both are 64 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u8; REGISTER], __m512i>(*bytes) })
    }

    #[inline(always)]
    fn lanes(self) -> [u64; LANES] {
        // SAFETY: both are 64 bytes, and every pattern of bits is a value of either.
        unsafe { mem::transmute::<__m512i, [u64; LANES]>(self.0) }
    }

    /// Numbers 0, 2, 4, 6 of both in turn; and numbers 1, 3, 5, 7.
    #[inline(always)]
    fn interleaved(self, other: Self) -> (Self, Self) {
        // SAFETY: the processor has AVX-512.
        let low = unsafe { _mm512_unpacklo_epi64(self.0, other.0) };
        // SAFETY: the processor has AVX-512.
        let high = unsafe { _mm512_unpackhi_epi64(self.0, other.0) };
        (Self(low), Self(high))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512.
        Self(unsafe { _mm512_add_epi64(self.0, other.0) })
    }

    /// This, and the lower 52 bits of the product of the lower 52 bits of both.
    #[inline(always)]
    fn plus_low(self, one: Self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512 IFMA.
        Self(unsafe { _mm512_madd52lo_epu64(self.0, one.0, other.0) })
    }

    /// This, and the upper 52 bits of that product.
    #[inline(always)]
    fn plus_high(self, one: Self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512 IFMA.
        Self(unsafe { _mm512_madd52hi_epu64(self.0, one.0, other.0) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512.
        Self(unsafe { _mm512_or_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn left<const COUNT: u32>(self) -> Self {
        // SAFETY: the processor has AVX-512.
        Self(unsafe { _mm512_slli_epi64::<COUNT>(self.0) })
    }

    #[inline(always)]
    fn right<const COUNT: u32>(self) -> Self {
        // SAFETY: the processor has AVX-512.
        Self(unsafe { _mm512_srli_epi64::<COUNT>(self.0) })
    }
}

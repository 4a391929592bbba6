//! Eight blocks at a time, in the 256-bit registers of x86-64.
//!
//! A lane holds every fourth block, so a step to the next eight is
//! `sum r^8 + (m0, m1, m2, m3) r^4 + (m4, m5, m6, m7)` in each of the four; in the end the lanes are weighed
//! with r^4, r^3, r^2, r and added (Goll and Gueron, 2015). Numbers are five limbs here,
//! x = x0 + 2^26 x1 + ... + 2^104 x4, because the registers multiply 32 bits by 32.

use std::arch::x86_64::*;
use std::array;
use std::mem;

use super::{BLOCK_SIZE, Factor, MASK_44, carry};

/// Blocks side by side: 64 bits each.
const LANES: usize = 4;
/// Bytes of a register, which are two blocks.
const REGISTER: usize = 2 * BLOCK_SIZE;
/// Bytes of a block for each lane.
const ROW: usize = LANES * BLOCK_SIZE;
/// Bytes of a step: how many are taken must be a multiple of it.
pub(super) const STEP: usize = 2 * ROW;

const LIMBS: usize = 5;
const BITS: i32 = 26;
const MASK: u64 = (1 << BITS) - 1;
/// 2^128 in the limbs of a whole block.
const BIT_128: u64 = 1 << 24;

/// Shows that this processor has AVX2: there is no other way to one.
#[derive(Clone, Copy)]
pub(super) struct Unit(());

impl Unit {
    /// The unit, where there is one.
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// The sum behind whole steps, from the sum in front of them, which is reduced as the result is. `powers`
    /// are r, r^2, r^3, r^4.
    #[expect(
        unsafe_code,
        reason = "the processor was asked, the compiler cannot know"
    )]
    pub(super) fn steps(self, powers: &[Factor; LANES], sum: [u64; 3], text: &[u8]) -> [u64; 3] {
        // SAFETY: a unit shows that the processor has the one feature that the function needs.
        unsafe { steps(self, powers, sum, text) }
    }
}

/// # Safety
///
/// The processor must have AVX2.
#[expect(unsafe_code, reason = "compiled for a processor that may not be there")]
#[target_feature(enable = "avx2")]
unsafe fn steps(unit: Unit, powers: &[Factor; LANES], sum: [u64; 3], text: &[u8]) -> [u64; 3] {
    let mut steps = text.chunks_exact(STEP);
    let Some(first) = steps.next() else {
        return sum;
    };
    let [r, r2, r3, r4] = powers.map(Factor::limbs).map(limbs);
    let r8 = limbs(carry(powers[3].times(powers[3].limbs)));
    let far = Row::factor(unit, [r8; LANES]);
    let near = Row::factor(unit, [r4; LANES]);

    // What was summed up before belongs to the first block, which is in the first lane.
    let zero = [0; LIMBS];
    let before = Row::new(unit, [limbs(sum), zero, zero, zero]);
    let (front, back) = first.split_at(ROW);
    // What is multiplied has limbs below 2^28: a carried product's are below 2^26 + 2^13, a block's below 2^26,
    // and those of a sum or a power 2^26 at most.
    let mut lanes = Row::load(unit, front)
        .plus(before)
        .times(&near)
        .carried(unit)
        .plus(Row::load(unit, back));
    for step in steps {
        let (front, back) = step.split_at(ROW);
        // Each product is below 5 * 2^28 * 5 * 2^26 < 2^59 in each limb.
        let products = lanes.times(&far).plus(Row::load(unit, front).times(&near));
        lanes = products.carried(unit).plus(Row::load(unit, back));
    }

    // In the order of the lanes, which is that of `Row::load`.
    let weights = Row::factor(unit, [r4, r2, r3, r]);
    // Below 2^61.
    let [x0, x1, x2, x3, x4] = lanes.times(&weights).total().map(u128::from);
    carry([x0 + (x1 << 26), (x2 << 8) + (x3 << 34), x4 << 16])
}

/// A reduced number in five limbs: below 2^26 each, the last one 2^26 at most.
pub(super) fn limbs(x: [u64; 3]) -> [u64; LIMBS] {
    let [x0, x1, x2] = [x[0], x[1] & MASK_44, x[2] + (x[1] >> 44)];
    [
        x0 & MASK,
        (x0 >> 26 | x1 << 18) & MASK,
        x1 >> 8 & MASK,
        (x1 >> 34 | x2 << 10) & MASK,
        x2 >> 16,
    ]
}

/// Four numbers, a limb of all of them in each register.
#[derive(Clone, Copy)]
struct Row([Four; LIMBS]);

/// Four numbers to multiply with, and limbs 1 to 4 of them times 5: what 2^130 weighs, modulo p.
struct Factors {
    limbs: [Four; LIMBS],
    five: [Four; LIMBS - 1],
}

impl Row {
    #[inline(always)]
    fn new(unit: Unit, numbers: [[u64; LIMBS]; LANES]) -> Self {
        Self(array::from_fn(|limb| {
            Four::new(unit, numbers.map(|number| number[limb]))
        }))
    }

    #[inline(always)]
    fn factor(unit: Unit, numbers: [[u64; LIMBS]; LANES]) -> Factors {
        let five = numbers.map(|number| number.map(|limb| 5 * limb));
        let Self([_, five @ ..]) = Self::new(unit, five);
        let Self(limbs) = Self::new(unit, numbers);
        Factors { limbs, five }
    }

    /// Four blocks, which come into the lanes in the order 0, 2, 1, 3.
    #[inline(always)]
    fn load(unit: Unit, blocks: &[u8]) -> Self {
        let (first, second) = blocks.split_at(REGISTER);
        let (low, high) = Four::load(unit, first).interleaved(Four::load(unit, second));
        let mask = Four::new(unit, [MASK; LANES]);
        Self([
            low.and(mask),
            low.right::<26>().and(mask),
            low.right::<52>().or(high.left::<12>()).and(mask),
            high.right::<14>().and(mask),
            high.right::<40>().or(Four::new(unit, [BIT_128; LANES])),
        ])
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        let [x0, x1, x2, x3, x4] = self.0;
        let [y0, y1, y2, y3, y4] = other.0;
        Self([
            x0.plus(y0),
            x1.plus(y1),
            x2.plus(y2),
            x3.plus(y3),
            x4.plus(y4),
        ])
    }

    /// The products, not carried; for limbs below 2^32.
    #[inline(always)]
    fn times(self, factors: &Factors) -> Self {
        let [r0, r1, r2, r3, r4] = factors.limbs;
        let [t1, t2, t3, t4] = factors.five;
        Self([
            self.dot([r0, t4, t3, t2, t1]),
            self.dot([r1, r0, t4, t3, t2]),
            self.dot([r2, r1, r0, t4, t3]),
            self.dot([r3, r2, r1, r0, t4]),
            self.dot([r4, r3, r2, r1, r0]),
        ])
    }

    /// The sum of the products, limb by limb.
    #[inline(always)]
    fn dot(self, factors: [Four; LIMBS]) -> Four {
        let [x0, x1, x2, x3, x4] = self.0;
        let [f0, f1, f2, f3, f4] = factors;
        let front = x0.times(f0).plus(x1.times(f1));
        let back = x2.times(f2).plus(x3.times(f3));
        front.plus(back).plus(x4.times(f4))
    }

    /// Limbs below 2^61, brought below 2^26 + 2^13.
    #[inline(always)]
    fn carried(self, unit: Unit) -> Self {
        let mask = Four::new(unit, [MASK; LANES]);
        let [x0, x1, x2, x3, x4] = self.0;
        // Two chains side by side, from limbs 0 and 3 on. Carries are below 2^35 + 1.
        let (x0, up0) = Self::split(mask, x0);
        let (x3, up3) = Self::split(mask, x3);
        let (x1, up1) = Self::split(mask, x1.plus(up0));
        let (x4, up4) = Self::split(mask, x4.plus(up3));
        // Below 2^26 + 5 * 2^36 < 2^39, so that its carry is below 2^13.
        let (x0, up0) = Self::split(mask, x0.plus(up4).plus(up4.left::<2>()));
        let (x2, up2) = Self::split(mask, x2.plus(up1));
        // Below 2^36, so that its carry is below 2^10.
        let (x3, up3) = Self::split(mask, x3.plus(up2));
        Self([x0, x1.plus(up0), x2, x3, x4.plus(up3)])
    }

    /// What stays of a limb, and what is carried.
    #[inline(always)]
    fn split(mask: Four, limb: Four) -> (Four, Four) {
        (limb.and(mask), limb.right::<BITS>())
    }

    /// The sums over the lanes.
    #[inline(always)]
    fn total(self) -> [u64; LIMBS] {
        self.0.map(|limb| limb.lanes().iter().sum())
    }
}

/// A register of four numbers of 64 bits. Made from a [`Unit`], so that there is none without AVX2: that is
/// what all of its methods rely on.
#[derive(Clone, Copy)]
struct Four(__m256i);

#[expect(unsafe_code, reason = "each is one instruction of the vector unit")]
impl Four {
    #[inline(always)]
    fn new(_: Unit, lanes: [u64; LANES]) -> Self {
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u64; LANES], __m256i>(lanes) })
    }

    #[inline(always)]
    fn load(_: Unit, bytes: &[u8]) -> Self {
        let bytes: &[u8; REGISTER] = bytes.try_into().expect("two blocks");
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        Self(unsafe { mem::transmute::<[u8; REGISTER], __m256i>(*bytes) })
    }

    #[inline(always)]
    fn lanes(self) -> [u64; LANES] {
        // SAFETY: both are 32 bytes, and every pattern of bits is a value of either.
        unsafe { mem::transmute::<__m256i, [u64; LANES]>(self.0) }
    }

    /// Numbers 0 and 2 of both in turn; and numbers 1 and 3.
    #[inline(always)]
    fn interleaved(self, other: Self) -> (Self, Self) {
        // SAFETY: the processor has AVX2.
        let low = unsafe { _mm256_unpacklo_epi64(self.0, other.0) };
        // SAFETY: the processor has AVX2.
        let high = unsafe { _mm256_unpackhi_epi64(self.0, other.0) };
        (Self(low), Self(high))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_add_epi64(self.0, other.0) })
    }

    /// The product of the lower 32 bits.
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_mul_epu32(self.0, other.0) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_and_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_or_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn left<const COUNT: i32>(self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_slli_epi64::<COUNT>(self.0) })
    }

    #[inline(always)]
    fn right<const COUNT: i32>(self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_srli_epi64::<COUNT>(self.0) })
    }
}

//! The one-time authenticator Poly1305 (RFC 8439, section 2.5).
//!
//! Numbers modulo p = 2^130 - 5 are three limbs, x = x0 + 2^44 x1 + 2^88 x2, so that all products of a
//! multiplication fit into 128 bits with room for many sums. "Reduced" means x0 < 2^44, x1 < 2^44 + 2^15 and
//! x2 < 2^42; such a number may still be p or more. Four blocks are taken at once,
//! ((h + m0) r^4 + m1 r^3 + m2 r^2 + m3 r), which needs one carry, and four chains of products instead of
//! one long one. A processor with AVX2 or AVX-512 takes long pieces another way, with the same sum behind them.

use super::ct::wipe;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(avx512)]
mod ifma;

/// Bytes of a one-time key.
pub const KEY_SIZE: usize = 32;
/// Bytes of a tag.
pub const TAG_SIZE: usize = 16;

const BLOCK_SIZE: usize = 16;
/// Blocks that are taken at once.
const BATCH: usize = 4;
/// Bytes from which on it is worth to ready the vector unit.
#[cfg(target_arch = "x86_64")]
const VECTOR_MIN: usize = 256;
const MASK_44: u64 = (1 << 44) - 1;
const MASK_42: u64 = (1 << 42) - 1;
/// 2^128 in the limbs of a whole block: the bit that section 2.5.1 adds behind its last byte.
const BIT_128: u64 = 1 << 40;

/// A tag over what is fed piece by piece, under a key that is used once. Wiped when dropped.
pub struct Poly1305 {
    /// r, r^2, r^3, r^4.
    powers: [Factor; BATCH],
    /// The number that is added in the end.
    s: [u64; 2],
    /// Reduced.
    sum: [u64; 3],
    /// The begun block: its first `begun` bytes count, fewer than all.
    block: [u8; BLOCK_SIZE],
    begun: usize,
}

impl Poly1305 {
    /// The tag of nothing yet.
    pub fn new(key: &[u8; KEY_SIZE]) -> Self {
        let [r0, r1, s0, s1] = [0, 8, 16, 24].map(|at| little_endian(&key[at..at + 8]));
        // Section 2.5: the clamp. Each limb of r is then as wide as it may be, and no wider.
        let (r0, r1) = (r0 & 0x0fff_fffc_0fff_ffff, r1 & 0x0fff_fffc_0fff_fffc);
        let r = Factor::new(limbs(r0, r1, 0));
        let r2 = r.product(r);
        Self {
            powers: [r, r2, r2.product(r), r2.product(r2)],
            s: [s0, s1],
            sum: [0; 3],
            block: [0; BLOCK_SIZE],
            begun: 0,
        }
    }

    /// Adds bytes. Where they are cut into calls does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.begun > 0 {
            let space = &mut self.block[self.begun..];
            let taken = space.len().min(rest.len());
            let (now, later) = rest.split_at(taken);
            space[..taken].copy_from_slice(now);
            self.begun += taken;
            if self.begun < BLOCK_SIZE {
                return;
            }
            let block = self.block;
            self.whole_blocks(&block);
            rest = later;
        }
        let whole = rest.len() - rest.len() % BLOCK_SIZE;
        self.whole_blocks(&rest[..whole]);
        let left = &rest[whole..];
        self.block[..left.len()].copy_from_slice(left);
        self.begun = left.len();
    }

    /// Adds zeros up to a whole number of blocks.
    pub fn pad(&mut self) {
        if self.begun > 0 {
            self.update(&[0; BLOCK_SIZE][self.begun..]);
        }
    }

    /// The tag of all that was added; compare it with [`super::ct::eq`].
    pub fn finish(mut self) -> [u8; TAG_SIZE] {
        if self.begun > 0 {
            // Section 2.5.1: the bit follows the last byte, and zeros follow the bit.
            self.block[self.begun] = 1;
            self.block[self.begun + 1..].fill(0);
            let block = block(&self.block, 0);
            self.sum = carry(self.powers[0].times(plus(self.sum, block)));
        }
        let sum = canonical(self.sum);
        // Modulo 2^128 from here on: the upper limb loses its upper two bits.
        let low = sum[0] | sum[1] << 44;
        let high = sum[1] >> 20 | sum[2] << 24;
        let sum = u128::from(high) << 64 | u128::from(low);
        let s = u128::from(self.s[1]) << 64 | u128::from(self.s[0]);
        sum.wrapping_add(s).to_le_bytes()
    }

    /// What is multiplied with, in limbs as the two ways have them.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn factors(&self) -> impl Iterator<Item = u64> {
        let [.., r4] = self.powers;
        let upper = self.powers.map(|power| power.product(r4));
        let [.., r8] = upper;
        let all = self.powers.into_iter().chain(upper);
        all.chain([r8.product(r8)]).flat_map(|factor| {
            let mut all = factor.limbs.to_vec();
            all.extend(factor.twenty);
            #[cfg(target_arch = "x86_64")]
            all.extend(
                avx2::limbs(factor.limbs)
                    .map(|limb| [limb, 5 * limb])
                    .as_flattened(),
            );
            all
        })
    }

    fn whole_blocks(&mut self, blocks: &[u8]) {
        let rest = self.vector_blocks(blocks);
        self.sum = portably(&self.powers, self.sum, rest);
    }

    /// Takes as many as a vector unit takes; the rest.
    #[cfg(target_arch = "x86_64")]
    fn vector_blocks<'a>(&mut self, blocks: &'a [u8]) -> &'a [u8] {
        if blocks.len() < VECTOR_MIN {
            return blocks;
        }
        let split = |step| blocks.split_at(blocks.len() - blocks.len() % step);
        #[cfg(avx512)]
        if let Some(unit) = ifma::Unit::detect() {
            let (steps, rest) = split(ifma::STEP);
            self.sum = unit.steps(&self.powers, self.sum, steps);
            return rest;
        }
        let Some(unit) = avx2::Unit::detect() else {
            return blocks;
        };
        let (steps, rest) = split(avx2::STEP);
        self.sum = unit.steps(&self.powers, self.sum, steps);
        rest
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn vector_blocks<'a>(&mut self, blocks: &'a [u8]) -> &'a [u8] {
        blocks
    }
}

impl Drop for Poly1305 {
    fn drop(&mut self) {
        for factor in &mut self.powers {
            wipe(&mut factor.limbs);
            wipe(&mut factor.twenty);
        }
        wipe(&mut self.s);
        wipe(&mut self.sum);
        wipe(&mut self.block);
    }
}

/// The sum behind whole blocks, on any machine.
fn portably(powers: &[Factor; BATCH], mut sum: [u64; 3], blocks: &[u8]) -> [u64; 3] {
    let [r, r2, r3, r4] = powers;
    let mut batches = blocks.chunks_exact(BATCH * BLOCK_SIZE);
    for batch in &mut batches {
        let part = |i: usize| block(&batch[i * BLOCK_SIZE..][..BLOCK_SIZE], BIT_128);
        let products = [
            r4.times(plus(sum, part(0))),
            r3.times(part(1)),
            r2.times(part(2)),
            r.times(part(3)),
        ];
        sum = carry([0, 1, 2].map(|i| products.iter().map(|product| product[i]).sum()));
    }
    for bytes in batches.remainder().chunks_exact(BLOCK_SIZE) {
        sum = carry(r.times(plus(sum, block(bytes, BIT_128))));
    }
    sum
}

/// A reduced number to multiply with.
#[derive(Clone, Copy, Default)]
struct Factor {
    limbs: [u64; 3],
    /// Limbs 1 and 2 times 20: what 2^132 weighs, as 2^130 = 5 modulo p. Below 2^49.
    twenty: [u64; 2],
}

impl Factor {
    fn new(limbs: [u64; 3]) -> Self {
        let twenty = [20 * limbs[1], 20 * limbs[2]];
        Self { limbs, twenty }
    }

    #[cfg(target_arch = "x86_64")]
    fn limbs(self) -> [u64; 3] {
        self.limbs
    }

    /// The product, to multiply with.
    fn product(&self, other: Self) -> Self {
        Self::new(carry(self.times(other.limbs)))
    }

    /// The product, in limbs that are not carried yet. For x < 2^46 in each limb each of them is below
    /// 3 * 2^46 * 2^49 < 2^97, and the last one below 3 * 2^46 * 2^45 < 2^93.
    #[inline(always)]
    fn times(&self, x: [u64; 3]) -> [u128; 3] {
        let [r0, r1, r2] = self.limbs;
        let [t1, t2] = self.twenty;
        [
            wide(x[0], r0) + wide(x[1], t2) + wide(x[2], t1),
            wide(x[0], r1) + wide(x[1], r0) + wide(x[2], t2),
            wide(x[0], r2) + wide(x[1], r1) + wide(x[2], r0),
        ]
    }
}

#[inline(always)]
fn wide(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// Reduces limbs below 2^100, the last one below 2^96, which sums of four products are.
#[inline(always)]
fn carry(x: [u128; 3]) -> [u64; 3] {
    // x[0] >> 44 < 2^56, so the sum is below 2^101; its carry is below 2^57.
    let x1 = x[1] + (x[0] >> 44);
    // Below 2^97; its carry is below 2^55, and five times that below 2^58.
    let x2 = x[2] + (x1 >> 44);
    let x0 = (x[0] as u64 & MASK_44) + 5 * (x2 >> 42) as u64;
    [
        x0 & MASK_44,
        // x0 < 2^59, so that this carry is below 2^15.
        (x1 as u64 & MASK_44) + (x0 >> 44),
        x2 as u64 & MASK_42,
    ]
}

/// The one number below p that equals a reduced one.
fn canonical(sum: [u64; 3]) -> [u64; 3] {
    let [x0, x1, x2] = sum;
    // Once around: x2 was 2^42 at most, so that afterwards all limbs are in their width but x1, which is
    // 2^44 only if x0 was carried, and so only if x2 was 2^42 ...
    let x2 = x2 + (x1 >> 44);
    let x0 = x0 + 5 * (x2 >> 42);
    let x1 = (x1 & MASK_44) + (x0 >> 44);
    // ... and then x2 is 0 now, and takes that carry without another one: x < 2^130.
    let x0 = x0 & MASK_44;
    let x2 = (x2 & MASK_42) + (x1 >> 44);
    let x1 = x1 & MASK_44;

    // x - p = x + 5 - 2^130. Bit 42 of its last limb says whether x + 5 reaches 2^130.
    let y0 = x0 + 5;
    let y1 = x1 + (y0 >> 44);
    let y2 = x2 + (y1 >> 44);
    let mask = (y2 >> 42).wrapping_neg();
    let choose = |x: u64, y: u64| x ^ (mask & (x ^ y));
    [
        choose(x0, y0 & MASK_44),
        choose(x1, y1 & MASK_44),
        choose(x2, y2 & MASK_42),
    ]
}

/// Sums of limbs. Of a reduced number and a block: below 2^46 each.
#[inline(always)]
fn plus(a: [u64; 3], b: [u64; 3]) -> [u64; 3] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// A block of 16 bytes as a number, with a bit on top or not.
#[inline(always)]
fn block(bytes: &[u8], top: u64) -> [u64; 3] {
    limbs(little_endian(&bytes[..8]), little_endian(&bytes[8..]), top)
}

#[inline(always)]
fn limbs(low: u64, high: u64, top: u64) -> [u64; 3] {
    [
        low & MASK_44,
        (low >> 44 | high << 20) & MASK_44,
        high >> 24 | top,
    ]
}

#[inline(always)]
fn little_endian(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("half a block"))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "x86_64")]
    use crate::crypto::skip::skip;

    fn tag<'a>(key: &[u8; KEY_SIZE], pieces: impl IntoIterator<Item = &'a [u8]>) -> [u8; TAG_SIZE] {
        let mut poly1305 = Poly1305::new(key);
        pieces.into_iter().for_each(|piece| poly1305.update(piece));
        poly1305.finish()
    }

    /// Keys and texts of many bits, few bits, and of the bits that carry furthest.
    fn extremes() -> [([u8; KEY_SIZE], Vec<u8>); 4] {
        let pattern = |i: usize| (i * i / 3 + 5 * i) as u8;
        [
            (
                std::array::from_fn(|i| pattern(i + 9)),
                (0..1100).map(pattern).collect(),
            ),
            ([0xff; KEY_SIZE], vec![0xff; 1100]),
            (
                [0xff; KEY_SIZE],
                (0..1100)
                    .map(|i| if i % 16 == 0 { 0xfb } else { 0xff })
                    .collect(),
            ),
            ([1; KEY_SIZE], vec![0; 1100]),
        ]
    }

    /// A piece shorter than this is taken by the portable way.
    const SHORT: usize = 15 * BLOCK_SIZE;

    /// Powers of r, a sum, whole steps; the sum behind them.
    #[cfg(target_arch = "x86_64")]
    type Steps = fn(&[Factor; BATCH], [u64; 3], &[u8]) -> [u64; 3];

    /// The vector units that this machine has, by name, with the bytes of a step.
    #[cfg(target_arch = "x86_64")]
    fn units() -> Vec<(&'static str, usize, Steps)> {
        let mut units: Vec<(_, _, Steps)> = Vec::new();
        match avx2::Unit::detect() {
            Some(_) => units.push(("avx2", avx2::STEP, |powers, sum, text| {
                let unit = avx2::Unit::detect().expect("it was there");
                unit.steps(powers, sum, text)
            })),
            None => skip("poly1305-avx2: this processor has no AVX2"),
        }
        #[cfg(avx512)]
        match ifma::Unit::detect() {
            Some(_) => units.push(("ifma", ifma::STEP, |powers, sum, text| {
                let unit = ifma::Unit::detect().expect("it was there");
                unit.steps(powers, sum, text)
            })),
            None => skip("poly1305-ifma: this processor has no AVX-512 IFMA"),
        }
        #[cfg(all(target_arch = "x86_64", not(avx512)))]
        skip("poly1305-ifma: this compiler is too old for AVX-512");
        units
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn each_vector_unit_gives_the_sum_of_the_portable_way() {
        let largest = [MASK_44, (1 << 44) + (1 << 15) - 1, MASK_42];
        for (key, text) in extremes() {
            let powers = Poly1305::new(&key).powers;
            let text = text.repeat(8);
            for (name, step, steps) in units() {
                for count in 0..=text.len() / step {
                    let text = &text[..count * step];
                    for sum in [[0; 3], [1, 2, 3], largest] {
                        assert_eq!(
                            canonical(steps(&powers, sum, text)),
                            canonical(portably(&powers, sum, text)),
                            "{name}, {count} steps"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn many_blocks_at_once_are_the_same_as_one_after_the_other() {
        for (key, text) in extremes() {
            for length in 0..=text.len() {
                let text = &text[..length];
                let expected = tag(&key, text.chunks(BLOCK_SIZE));
                assert_eq!(tag(&key, [text]), expected, "{length} bytes");
                assert_eq!(tag(&key, text.chunks(SHORT)), expected, "{length} bytes");
            }
        }
    }

    #[test]
    fn a_long_text_of_the_bits_that_carry_furthest_is_the_same_in_pieces() {
        for (key, text) in extremes() {
            let text = text[..16 * BLOCK_SIZE].repeat(64);
            assert_eq!(tag(&key, [&text[..]]), tag(&key, text.chunks(SHORT)));
        }
    }

    #[test]
    fn every_split_gives_the_tag_of_the_whole() {
        for (key, text) in extremes() {
            let whole = tag(&key, [&text[..]]);
            for at in 0..=text.len() {
                let (first, second) = text.split_at(at);
                assert_eq!(tag(&key, [first, second]), whole, "split at {at}");
                let pieces = first.chunks(at % 50 + 1).chain([second]);
                assert_eq!(tag(&key, pieces), whole, "pieces up to {at}");
            }
        }
    }

    #[test]
    fn padding_adds_zeros_up_to_a_block_and_none_to_a_whole_one() {
        let [(key, text), ..] = extremes();
        for length in 0..=64_usize {
            let mut padded = Poly1305::new(&key);
            padded.update(&text[..length]);
            padded.pad();
            let mut full = text[..length].to_vec();
            full.resize(length.next_multiple_of(BLOCK_SIZE), 0);
            assert_eq!(padded.finish(), tag(&key, [&full[..]]), "{length} bytes");
        }
    }

    #[test]
    fn a_number_is_taken_below_p_from_everywhere_around_it() {
        // (reduced limbs, the number below p)
        for (sum, expected) in [
            ([0, 0, 0], [0, 0, 0]),
            (
                [MASK_44 - 5, MASK_44, MASK_42],
                [MASK_44 - 5, MASK_44, MASK_42],
            ),
            ([MASK_44 - 4, MASK_44, MASK_42], [0, 0, 0]),
            ([MASK_44, MASK_44, MASK_42], [4, 0, 0]),
            ([0, 1 << 44, MASK_42], [5, 0, 0]),
            ([MASK_44, 1 << 44, MASK_42], [4, 1, 0]),
            ([MASK_44, (1 << 44) + 0x7fff, MASK_42], [4, 0x8000, 0]),
            ([7, (1 << 44) + 3, 9], [7, 3, 10]),
        ] {
            assert_eq!(canonical(sum), expected, "{sum:x?}");
        }
    }
}

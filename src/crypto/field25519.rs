//! The field of 2^255 - 19 elements, in which Curve25519 lives (RFC 7748, section 4.1).
//!
//! An element is five limbs of 64 bits, limb i worth 2^(51 i); the limbs overlap, and so one element has
//! many forms. Two bounds on the limbs keep every sum and product below from overflowing:
//!
//! - *tight*: at most 2^51 + 2^13. Products, squares and decoded elements are.
//! - *loose*: below 2^54. Sums and differences of tight elements are, and products take them.
//!
//! No function branches on an element or uses it as an index, and an element is wiped when it is dropped.

use super::ct::wipe;
use std::array;
use std::hint::black_box;
use std::slice;

/// An element of the field. Neither it nor anything made from it prints or compares.
pub(super) struct Element([u64; 5]);

/// The bits of a limb.
const LOW: u64 = (1 << 51) - 1;

impl Element {
    pub(super) const ZERO: Self = Self([0; 5]);
    pub(super) const ONE: Self = Self([1, 0, 0, 0, 0]);

    /// A number below 2^51. Tight.
    pub(super) const fn small(number: u64) -> Self {
        assert!(number <= LOW);
        Self([number, 0, 0, 0, 0])
    }

    /// Decodes 32 bytes, little endian; the top bit is ignored, and values from 2^255 - 19 up are reduced
    /// (`decodeUCoordinate`, RFC 7748, section 5). Tight.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        // Limb i begins at bit 51 i: 0, 51 = 6 * 8 + 3, 102 = 12 * 8 + 6, 153 = 19 * 8 + 1, 204 = 24 * 8 + 12.
        let word = |at: usize| {
            bytes[at..at + 8]
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte))
        };
        Self([
            word(0) & LOW,
            word(6) >> 3 & LOW,
            word(12) >> 6 & LOW,
            word(19) >> 1 & LOW,
            word(24) >> 12 & LOW,
        ])
    }

    /// The one encoding that is below 2^255 - 19, of a tight element.
    pub(super) fn to_bytes(&self) -> [u8; 32] {
        let [mut a, mut b, mut c, mut d, mut e] = self.0;
        // The value h is below 2^255 + 2^218, and so below 2 p. Thus h >= p exactly if h + 19 >= 2^255: `over`
        // is the carry out of that sum, 0 or 1.
        let mut over = (a + 19) >> 51;
        over = (b + over) >> 51;
        over = (c + over) >> 51;
        over = (d + over) >> 51;
        over = (e + over) >> 51;
        // h - over * p = h + 19 * over - over * 2^255: the last carry is cut off.
        a += 19 * over;
        b += a >> 51;
        c += b >> 51;
        d += c >> 51;
        e += d >> 51;
        for limb in [&mut a, &mut b, &mut c, &mut d, &mut e] {
            *limb &= LOW;
        }
        let mut words = [
            a | b << 51,
            b >> 13 | c << 38,
            c >> 26 | d << 25,
            d >> 39 | e << 12,
        ];
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(&words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        wipe(&mut words);
        bytes
    }

    /// The sum of two tight elements. Loose: at most 2^52 + 2^14.
    pub(super) fn add(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        Self([
            a[0] + b[0],
            a[1] + b[1],
            a[2] + b[2],
            a[3] + b[3],
            a[4] + b[4],
        ])
    }

    /// The difference of two elements, each tight or the sum of two tight ones. Loose.
    pub(super) fn sub(&self, other: &Self) -> Self {
        // 4 p, limb by limb: at least 2^53 - 76 > 2^52 + 2^14, so no limb falls below zero, and none
        // reaches 2^52 + 2^14 + 2^53 < 2^54.
        const FIRST: u64 = 4 * (LOW - 18);
        const OTHERS: u64 = 4 * LOW;
        let (a, b) = (&self.0, &other.0);
        Self([
            a[0] + FIRST - b[0],
            a[1] + OTHERS - b[1],
            a[2] + OTHERS - b[2],
            a[3] + OTHERS - b[3],
            a[4] + OTHERS - b[4],
        ])
    }

    /// The product of two loose elements. Tight.
    pub(super) fn mul(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        // 2^255 = 19: what lies above limb 4 comes back below, 19 times. b < 2^54, so 19 b < 2^59.
        let (b1, b2, b3, b4) = (19 * b[1], 19 * b[2], 19 * b[3], 19 * b[4]);
        reduce([
            wide(a[0], b[0]) + wide(a[1], b4) + wide(a[2], b3) + wide(a[3], b2) + wide(a[4], b1),
            wide(a[0], b[1]) + wide(a[1], b[0]) + wide(a[2], b4) + wide(a[3], b3) + wide(a[4], b2),
            wide(a[0], b[2])
                + wide(a[1], b[1])
                + wide(a[2], b[0])
                + wide(a[3], b4)
                + wide(a[4], b3),
            wide(a[0], b[3])
                + wide(a[1], b[2])
                + wide(a[2], b[1])
                + wide(a[3], b[0])
                + wide(a[4], b4),
            wide(a[0], b[4])
                + wide(a[1], b[3])
                + wide(a[2], b[2])
                + wide(a[3], b[1])
                + wide(a[4], b[0]),
        ])
    }

    /// The square of a loose element. Tight.
    pub(super) fn square(&self) -> Self {
        let a = &self.0;
        // As in `mul`; what comes twice is doubled before: 2 a < 2^55 and 38 a < 2^60.
        let (d0, d1, d2, d3) = (2 * a[0], 2 * a[1], 2 * a[2], 2 * a[3]);
        let (a3, a4) = (19 * a[3], 19 * a[4]);
        reduce([
            wide(a[0], a[0]) + wide(d1, a4) + wide(d2, a3),
            wide(d0, a[1]) + wide(d2, a4) + wide(a[3], a3),
            wide(d0, a[2]) + wide(a[1], a[1]) + wide(d3, a4),
            wide(d0, a[3]) + wide(d1, a[2]) + wide(a[4], a4),
            wide(d0, a[4]) + wide(d1, a[3]) + wide(a[2], a[2]),
        ])
    }

    /// A loose element times a number below 2^17. Tight.
    pub(super) fn times(&self, number: u32) -> Self {
        // The caller's number is a constant of the curve. Each product is below 2^71, within `reduce`.
        debug_assert!(number < 1 << 17);
        reduce(self.0.map(|limb| wide(limb, u64::from(number))))
    }

    /// The inverse of a loose element, and 0 for 0: its power of p - 2 = 2^255 - 21. Tight.
    pub(super) fn invert(&self) -> Self {
        // (2^250 - 1) 2^5 + 11
        let [eleventh, high] = self.powers();
        high.squares(5).mul(&eleventh)
    }

    /// Whether a loose element is a square other than 0: all ones if it is, zeros if it is not.
    ///
    /// Euler: the power of (p - 1) / 2 = 2^254 - 10 is 1 for a square, -1 for no square, and 0 for 0.
    pub(super) fn is_square(&self) -> Mask {
        // (2^250 - 1) 2^4 + 6
        let [_, high] = self.powers();
        let sixth = self.square().mul(self).square();
        let mut symbol = high.squares(4).mul(&sixth).to_bytes();
        // Of 0, 1 and p - 1 only 1 is odd.
        let mask = Mask::new(symbol[0] & 1);
        wipe(&mut symbol);
        mask
    }

    /// The powers of 11 and of 2^250 - 1 of a loose element. Tight.
    fn powers(&self) -> [Self; 2] {
        // `n_k` is the power of 2^k - 1; from 2^a - 1 and 2^b - 1 comes (2^a - 1) 2^b + 2^b - 1 = 2^(a+b) - 1.
        let second = self.square();
        let ninth = second.squares(2).mul(self);
        let eleventh = ninth.mul(&second);
        let n_5 = eleventh.square().mul(&ninth); // 22 + 9 = 31
        let n_10 = n_5.squares(5).mul(&n_5);
        let n_20 = n_10.squares(10).mul(&n_10);
        let n_40 = n_20.squares(20).mul(&n_20);
        let n_50 = n_40.squares(10).mul(&n_10);
        let n_100 = n_50.squares(50).mul(&n_50);
        let n_200 = n_100.squares(100).mul(&n_100);
        let n_250 = n_200.squares(50).mul(&n_50);
        [eleventh, n_250]
    }

    /// Squared that often, at least once.
    fn squares(&self, times: usize) -> Self {
        (1..times).fold(self.square(), |element, _| element.square())
    }

    /// Exchanges two elements where the mask says so.
    pub(super) fn swap(a: &mut Self, b: &mut Self, mask: &Mask) {
        for (a, b) in a.0.iter_mut().zip(&mut b.0) {
            let change = mask.0 & (*a ^ *b);
            *a ^= change;
            *b ^= change;
        }
    }

    /// The first where the mask says so, else the second.
    pub(super) fn select(yes: &Self, no: &Self, mask: &Mask) -> Self {
        Self(array::from_fn(|i| {
            no.0[i] ^ (mask.0 & (yes.0[i] ^ no.0[i]))
        }))
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// A secret yes, all ones, or no, zeros.
pub(super) struct Mask(u64);

impl Mask {
    /// From a bit: 1 is yes, 0 is no.
    pub(super) fn new(bit: u8) -> Self {
        // The barrier hides from the optimiser that there are two values, so it cannot branch on them.
        Self(0_u64.wrapping_sub(u64::from(black_box(bit))))
    }

    /// Whether it says yes. It is no secret any more then: for tests.
    #[cfg(test)]
    pub(super) fn is_yes(&self) -> bool {
        self.0 == u64::MAX
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        wipe(slice::from_mut(&mut self.0));
    }
}

fn wide(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// Carries sums of products up, and around from the top to the bottom once. Tight.
///
/// Of loose factors, a product is below 2^108. The largest sum is the first of `mul`, one product and four
/// times 19: below 77 * 2^108 < 2^115. The last has no 19 in it: below 5 * 2^108.
fn reduce(mut sums: [u128; 5]) -> Element {
    let mut limbs = [0; 5];
    for i in 0..4 {
        limbs[i] = sums[i] as u64 & LOW;
        sums[i + 1] += sums[i] >> 51;
    }
    limbs[4] = sums[4] as u64 & LOW;
    // With the carry of the sum before, the last is below 5 * 2^108 + 2^65; its own carry is at most
    // 5 * 2^57 + 2^14, and 19 times that, with a limb, below 2^64.
    limbs[0] += 19 * (sums[4] >> 51) as u64;
    // Of that, at most 95 * 2^6 + 1 < 2^13 goes on: limb 1 is at most 2^51 + 2^13, the others below 2^51.
    limbs[1] += limbs[0] >> 51;
    limbs[0] &= LOW;
    Element(limbs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// p - 1, p, p + 1 and 2^255 - 1, little endian.
    fn at_the_top(low: u8) -> [u8; 32] {
        let mut bytes = [0xff; 32];
        bytes[0] = low;
        bytes[31] = 0x7f;
        bytes
    }

    /// Elements with the largest limbs that are tight, and some that are nothing special.
    fn samples() -> Vec<Element> {
        let mut samples = vec![
            Element::ZERO,
            Element::ONE,
            Element([(1 << 51) + (1 << 13); 5]),
            Element([LOW; 5]),
            Element::from_bytes(&at_the_top(0xec)),
        ];
        let mut bytes = [1_u8; 32];
        for round in 0..20 {
            for byte in &mut bytes {
                *byte = byte.wrapping_mul(5).wrapping_add(113 + round);
            }
            samples.push(Element::from_bytes(&bytes));
        }
        samples
    }

    fn same(a: &Element, b: &Element) -> bool {
        a.mul(&Element::ONE).to_bytes() == b.mul(&Element::ONE).to_bytes()
    }

    fn is_tight(a: &Element) -> bool {
        a.0.iter().all(|limb| *limb <= (1 << 51) + (1 << 13))
    }

    #[test]
    fn encoding_is_unique_and_decoding_reduces() {
        for (low, value) in [
            (0xec, None),
            (0xed, Some(0)),
            (0xee, Some(1)),
            (0xff, Some(18)),
        ] {
            let mut expected = at_the_top(low);
            if let Some(value) = value {
                expected = [0; 32];
                expected[0] = value;
            }
            assert_eq!(Element::from_bytes(&at_the_top(low)).to_bytes(), expected);
            let mut high = at_the_top(low);
            high[31] |= 0x80;
            assert_eq!(Element::from_bytes(&high).to_bytes(), expected);
        }
        // The largest tight element is above 2^255.
        let largest = Element([(1 << 51) + (1 << 13); 5]);
        assert_eq!(largest.to_bytes(), largest.mul(&Element::ONE).to_bytes());
    }

    #[test]
    fn the_laws_of_a_field_hold_at_the_bounds() {
        let samples = samples();
        for a in &samples {
            assert!(same(&a.sub(a), &Element::ZERO));
            assert!(same(&a.mul(a), &a.square()));
            assert!(same(&a.times(121_665), &a.mul(&Element::small(121_665))));
            let one = a.mul(&a.invert());
            assert!(same(&one, &Element::ONE) || same(a, &Element::ZERO));
            for b in &samples {
                let (sum, difference) = (a.add(b), a.sub(b));
                assert!(same(&sum, &b.add(a)));
                assert!(same(&a.mul(b), &b.mul(a)));
                // (a + b)(a - b) = a^2 - b^2, with loose factors.
                let product = sum.mul(&difference);
                assert!(
                    is_tight(&product) && is_tight(&sum.square()) && is_tight(&difference.square())
                );
                assert!(same(&product, &a.square().sub(&b.square())));
                // The differences of two sums are the largest loose elements there are.
                let largest = sum.sub(&Element::ZERO.add(&Element::ZERO));
                assert!(largest.0.iter().all(|limb| *limb < 1 << 54));
                assert!(is_tight(&largest.square()) && is_tight(&largest.times((1 << 17) - 1)));
                assert!(same(&largest.square(), &sum.mul(&sum)));
                for c in samples.iter().take(6) {
                    assert!(same(&a.mul(b).mul(c), &a.mul(&b.mul(c))));
                    assert!(same(&sum.mul(c), &a.mul(c).add(&b.mul(c))));
                }
            }
        }
    }

    #[test]
    fn products_of_the_largest_limbs_do_not_overflow() {
        let largest = Element([(1 << 54) - 1; 5]);
        assert!(is_tight(&largest.mul(&largest)));
        assert!(same(&largest.mul(&largest), &largest.square()));
        // Carried into a form that cannot overflow, it is the same element.
        let tight = largest.mul(&Element::ONE);
        assert!(same(&largest.square(), &tight.mul(&tight)));
    }

    #[test]
    fn squares_are_told_from_others() {
        let yes = |a: &Element| a.is_square().is_yes();
        assert!(yes(&Element::ONE));
        assert!(!yes(&Element::ZERO));
        // 2 is none, as p = 5 mod 8; -1 is one, as p = 1 mod 4.
        let two = Element::small(2);
        assert!(!yes(&two));
        assert!(yes(&Element::ZERO.sub(&Element::ONE)));
        for a in samples().iter().filter(|a| !same(a, &Element::ZERO)) {
            assert!(yes(&a.square()));
            assert!(!yes(&a.square().mul(&two)));
        }
    }

    #[test]
    fn a_mask_swaps_and_selects_all_or_nothing() {
        for (bit, first) in [(0, 5), (1, 9)] {
            let (mut a, mut b) = (Element([5; 5]), Element([9; 5]));
            let mask = Mask::new(bit);
            assert_eq!(Element::select(&b, &a, &mask).0, [first; 5]);
            Element::swap(&mut a, &mut b, &mask);
            assert_eq!((a.0, b.0), ([first; 5], [14 - first; 5]));
        }
    }
}

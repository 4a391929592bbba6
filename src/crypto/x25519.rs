//! X25519 (RFC 7748, section 5): Diffie-Hellman on Curve25519, by u-coordinates alone.

use super::ct::wipe;
use super::field25519::{Element, Mask};

/// The u-coordinate of the base point (section 4.1).
const BASE: [u8; 32] = {
    let mut base = [0; 32];
    base[0] = 9;
    base
};

/// (A - 2) / 4, for the curve's A = 486662.
const A24: u32 = 121_665;

/// The scalar times the point with that u-coordinate, 32 bytes little endian each. Any 32 bytes are a
/// scalar and a coordinate: they are clamped, masked and reduced as section 5 says.
///
/// All zeros come out for the few points of low order (section 6.1): where the other side chose the point, a
/// protocol has to refuse that. The result is secret, and the caller wipes it.
pub fn x25519(scalar: &[u8; 32], u: &[u8; 32]) -> [u8; 32] {
    let mut scalar = *scalar;
    scalar[0] &= 0b1111_1000;
    scalar[31] &= 0b0111_1111;
    scalar[31] |= 0b0100_0000;
    let result = ladder(&scalar, &Element::from_bytes(u));
    wipe(&mut scalar);
    result
}

/// The public key of a scalar: the scalar times the base point.
pub fn public(scalar: &[u8; 32]) -> [u8; 32] {
    x25519(scalar, &BASE)
}

/// The Montgomery ladder of section 5, in its names. Its course depends on nothing secret: 255 equal
/// steps, the bits of the scalar only in masks. All variables are tight between the steps.
fn ladder(scalar: &[u8; 32], x_1: &Element) -> [u8; 32] {
    let (mut x_2, mut z_2) = (Element::ONE, Element::ZERO);
    let (mut x_3, mut z_3) = (x_1.mul(&Element::ONE), Element::ONE);
    let mut before = 0;
    for t in (0..255).rev() {
        let bit = scalar[t / 8] >> (t % 8) & 1;
        // Two exchanges in a row undo each other.
        let mask = Mask::new(before ^ bit);
        Element::swap(&mut x_2, &mut x_3, &mask);
        Element::swap(&mut z_2, &mut z_3, &mask);
        before = bit;

        let (a, b) = (x_2.add(&z_2), x_2.sub(&z_2));
        let (c, d) = (x_3.add(&z_3), x_3.sub(&z_3));
        let (aa, bb) = (a.square(), b.square());
        let e = aa.sub(&bb);
        let (da, cb) = (d.mul(&a), c.mul(&b));
        x_3 = da.add(&cb).square();
        z_3 = x_1.mul(&da.sub(&cb).square());
        x_2 = aa.mul(&bb);
        z_2 = e.mul(&aa.add(&e.times(A24)));
    }
    let mask = Mask::new(before);
    Element::swap(&mut x_2, &mut x_3, &mask);
    Element::swap(&mut z_2, &mut z_3, &mask);
    x_2.mul(&z_2.invert()).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    #[test]
    fn the_vectors_of_section_5_2_hold() {
        for (scalar, u, result) in [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ] {
            let result: [u8; 32] = hex::array(result);
            assert_eq!(x25519(&hex::array(scalar), &hex::array(u)), result);
        }
    }

    /// Section 5.2: the result becomes the scalar, and the scalar the coordinate, again and again.
    fn iterated(times: usize) -> [u8; 32] {
        let (mut scalar, mut u) = (BASE, BASE);
        for _ in 0..times {
            (scalar, u) = (x25519(&scalar, &u), scalar);
        }
        scalar
    }

    #[test]
    fn one_iteration_gives_the_scalar_of_section_5_2() {
        let once = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
        assert_eq!(iterated(1), hex::array(once));
    }

    #[test]
    #[cfg_attr(miri, ignore = "a thousand ladders")]
    fn a_thousand_iterations_give_the_scalar_of_section_5_2() {
        let thousand = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
        assert_eq!(iterated(1000), hex::array(thousand));
    }

    #[test]
    #[ignore = "a minute or more: cargo test --release -- --ignored a_million_iterations"]
    fn a_million_iterations_give_the_scalar_of_section_5_2() {
        let million = "7c3911e0ab2586fd864497297e575e6f3bc601c0883c30df5f4dd2d24f665424";
        assert_eq!(iterated(1_000_000), hex::array(million));
    }

    #[test]
    fn the_exchange_of_section_6_1_holds() {
        let [a, a_public, b, b_public, shared]: [[u8; 32]; 5] = [
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        ]
        .map(hex::array);
        assert_eq!(public(&a), a_public);
        assert_eq!(public(&b), b_public);
        assert_eq!(x25519(&a, &b_public), shared);
        assert_eq!(x25519(&b, &a_public), shared);
    }
}

//! X25519 and CPace: the first beside dalek; the second, which no package has with this curve, beside the
//! draft's own definitions, put together from a hash, a MAC, a ladder and big integers of others.

use std::sync::OnceLock;

use hmac::{Hmac, Mac};
use num_bigint::BigUint;
use p2pxfer::crypto;
use p2pxfer::crypto::cpace::{Initiator, Responder};
use sha2::{Digest, Sha512};

use crate::input::Input;

pub(crate) fn x25519(input: &Input) -> bool {
    let (scalar, u) = (input.array(0), input.array(32));
    crypto::x25519::x25519(&scalar, &u) == x25519_dalek::x25519(scalar, u)
        && crypto::x25519::public(&scalar)
            == x25519_dalek::x25519(scalar, x25519_dalek::X25519_BASEPOINT_BYTES)
}

/// The text is password and channel; the rest comes from the seed.
pub(crate) fn cpace(input: &Input) -> bool {
    let (prs, ci) = input.pieces();
    let (a, b) = (input.array(0), input.array(32));
    let sid = &input.seed[64..64 + usize::from(input.seed[255]) % 65];
    let (ada, adb) = (
        input.some(),
        &input.seed[..usize::from(input.seed[254]) % 200],
    );

    let (initiator, ya) = Initiator::new(prs, ci, sid, ada, a);
    let answered = Responder::respond(prs, ci, sid, &ya, ada, adb, b);

    let g = generator(prs, ci, sid);
    let (their_ya, their_yb) = (x25519_dalek::x25519(a, g), x25519_dalek::x25519(b, g));
    let k = x25519_dalek::x25519(a, their_yb);
    // Scalars are now and then the same after clamping, and then the shares are.
    let Ok((theirs, yb)) = answered else {
        return k == [0; 32];
    };
    if yb == ya {
        return their_ya == their_yb && initiator.finish(&yb, adb).is_err();
    }
    let Ok(ours) = initiator.finish(&yb, adb) else {
        return false;
    };

    let transcript = [lv_cat(&[&their_ya, ada]), lv_cat(&[&their_yb, adb])];
    let head = lv_cat(&[b"CPace255_ISK", sid, &k]);
    let isk = Sha512::digest([&head[..], &transcript[0], &transcript[1]].concat());
    let mac_key = Sha512::digest([&b"CPaceMac"[..], sid, &isk].concat());
    let [ta, tb] = transcript.map(|message| {
        let mut mac = Hmac::<Sha512>::new_from_slice(&mac_key).expect("any length");
        mac.update(&message);
        mac.finalize().into_bytes()
    });
    (ya, yb) == (their_ya, their_yb)
        && ours.isk()[..] == isk[..]
        && theirs.isk()[..] == isk[..]
        && ours.own()[..] == ta[..]
        && ours.expected()[..] == tb[..]
        && theirs.own()[..] == tb[..]
        && theirs.expected()[..] == ta[..]
}

/// Sections 8.1 and 8.2.
fn generator(prs: &[u8], ci: &[u8], sid: &[u8]) -> [u8; 32] {
    let dsi = b"CPace255";
    let front = lv_cat(&[dsi, prs]);
    let padding = vec![0; 127_usize.saturating_sub(front.len())];
    let text = [front, lv_cat(&[&padding, ci, sid])].concat();
    let mut u: [u8; 32] = Sha512::digest(text)[..32].try_into().expect("64 bytes");
    u[31] &= 0x7f;
    elligator_2(&BigUint::from_bytes_le(&u))
}

/// Appendix A.5, with q = 2^255 - 19, A = 486662, B = 1, z = 2.
fn elligator_2(r: &BigUint) -> [u8; 32] {
    static Q: OnceLock<BigUint> = OnceLock::new();
    let q = Q.get_or_init(|| (BigUint::from(1_u8) << 255) - 19_u8);
    let a = BigUint::from(486_662_u32);
    let minus_a = q - &a;
    let divisor = (r * r * 2_u8 + 1_u8) % q;
    let v = minus_a * divisor.modinv(q).expect("never 0") % q;
    let g = (&v * &v * &v + &a * &v * &v + &v) % q;
    let epsilon = g.modpow(&((q - 1_u8) / 2_u8), q);
    // x = epsilon v - (1 - epsilon) A / 2
    let half = ((q + 1_u8) / 2_u8) * &a % q;
    let x = (&epsilon * &v + (&epsilon + q - 1_u8) * half) % q;
    let mut bytes = x.to_bytes_le();
    bytes.resize(32, 0);
    bytes.try_into().expect("below 2^256")
}

/// Appendix A.1.
fn lv_cat(strings: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    for string in strings {
        let mut length = string.len();
        while length >= 128 {
            all.push((length % 128 + 128) as u8);
            length /= 128;
        }
        all.push(length as u8);
        all.extend_from_slice(string);
    }
    all
}

//! SHA-512, HMAC and HKDF, beside the packages of RustCrypto.

use hmac::Mac;
use p2pxfer::crypto;
use sha2::Digest;

use crate::input::Input;

pub(crate) fn sha512(input: &Input) -> bool {
    let (first, second) = input.pieces();
    let mut ours = crypto::sha2::Sha512::new();
    ours.update(first);
    let mut fork = ours.clone();
    ours.update(second);
    fork.update(second);
    let theirs: [u8; 64] = sha2::Sha512::digest(input.text).into();
    ours.finish() == theirs && fork.finish() == theirs && crypto::sha2::sha512(input.text) == theirs
}

pub(crate) fn hmac(input: &Input) -> bool {
    let (first, second) = input.pieces();
    let mut ours = crypto::hmac::HmacSha512::new(input.some());
    ours.update(first);
    ours.update(second);
    let mut theirs = hmac::Hmac::<sha2::Sha512>::new_from_slice(input.some()).expect("any length");
    theirs.update(input.text);
    ours.finish()[..] == theirs.finalize().into_bytes()[..]
}

/// The text is salt and input; as many bytes come out as the seed says, now and then too many.
pub(crate) fn hkdf(input: &Input) -> bool {
    let (salt, secret) = input.pieces();
    let info = input.some();
    let length = match input.array::<2>(0) {
        [0, kind] => crypto::hkdf::MAX_OUTPUT - 2 + usize::from(kind % 5),
        [first, second] => usize::from(first) + usize::from(second % 8) * 64,
    };
    let key = crypto::hkdf::extract(salt, secret);
    let (one, other) = info.split_at(info.len() / 3);
    let mut ours = vec![0; length];
    let expanded = crypto::hkdf::expand(key.expose(), &[one, other], &mut ours);

    let (their_key, hkdf) = hkdf::Hkdf::<sha2::Sha512>::extract(Some(salt), secret);
    let mut theirs = vec![0; length];
    let their_expanded = hkdf.expand(info, &mut theirs);
    key.expose()[..] == their_key[..]
        && expanded.is_ok() == their_expanded.is_ok()
        && ours == theirs
}

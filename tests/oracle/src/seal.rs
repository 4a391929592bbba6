//! ChaCha20, Poly1305 and what is made of both, beside the packages of RustCrypto.

use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use p2pxfer::crypto;

use crate::input::Input;

pub(crate) fn chacha20(input: &Input) -> bool {
    let (key, nonce) = (input.array(0), input.array(32));
    let block = input.cut / 64;
    let ours = crypto::chacha20::ChaCha20::new(&key, &nonce);
    let mut room = Room::new(input);
    let text = room.text();
    ours.apply(0, &mut text[..64 * block]);
    ours.apply(block as u32, &mut text[64 * block..]);
    let mut theirs = input.text.to_vec();
    chacha20::ChaCha20::new(&key.into(), &nonce.into()).apply_keystream(&mut theirs);
    *text == theirs
}

pub(crate) fn poly1305(input: &Input) -> bool {
    let key = input.array(0);
    let (first, second) = input.pieces();
    let mut ours = crypto::poly1305::Poly1305::new(&key);
    ours.update(first);
    ours.update(second);
    let theirs = poly1305::Poly1305::new(&key.into()).compute_unpadded(input.text);
    ours.finish()[..] == theirs[..]
}

/// Seals and opens, and refuses what has one bit changed.
pub(crate) fn aead(input: &Input) -> bool {
    let (key, nonce) = (input.array(0), input.array(32));
    let ours = crypto::aead::Key::from(key);
    let mut room = Room::new(input);
    let text = room.text();
    let tag = ours.seal(&nonce, input.some(), text);

    let cipher = chacha20poly1305::ChaCha20Poly1305::new(&key.into());
    let mut theirs = input.text.to_vec();
    let their_tag = cipher
        .encrypt_in_place_detached(&nonce.into(), input.some(), &mut theirs)
        .expect("short enough");
    if *text != theirs || tag[..] != their_tag[..] {
        return false;
    }

    let [at, bit] = input.array(50);
    let mut changed = tag;
    let place = usize::from(at) * (text.len() + tag.len()) / 256;
    match text.get_mut(place) {
        Some(byte) => *byte ^= 1 << (bit % 8),
        None => changed[place - theirs.len()] ^= 1 << (bit % 8),
    }
    let forged = text.to_vec();
    let refused = ours.open(&nonce, input.some(), text, &changed).is_err() && *text == forged;
    text.copy_from_slice(&theirs);
    refused && ours.open(&nonce, input.some(), text, &tag).is_ok() && text == input.text
}

/// A copy of a text, as far from a multiple of 64 as the text is.
struct Room {
    bytes: Vec<u8>,
    begin: usize,
    length: usize,
}

impl Room {
    fn new(input: &Input) -> Self {
        let length = input.text.len();
        let mut bytes = vec![0; length + 128];
        let begin = bytes.as_ptr().align_offset(64) + input.offset;
        bytes[begin..begin + length].copy_from_slice(input.text);
        Self {
            bytes,
            begin,
            length,
        }
    }

    fn text(&mut self) -> &mut [u8] {
        &mut self.bytes[self.begin..self.begin + self.length]
    }
}

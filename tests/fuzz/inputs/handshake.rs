//! Either side of the handshake, told anything in any pieces: it never has a channel, takes no byte twice, and
//! says no more than its messages.

use p2pxfer::transfer::handshake::{ENTROPY, Initiator, Responder, Step};
use p2pxfer::wire::v1::Header;

use super::pair::{secret, user};
use super::script::Script;

pub(crate) fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let (user, secret) = (user(), secret());
    let secret = script.yes().then_some(&secret);
    let header = Header::new(b"name", 3).filter(|_| script.yes());
    if script.yes() {
        let (mut sender, first) = Initiator::new(&user, secret, header.as_ref(), [1; ENTROPY]);
        if secret.is_some() {
            assert!(!first.windows(4).any(|four| four == b"name"));
        }
        let mut said = 0;
        while let Some(piece) = next(&mut script, sender.wanted()) {
            match sender.handle(piece) {
                Ok((used, Step::More)) => assert_eq!(used, piece.len()),
                Ok((used, Step::Send(bytes))) => {
                    assert!(used <= piece.len());
                    said += bytes.len();
                    assert_eq!(said, 48, "M2, once");
                }
                Ok((_, Step::Version1(_))) => {
                    assert!(secret.is_none() && header.is_some());
                    return;
                }
                Ok((_, Step::Refuse(bytes, _))) => {
                    assert_eq!(bytes, [0; 64]);
                    return;
                }
                Ok((_, Step::Done(..))) => panic!("a channel with nobody"),
                Err(_) => return,
            }
        }
    } else {
        let old = script.byte() == 0xff && secret.is_none();
        let mut receiver = Responder::new(&user, secret, old, [2; ENTROPY]);
        let mut said = 0;
        while let Some(piece) = next(&mut script, receiver.wanted()) {
            match receiver.handle(piece) {
                Ok((used, Step::More)) => assert_eq!(used, piece.len()),
                Ok((used, Step::Send(bytes))) => {
                    assert!(used <= piece.len());
                    said += bytes.len();
                    assert!(said == 19 || said == 19 + 96, "M1, then M3");
                }
                Ok((_, Step::Version1(_))) => {
                    assert!(secret.is_none());
                    return;
                }
                Ok((_, Step::Refuse(bytes, _))) => {
                    assert!(bytes == b"X" || bytes.len() == 19);
                    return;
                }
                Ok((_, Step::Done(..))) => panic!("a channel with nobody"),
                Err(_) => return,
            }
        }
    }
}

/// The next piece of what the machine wants; `None` when one of them is through.
fn next<'a>(script: &mut Script<'a>, wanted: usize) -> Option<&'a [u8]> {
    if script.is_over() || wanted == 0 {
        return None;
    }
    let most = match script.byte() {
        0..0xe0 => wanted,
        few => wanted.min(usize::from(few) - 0xdf),
    };
    Some(script.bytes(most)).filter(|piece| !piece.is_empty())
}

//! Sealed records that are changed, cut, moved and mixed on their way: what opens is what was sent, from the
//! first record on, without a gap.

use p2pxfer::transfer::channel::{RECORD_MAX, frame};

use super::pair::channels;
use super::script::Script;

pub(crate) fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let [mut sender, mut receiver] = channels();
    let (mut sent, mut wire) = (Vec::new(), Vec::new());
    for _ in 0..=script.one_of(4) {
        let size = 1 + script.one_of(40);
        let mut plain = vec![b' '; size];
        plain[0] = script.byte();
        let start = wire.len();
        frame(&mut wire, |out| out.extend_from_slice(&plain));
        sender.sealer.seal(&mut wire[start..]);
        sent.push((plain, start..wire.len()));
    }
    let honest = wire.clone();
    while !script.is_over() {
        let at = script.one_of(wire.len().max(1)).min(wire.len());
        match script.one_of(6) {
            0 if at < wire.len() => wire[at] ^= 1 << script.one_of(8),
            1 => wire.truncate(at),
            2 => {
                wire.splice(at..at, script.bytes(8).iter().copied());
            }
            3 => {
                let (_, range) = &sent[script.one_of(sent.len())];
                wire.extend_from_slice(&honest[range.clone()]);
            }
            4 => wire.rotate_left(at),
            _ => {
                wire.drain(..at);
            }
        }
    }
    let piece = 1 + script.one_of(64);
    let mut buffer = Vec::new();
    let mut opened = 0;
    'wire: for bytes in wire.chunks(piece) {
        buffer.extend_from_slice(bytes);
        loop {
            match receiver.opener.open(&mut buffer) {
                Ok(Some((used, text))) => {
                    assert_eq!(buffer[text], sent[opened].0);
                    opened += 1;
                    buffer.drain(..used);
                }
                Ok(None) => {
                    assert!(buffer.len() < RECORD_MAX);
                    break;
                }
                Err(_) => break 'wire,
            }
        }
    }
    let unchanged = honest.iter().zip(&wire).take_while(|(a, b)| a == b).count();
    let whole = sent.iter().filter(|(_, range)| range.end <= unchanged);
    assert_eq!(opened, whole.count());
}

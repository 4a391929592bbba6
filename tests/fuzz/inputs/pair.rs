//! Two ends of a channel, by the real handshake with fixed entropy.

use p2pxfer::transfer::channel::Channel;
use p2pxfer::transfer::handshake::{ENTROPY, Initiator, Responder, Step};
use p2pxfer::transfer::{Secret, UserId};

pub(crate) fn user() -> UserId {
    UserId::new(b"alice").expect("an id")
}

pub(crate) fn secret() -> Secret {
    Secret::new(b"correct horse".to_vec()).expect("a secret")
}

/// The sender's, and the receiver's.
pub(crate) fn channels() -> [Channel; 2] {
    let (user, secret) = (user(), secret());
    let (mut sender, header) = Initiator::new(&user, Some(&secret), None, [1; ENTROPY]);
    let mut receiver = Responder::new(&user, Some(&secret), false, [2; ENTROPY]);
    let mut heard = header.to_vec();
    loop {
        match receiver.handle(&heard) {
            Ok((_, Step::Send(bytes))) => heard = bytes,
            _ => panic!("the receiver says nothing"),
        }
        match sender.handle(&heard) {
            Ok((_, Step::Send(bytes))) => heard = bytes,
            Ok((_, Step::Done(last, of_sender))) => match receiver.handle(&last) {
                Ok((_, Step::Done(_, of_receiver))) => return [of_sender, of_receiver],
                _ => panic!("the receiver is not done"),
            },
            _ => panic!("the sender says nothing"),
        }
    }
}

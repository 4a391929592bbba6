use super::*;
use crate::crypto::aead::Forged;
use crate::transfer::channel::frame;
use crate::transfer::error::Kind;

/// M0 to M4, as numbers and sizes.
const SIZES: [usize; 5] = [48, 19, 48, 96, 64];

fn user() -> UserId {
    UserId::new(b"alice").unwrap()
}

fn secret(text: &str) -> Option<Secret> {
    (!text.is_empty()).then(|| Secret::new(text.into()).unwrap())
}

struct Sides {
    initiator: Initiator,
    responder: Responder,
    first: Vec<u8>,
}

/// Two sides with fixed entropy, and with these secrets; "" is none.
fn sides(sender: &str, receiver: &str) -> Sides {
    fresh(sender, receiver, 1)
}

/// As [`sides`], with entropy of its own.
fn fresh(sender: &str, receiver: &str, seed: u8) -> Sides {
    let (initiator, first) = initiator(&user(), sender, seed);
    Sides {
        initiator,
        responder: responder(&user(), receiver, seed),
        first,
    }
}

fn initiator(user: &UserId, text: &str, seed: u8) -> (Initiator, Vec<u8>) {
    let header = Header::new(b"a", 3).unwrap();
    let entropy = [seed; ENTROPY];
    let (initiator, first) = Initiator::new(user, secret(text).as_ref(), Some(&header), entropy);
    (initiator, first.to_vec())
}

fn responder(user: &UserId, text: &str, seed: u8) -> Responder {
    Responder::new(user, secret(text).as_ref(), false, [!seed; ENTROPY])
}

enum End {
    Channel(Channel),
    Version1,
    Failed(Error),
}

impl End {
    fn channel(self) -> Channel {
        match self {
            Self::Channel(channel) => channel,
            Self::Version1 => panic!("version 1"),
            Self::Failed(error) => panic!("{error}"),
        }
    }

    fn error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            _ => panic!("no error"),
        }
    }
}

/// What came of one message: what the machine says to it, and its end if that was it.
fn told<V>(handled: Result<(usize, Step<V>), Error>) -> (Vec<u8>, Option<End>) {
    match handled {
        Ok((_, Step::More)) => (Vec::new(), None),
        Ok((_, Step::Send(bytes))) => (bytes, None),
        Ok((_, Step::Version1(_))) => (Vec::new(), Some(End::Version1)),
        Ok((_, Step::Refuse(bytes, error))) => (bytes, Some(End::Failed(error))),
        Ok((_, Step::Done(bytes, channel))) => (bytes, Some(End::Channel(channel))),
        Err(error) => (Vec::new(), Some(End::Failed(error))),
    }
}

/// How many bytes a machine took, and whether it wants more.
fn taken<V>(handled: Result<(usize, Step<V>), Error>) -> (usize, bool) {
    let (used, step) = handled.unwrap_or_else(|error| panic!("{error}"));
    (used, matches!(step, Step::More))
}

/// Lets the two speak until neither has anything to say. `change` sees each message with its number and may
/// change it; `cut` says where it is cut into pieces.
fn speak_in_pieces(
    mut sides: Sides,
    change: &mut dyn FnMut(usize, &mut Vec<u8>),
    cut: &dyn Fn(usize) -> usize,
) -> (Option<End>, Option<End>) {
    let (mut at_sender, mut at_receiver) = (None, None);
    let mut message = sides.first;
    for number in 0..5 {
        change(number, &mut message);
        let (before, behind) = message.split_at(cut(number).min(message.len()));
        let mut answer = Vec::new();
        for bytes in [before, behind] {
            let ((said, ended), end) = match number % 2 {
                0 => (told(sides.responder.handle(bytes)), &mut at_receiver),
                _ => (told(sides.initiator.handle(bytes)), &mut at_sender),
            };
            answer.extend(said);
            *end = end.take().or(ended);
        }
        message = answer;
    }
    (at_sender, at_receiver)
}

fn speak(sides: Sides, change: &mut dyn FnMut(usize, &mut Vec<u8>)) -> (Option<End>, Option<End>) {
    speak_in_pieces(sides, change, &|_| 0)
}

fn undisturbed(sides: Sides) -> (Option<End>, Option<End>) {
    speak(sides, &mut |_, _| {})
}

/// The messages of a session that nobody disturbs.
fn recorded(sides: Sides) -> [Vec<u8>; 5] {
    let mut messages = Vec::new();
    speak(sides, &mut |_, message| messages.push(message.clone()));
    messages.try_into().unwrap()
}

fn record(text: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    frame(&mut record, |out| out.extend_from_slice(text));
    record
}

fn assert_connected(sender: Option<End>, receiver: Option<End>, verified: bool) {
    let mut sender = sender.expect("an end").channel();
    let mut receiver = receiver.expect("an end").channel();
    assert_eq!((sender.verified, receiver.verified), (verified, verified));
    for (from, to) in [
        (&mut sender.sealer, &mut receiver.opener),
        (&mut receiver.sealer, &mut sender.opener),
    ] {
        let mut record = record(b"text");
        from.seal(&mut record);
        let (_, text) = to.open(&mut record).unwrap().unwrap();
        assert_eq!(&record[text], b"text");
    }
}

/// Neither side may have a channel; but a sender has one before its last message can have arrived.
fn assert_no_channel(ends: (Option<End>, Option<End>), sender_was_done: bool, what: &str) {
    let (sender, receiver) = ends;
    assert!(!matches!(receiver, Some(End::Channel(_))), "{what}");
    let has = matches!(sender, Some(End::Channel(_)));
    assert!(!has || sender_was_done, "{what}");
}

#[test]
fn both_get_a_channel_wherever_the_bytes_are_split() {
    for text in ["", "secret"] {
        for (number, size) in SIZES.into_iter().enumerate() {
            for cut in 0..=size {
                let at = |this| if this == number { cut } else { 0 };
                let (sender, receiver) = speak_in_pieces(sides(text, text), &mut |_, _| {}, &at);
                assert_connected(sender, receiver, !text.is_empty());
            }
        }
    }
}

#[test]
fn both_get_a_channel_from_single_bytes_and_no_byte_behind_a_message_is_used() {
    let messages = recorded(sides("a", "a"));
    let Sides {
        mut initiator,
        mut responder,
        ..
    } = sides("a", "a");
    for (number, message) in messages.iter().enumerate() {
        let (last, front) = message.split_last().unwrap();
        let mut handle = |bytes: &[u8]| match number % 2 {
            0 => (responder.wanted(), taken(responder.handle(bytes))),
            _ => (initiator.wanted(), taken(initiator.handle(bytes))),
        };
        for (done, byte) in front.iter().enumerate() {
            let (wanted, taken) = handle(&[*byte]);
            let left = message.len() - done;
            assert!(wanted == left || (number, done, wanted) == (1, 0, 1));
            assert_eq!(taken, (1, true));
        }
        let (_, taken) = handle(&[&[*last][..], b"behind"].concat());
        assert_eq!(taken, (1, false), "M{number}");
    }
    assert_eq!((initiator.wanted(), responder.wanted()), (0, 0));
    assert_eq!(taken(initiator.handle(b"behind")), (0, true));
    assert_eq!(taken(responder.handle(b"behind")), (0, true));
}

#[test]
fn the_two_directions_have_different_keys() {
    let (sender, _) = undisturbed(sides("a", "a"));
    let mut sender = sender.unwrap().channel();
    let mut record = record(b"text");
    sender.sealer.seal(&mut record);
    assert_eq!(sender.opener.open(&mut record), Err(Forged));
}

#[test]
fn different_secrets_and_a_secret_on_one_side_are_told_to_both() {
    let ends = |sender, receiver| {
        let (sender, receiver) = undisturbed(sides(sender, receiver));
        (sender.unwrap().error(), receiver.unwrap().error())
    };
    let wrong = ends("a", "b");
    assert!(matches!(wrong, (Error::WrongSecret, Error::WrongSecret)));
    // As bytes, not as text: no case, no space and no other way to write it is the same.
    let wrong = ends("Secret", "secret");
    assert!(matches!(wrong, (Error::WrongSecret, Error::WrongSecret)));
    let ours = ends("a", "");
    assert!(matches!(ours, (Error::SecretMissing, Error::SecretNeeded)));
    let theirs = ends("", "a");
    assert!(matches!(
        theirs,
        (Error::SecretNeeded, Error::SecretMissing)
    ));
}

#[test]
fn no_bit_of_any_message_can_be_changed() {
    for text in ["", "secret"] {
        for (number, size) in SIZES.into_iter().enumerate() {
            for bit in 0..8 * size {
                let mut change = |at: usize, message: &mut Vec<u8>| {
                    if at == number && message.len() == size {
                        message[bit / 8] ^= 1 << (bit % 8);
                    }
                };
                let (sender, receiver) = speak(sides(text, text), &mut change);
                let what = format!("secret '{text}', M{number}, bit {bit}");
                // Whoever hears nothing more hears the end of the stream, which is an error too.
                assert!(sender.is_some() || receiver.is_some(), "{what}");
                assert_no_channel((sender, receiver), number == 4, &what);
            }
        }
    }
}

#[test]
fn a_sender_whose_last_message_was_changed_never_hears_a_record() {
    let mut change = |at: usize, message: &mut Vec<u8>| {
        if at == 4 {
            message[0] ^= 1;
        }
    };
    let (sender, receiver) = speak(sides("a", "a"), &mut change);
    assert!(matches!(receiver.unwrap().error(), Error::WrongSecret));
    // The receiver has no key; nobody else has either.
    let mut channel = sender.unwrap().channel();
    let (_, other) = undisturbed(fresh("a", "a", 2));
    let mut record = record(&[0x21]);
    other.unwrap().channel().sealer.seal(&mut record);
    assert_eq!(channel.opener.open(&mut record), Err(Forged));
}

#[test]
fn a_changed_session_without_secrets_is_not_blamed_on_a_secret() {
    let mut change = |at: usize, message: &mut Vec<u8>| {
        if at == 2 {
            message[0] ^= 1;
        }
    };
    let (sender, receiver) = speak(sides("", ""), &mut change);
    assert!(matches!(sender.unwrap().error(), Error::Tampered));
    assert!(matches!(receiver.unwrap().error(), Error::Tampered));
}

#[test]
fn a_stream_cut_anywhere_gives_no_channel() {
    for text in ["", "secret"] {
        for (number, size) in SIZES.into_iter().enumerate() {
            for keep in 0..size {
                let mut gone = false;
                let mut change = |at: usize, message: &mut Vec<u8>| {
                    if at == number {
                        message.truncate(keep);
                        gone = true;
                    } else if gone {
                        message.clear();
                    }
                };
                let ends = speak(sides(text, text), &mut change);
                assert_no_channel(ends, number == 4, &format!("M{number}, {keep} bytes"));
            }
        }
    }
}

#[test]
fn an_answer_of_version_1_is_taken_only_where_the_header_had_a_name() {
    let answered = |text, byte| {
        let (mut initiator, _) = initiator(&user(), text, 1);
        initiator.handle(&[byte, b'2', 2, 0])
    };
    for byte in [YES, NO] {
        let went_on = answered("", byte);
        assert!(matches!(went_on, Ok((1, Step::Version1(same))) if same == byte));
    }
    assert!(matches!(answered("a", YES), Err(Error::Version1Only)));
    assert!(matches!(answered("a", NO), Err(Error::RefusedUnnamed)));
    for byte in (0..=u8::MAX).filter(|byte| ![YES, NO, YES2].contains(byte)) {
        for text in ["", "a"] {
            let unexpected = answered(text, byte);
            assert!(matches!(unexpected, Err(Error::UnexpectedAnswer(same)) if same == byte));
        }
    }
    // Many files, or one that version 1 cannot carry: no name, and no way back either.
    let (mut initiator, _) = Initiator::new(&user(), None, None, [1; ENTROPY]);
    assert!(matches!(initiator.handle(&[YES]), Err(Error::Version1Only)));
}

#[test]
fn an_o_in_the_place_of_m1_ends_a_session_with_a_secret_on_both_sides() {
    let mut change = |at: usize, message: &mut Vec<u8>| {
        if at == 1 {
            *message = vec![YES];
        }
    };
    let (sender, receiver) = speak(sides("a", "a"), &mut change);
    assert!(matches!(sender.unwrap().error(), Error::Version1Only));
    assert!(receiver.is_none(), "it awaits M2, and hears the end");
}

#[test]
fn a_mark_that_is_wiped_out_on_its_way_is_version_1_without_a_secret_and_refused_with_one() {
    let mut change = |at: usize, message: &mut Vec<u8>| {
        if at == 0 {
            message[34..].fill(0);
        }
    };
    let (_, receiver) = speak(sides("", ""), &mut change);
    assert!(matches!(receiver, Some(End::Version1)));
    let (sender, receiver) = speak(sides("a", "a"), &mut change);
    // Its 'X' says nothing but no to the sender.
    assert!(matches!(sender.unwrap().error(), Error::RefusedUnnamed));
    assert!(matches!(receiver.unwrap().error(), Error::Version1Only));
}

#[test]
fn a_header_without_a_mark_is_version_1_unless_there_is_a_secret() {
    let header = Header::new(b"a", 3).unwrap().encode();
    let handled = responder(&user(), "", 1).handle(&header);
    assert!(matches!(
        handled,
        Ok((HEADER_SIZE, Step::Version1(same))) if same == header
    ));
    let handled = responder(&user(), "a", 1).handle(&header);
    assert!(matches!(
        handled,
        Ok((_, Step::Refuse(bytes, Error::Version1Only))) if bytes == [NO]
    ));
    let Sides { first, .. } = sides("", "");
    let mut old = Responder::new(&user(), None, true, [2; ENTROPY]);
    assert!(matches!(old.handle(&first), Ok((_, Step::Version1(_)))));
}

#[test]
fn with_a_secret_the_header_says_neither_name_nor_length() {
    let [named, unnamed] = ["", "a"].map(|text| initiator(&user(), text, 1).1);
    assert_eq!(named[..2], *b"a\0");
    assert_eq!(unnamed[..32], [0; 32]);
    assert_eq!(unnamed[32..], *b"0\0P2\x02\x01\0\0\0\0\0\0\0\0\0\0");
}

#[test]
fn nobody_is_taken_in_by_a_recorded_session() {
    for text in ["", "secret"] {
        let old = recorded(sides(text, text));
        // To a receiver: the sender's messages of then.
        let mut again = |at: usize, message: &mut Vec<u8>| {
            if at % 2 == 0 {
                *message = old[at].clone();
            }
        };
        let (_, receiver) = speak(fresh(text, text, 2), &mut again);
        let error = receiver.unwrap().error();
        assert!(matches!(error, Error::WrongSecret | Error::Tampered));
        // To a sender: the receiver's.
        let mut again = |at: usize, message: &mut Vec<u8>| {
            if at % 2 == 1 {
                *message = old[at].clone();
            }
        };
        let (sender, _) = speak(fresh(text, text, 2), &mut again);
        let error = sender.unwrap().error();
        assert!(matches!(error, Error::WrongSecret | Error::Tampered));
    }
}

#[test]
fn two_sessions_whose_messages_are_crossed_end() {
    for crossed in 0..5 {
        let theirs = recorded(fresh("secret", "secret", 2));
        let mut cross = |at: usize, message: &mut Vec<u8>| {
            if at == crossed {
                *message = theirs[at].clone();
            }
        };
        let ours = fresh("secret", "secret", 1);
        let same = ours.first == theirs[0];
        assert!(
            same,
            "headers are alike, and one for the other does no harm"
        );
        let (sender, receiver) = speak(ours, &mut cross);
        match crossed {
            0 => assert_connected(sender, receiver, true),
            _ => assert_no_channel((sender, receiver), crossed == 4, &format!("M{crossed}")),
        }
    }
}

#[test]
fn a_relay_that_joins_two_user_ids_joins_nobody() {
    for text in ["", "secret"] {
        let bob = UserId::new(b"bob").unwrap();
        let joined = Sides {
            responder: responder(&bob, text, 1),
            ..sides(text, text)
        };
        let (sender, receiver) = undisturbed(joined);
        assert_no_channel((sender, receiver), false, text);
    }
}

#[test]
fn whoever_sends_back_what_it_hears_gets_nothing() {
    let (mut initiator, first) = initiator(&user(), "secret", 1);
    // A header is no answer.
    assert!(initiator.handle(&first).is_err());
    let Sides {
        mut initiator,
        mut responder,
        first,
    } = sides("secret", "secret");
    let (answer, _) = told(responder.handle(&first));
    let (shared, _) = told(initiator.handle(&answer));
    // Yb = Ya, with any tag.
    let mut mirrored = shared[NONCE..].to_vec();
    mirrored.extend([0; TAG_SIZE]);
    let (said, end) = told(initiator.handle(&mirrored));
    assert_eq!(said, [0; TAG_SIZE]);
    assert!(matches!(end.unwrap().error(), Error::Broken(_)));
    // The receiver's own tag, sent back to it.
    let (answer, _) = told(responder.handle(&shared));
    let (_, end) = told(responder.handle(&answer[SHARE_SIZE..]));
    assert!(matches!(end.unwrap().error(), Error::WrongSecret));
}

#[test]
fn a_share_of_low_order_ends_it_on_either_side() {
    let mut one = [0; SHARE_SIZE];
    one[0] = 1;
    for share in [[0; SHARE_SIZE], one] {
        let mut at = |number: usize, message: &mut Vec<u8>| match number {
            2 => message[NONCE..].copy_from_slice(&share),
            3 if !message.is_empty() => message[..SHARE_SIZE].copy_from_slice(&share),
            _ => {}
        };
        let (_, receiver) = speak(sides("secret", "secret"), &mut at);
        assert!(matches!(receiver.unwrap().error(), Error::Broken(_)));
        let mut at = |number: usize, message: &mut Vec<u8>| {
            if number == 3 {
                message[..SHARE_SIZE].copy_from_slice(&share);
            }
        };
        let (sender, _) = speak(sides("secret", "secret"), &mut at);
        assert!(matches!(sender.unwrap().error(), Error::Broken(_)));
    }
}

#[test]
fn a_sender_that_has_the_tag_and_goes_away_may_have_tried_a_secret() {
    let messages = recorded(sides("secret", "secret"));
    let mut closed = responder(&user(), "secret", 1);
    let mut open = responder(&user(), "", 1);
    let without = recorded(sides("", ""));
    for (number, guessed) in [(0, false), (2, true), (4, false)] {
        assert!(closed.handle(&messages[number]).is_ok());
        assert_eq!(closed.guess_is_open(), guessed, "M{number}");
        assert!(open.handle(&without[number]).is_ok());
        assert!(!open.guess_is_open(), "without a secret nothing is guessed");
    }
}

#[test]
fn every_error_of_the_secret_has_its_status_and_says_what_to_do() {
    for error in [
        Error::WrongSecret,
        Error::Unproven,
        Error::SecretNeeded,
        Error::SecretMissing,
    ] {
        assert_eq!(error.kind(), Kind::Secret);
        assert!(error.to_string().contains(": "), "{error}");
    }
    assert!(Error::WrongSecret.is_guess() && Error::Unproven.is_guess());
    assert!(!Error::SecretNeeded.is_guess());
}

#[test]
fn ten_thousand_wrong_guesses_open_nothing() {
    for guess in 0..5_000 {
        let guess = format!("{guess:04}");
        for (sender, receiver) in [(&guess[..], "secret"), ("secret", &guess[..])] {
            let (sender, receiver) = undisturbed(sides(sender, receiver));
            assert!(matches!(sender.unwrap().error(), Error::WrongSecret));
            assert!(matches!(receiver.unwrap().error(), Error::WrongSecret));
        }
    }
}

//! What the programs of 2013 make of the mark of version 2, and ours of a header without it: byte for
//! byte, from what was recorded.

use p2pxfer::transfer::UserId;
use p2pxfer::transfer::handshake::{ENTROPY, Initiator, Responder, Step};
use p2pxfer::wire::v1::{HEADER_SIZE, Header, NAME_WIDTH};
use p2pxfer::wire::v2::Mark;

use super::exchange::{self, Exchange, Way};

/// The recorded headers of files that version 1 can carry, each with its exchange.
fn headers() -> Vec<([u8; HEADER_SIZE], Exchange)> {
    let exchanges = exchange::all().into_iter();
    exchanges
        .filter(|exchange| !exchange.content.is_empty())
        .map(|exchange| {
            let header = exchange.hello(Way::Header).try_into().expect("a header");
            (header, exchange)
        })
        .collect()
}

fn caller(exchange: &Exchange, header: &Header) -> (Initiator, [u8; HEADER_SIZE]) {
    let user = UserId::new(exchange.userid.as_bytes()).unwrap();
    Initiator::new(&user, None, Some(header), [1; ENTROPY])
}

/// The header as a program of 2013 reads it: each field up to its first NUL.
fn as_read_in_2013(header: &[u8; HEADER_SIZE]) -> [&[u8]; 2] {
    let (name, length) = header.split_at(NAME_WIDTH);
    [name, length].map(|field| field.split(|&byte| byte == 0).next().unwrap())
}

#[test]
fn a_marked_header_differs_from_the_recorded_one_only_behind_the_nul_of_the_length() {
    for (recorded, exchange) in headers() {
        let (_, marked) = caller(&exchange, &Header::decode(&recorded).unwrap());
        let name = &exchange.name;
        assert_eq!(
            as_read_in_2013(&marked),
            as_read_in_2013(&recorded),
            "{name}"
        );
        let [_, length] = as_read_in_2013(&recorded);
        let behind = NAME_WIDTH + length.len() + 1;
        assert_eq!(marked[..behind], recorded[..behind], "{name}");
        assert_eq!(marked[behind..behind + 4], *b"P2\x02\0", "{name}");
        assert_eq!(marked[behind + 4..], recorded[behind + 4..], "{name}");
        assert!(Mark::find(&marked).is_some() && Mark::find(&recorded).is_none());
    }
}

#[test]
fn the_recorded_answer_to_a_marked_header_is_version_1_for_our_sender() {
    for (recorded, exchange) in headers() {
        let (mut sender, _) = caller(&exchange, &Header::decode(&recorded).unwrap());
        let mut answers = exchange
            .between_peers()
            .filter(|message| message.way == Way::ReceiverToSender);
        let answer = &answers.next().expect("an answer").bytes;
        assert_eq!(answer, b"O");
        let step = sender.handle(answer);
        assert!(
            matches!(step, Ok((1, Step::Version1(b'O')))),
            "{}",
            exchange.name
        );
    }
}

#[test]
fn a_recorded_header_is_version_1_for_our_receiver() {
    for (recorded, exchange) in headers() {
        let user = UserId::new(exchange.userid.as_bytes()).unwrap();
        let mut receiver = Responder::new(&user, None, false, [2; ENTROPY]);
        let Ok((HEADER_SIZE, Step::Version1(header))) = receiver.handle(&recorded) else {
            panic!("{}: not version 1", exchange.name);
        };
        assert_eq!(header, recorded);
    }
}

#[test]
fn a_header_without_a_name_is_refused_by_the_rules_of_2013() {
    let user = UserId::new(b"alice").unwrap();
    let (_, nameless) = Initiator::new(&user, None, None, [1; ENTROPY]);
    assert_eq!(as_read_in_2013(&nameless), [&b""[..], b"0"]);
    // The recorded receiver refused a length of 0.
    let exchanges = exchange::all();
    let empty = exchanges.iter().find(|one| one.content.is_empty());
    let empty = empty.expect("an empty file was recorded");
    let header = empty.hello(Way::Header).try_into().expect("a header");
    assert_eq!(as_read_in_2013(header)[1], b"0");
    let answered = empty.hello(Way::ReceiverToSender);
    assert_eq!(answered, b"X");
}

use super::*;

fn entry() -> Entry {
    Entry {
        index: 7,
        item: 1,
        kind: 1,
        executable: true,
        size: Some(5),
        seconds: -3,
        nanos: 999_999_999,
        path: vec![b"a".to_vec(), vec![b'b'; NAME_MAX]],
    }
}

fn from_sender() -> Vec<FromSender<'static>> {
    vec![
        FromSender::Item {
            kind: 2,
            complete: true,
            files: 3,
            bytes: None,
            name: b"folder",
        },
        FromSender::Offer {
            run: [9; 16],
            items: 1,
        },
        FromSender::Entry(entry()),
        FromSender::Begin {
            index: 7,
            offset: 1 << 40,
        },
        FromSender::Data(b"data"),
        FromSender::End {
            length: 4,
            hash: [1; 32],
        },
        FromSender::Same { index: 7 },
        FromSender::GiveUp {
            index: 7,
            reason: 2,
            text: b"changed",
        },
        FromSender::Last {
            entries: 8,
            missing: 1,
        },
        FromSender::Final { entries: 8 },
        FromSender::Nop,
        FromSender::Abort { code: 4, text: b"" },
    ]
}

fn from_receiver() -> Vec<FromReceiver<'static>> {
    vec![
        FromReceiver::Accept,
        FromReceiver::Want {
            index: 7,
            offset: 262_144,
            prefix: [2; 32],
        },
        FromReceiver::Have {
            index: 7,
            hash: [3; 32],
        },
        FromReceiver::Skip {
            index: 7,
            reason: 1,
            text: b"no",
        },
        FromReceiver::Committed {
            index: 7,
            hash: [4; 32],
        },
        FromReceiver::Ack {
            index: 7,
            offset: 9,
        },
        FromReceiver::Final {
            committed: 7,
            skipped: 1,
        },
        FromReceiver::Nop,
        FromReceiver::Abort {
            code: 1,
            text: b"no",
        },
    ]
}

#[test]
fn what_is_encoded_is_read_back_by_the_other_side_alone() {
    for record in from_sender() {
        let mut plain = Vec::new();
        record.encode(&mut plain);
        assert_eq!(FromSender::decode(&plain), Ok(record.clone()));
        let shared = matches!(record, FromSender::Nop | FromSender::Abort { .. });
        assert_eq!(FromReceiver::decode(&plain).is_ok(), shared, "{record:?}");
    }
    for record in from_receiver() {
        let mut plain = Vec::new();
        record.encode(&mut plain);
        assert_eq!(FromReceiver::decode(&plain), Ok(record.clone()));
        let shared = matches!(record, FromReceiver::Nop | FromReceiver::Abort { .. });
        assert_eq!(FromSender::decode(&plain).is_ok(), shared, "{record:?}");
    }
}

#[test]
fn a_record_of_fixed_size_that_is_cut_or_longer_is_none() {
    let texts = |plain: &[u8]| matches!(plain[0], 0x01 | DATA | 0x08 | ABORT | 0x25);
    let mut plains = Vec::new();
    for record in from_sender() {
        let mut plain = Vec::new();
        record.encode(&mut plain);
        plains.push((plain, true));
    }
    for record in from_receiver() {
        let mut plain = Vec::new();
        record.encode(&mut plain);
        plains.push((plain, false));
    }
    for (mut plain, sender) in plains {
        let decode = |plain: &[u8]| match sender {
            true => FromSender::decode(plain).map(drop),
            false => FromReceiver::decode(plain).map(drop),
        };
        if texts(&plain) {
            continue;
        }
        for cut in 1..plain.len() {
            assert_eq!(decode(&plain[..cut]), Err(RecordError::Cut), "{plain:?}");
        }
        plain.push(0);
        assert_eq!(decode(&plain), Err(RecordError::Longer), "{plain:?}");
    }
}

fn entry_error(change: impl FnOnce(&mut Entry)) -> RecordError {
    let mut entry = entry();
    change(&mut entry);
    let mut plain = Vec::new();
    FromSender::Entry(entry).encode(&mut plain);
    FromSender::decode(&plain).unwrap_err()
}

#[test]
fn each_rule_of_an_entry_has_its_error() {
    assert_eq!(entry_error(|one| one.kind = 0), RecordError::Kind(0));
    assert_eq!(entry_error(|one| one.kind = 6), RecordError::Kind(6));
    assert_eq!(entry_error(|one| one.kind = 4), RecordError::Size);
    assert_eq!(entry_error(|one| one.size = None), RecordError::Size);
    assert_eq!(
        entry_error(|one| one.nanos = 1_000_000_000),
        RecordError::Nanos
    );
    assert_eq!(entry_error(|one| one.path.clear()), RecordError::Depth);
    let deep = vec![b"a".to_vec(); DEPTH_MAX + 1];
    assert_eq!(entry_error(|one| one.path = deep), RecordError::Depth);
    assert_eq!(entry_error(|one| one.path[1].clear()), RecordError::Name);
    assert_eq!(entry_error(|one| one.path[1].push(1)), RecordError::Name);
}

#[test]
fn each_rule_of_another_record_has_its_error() {
    let sent = |plain: &[u8]| FromSender::decode(plain).unwrap_err();
    let received = |plain: &[u8]| FromReceiver::decode(plain).unwrap_err();
    let item = |kind: u8, name: usize| {
        let counts = [1; 17];
        sent(&[&[0x01, kind][..], &counts, &vec![b'n'; name]].concat())
    };
    assert_eq!(item(0, 1), RecordError::Kind(0));
    assert_eq!(item(5, 1), RecordError::Kind(5));
    assert_eq!(item(1, 0), RecordError::Name);
    assert_eq!(item(1, NAME_MAX + 1), RecordError::Name);
    assert_eq!(sent(&[DATA]), RecordError::Data);
    assert_eq!(sent(&vec![DATA; BODY_MAX + 2]), RecordError::Data);
    for reason in [0, 5] {
        let plain = [&[0x08][..], &[0; 8], &[reason]].concat();
        assert_eq!(sent(&plain), RecordError::Reason(reason));
    }
    for reason in [0, 6] {
        let plain = [&[0x25][..], &[0; 8], &[reason]].concat();
        assert_eq!(received(&plain), RecordError::Reason(reason));
    }
    assert_eq!(sent(&[ABORT; TEXT_MAX + 3]), RecordError::Text);
    assert_eq!(received(&[ABORT; TEXT_MAX + 3]), RecordError::Text);
    assert_eq!(sent(&[]), RecordError::Empty);
    assert_eq!(received(&[]), RecordError::Empty);
}

#[test]
fn a_type_that_the_peer_may_not_send_is_named() {
    let sender = (0x01..=0x0c).collect::<Vec<u8>>();
    let receiver = [0x0b, 0x0c, 0x21, 0x23, 0x24, 0x25, 0x26, 0x28, 0x29];
    for kind in 0..=u8::MAX {
        let refused = Err(RecordError::Type(kind));
        let sent = FromSender::decode(&[kind]).map(drop);
        assert_eq!(sent == refused, !sender.contains(&kind), "{kind:#x}");
        let received = FromReceiver::decode(&[kind]).map(drop);
        assert_eq!(received == refused, !receiver.contains(&kind), "{kind:#x}");
    }
}

#[test]
fn a_length_or_count_from_the_wire_allocates_nothing_that_did_not_come() {
    // 64 components of 65,535 bytes each are announced; 2 bytes follow.
    let mut plain = Vec::new();
    FromSender::Entry(entry()).encode(&mut plain);
    let count = 1 + 8 + 4 + 2 + 8 + 8 + 4;
    plain.truncate(count);
    plain.extend([64, 0, 0xff, 0xff, 1, 2]);
    assert_eq!(FromSender::decode(&plain), Err(RecordError::Cut));
    plain[count..count + 2].fill(0xff);
    assert_eq!(FromSender::decode(&plain), Err(RecordError::Depth));
}

#[test]
fn data_is_borrowed_from_the_place_where_it_was_opened() {
    let plain = [&[DATA][..], &[7; 1000]].concat();
    let Ok(FromSender::Data(data)) = FromSender::decode(&plain) else {
        panic!("no data");
    };
    assert!(std::ptr::eq(data, &plain[1..]));
}

#[test]
fn no_bytes_whatever_panic() {
    let mut state = 1_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    for round in 0..100_000 {
        let length = usize::from(random()) % 96;
        let mut plain: Vec<u8> = (0..length).map(|_| random()).collect();
        if let Some(kind) = plain.first_mut() {
            *kind = (round % 0x30) as u8;
        }
        let _ = FromSender::decode(&plain);
        let _ = FromReceiver::decode(&plain);
    }
}

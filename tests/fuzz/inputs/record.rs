//! The plaintext of a record: what is read is written back to as many bytes, and read the same again.

use p2pxfer::transfer::v2::{Receiver, Sender};
use p2pxfer::wire::v2::{DEPTH_MAX, FromReceiver, FromSender, NAME_MAX, TEXT_MAX};

pub(crate) fn run(plain: &[u8]) {
    if let Ok(record) = FromSender::decode(plain) {
        match &record {
            FromSender::Entry(entry) => {
                assert!((1..=DEPTH_MAX).contains(&entry.path.len()));
                let each = |name: &Vec<u8>| (1..=NAME_MAX).contains(&name.len());
                assert!(entry.path.iter().all(each) && entry.nanos < 1_000_000_000);
            }
            FromSender::Abort { text, .. } | FromSender::GiveUp { text, .. } => {
                assert!(text.len() <= TEXT_MAX);
            }
            _ => {}
        }
        let mut written = Vec::new();
        record.encode(&mut written);
        assert_eq!(written.len(), plain.len());
        assert_eq!(FromSender::decode(&written), Ok(record.clone()));
        let _ = Receiver::default().handle(record);
    }
    if let Ok(record) = FromReceiver::decode(plain) {
        let mut written = Vec::new();
        record.encode(&mut written);
        assert_eq!(written.len(), plain.len());
        assert_eq!(FromReceiver::decode(&written), Ok(record.clone()));
        let _ = Sender::default().handle(record);
    }
}

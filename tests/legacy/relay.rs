//! Our relay between a sender and a receiver of 2013, both played from the recorded bytes.

use std::io::Write;

use super::common::{Relay, on_every_backend, read, read_to_end};
use super::exchange::{self, Way};

on_every_backend! {
    every_recorded_exchange_passes_our_relay_byte_for_byte
}

fn every_recorded_exchange_passes_our_relay_byte_for_byte(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for exchange in exchange::all() {
        let (mut receiver, mut sender) = (relay.connect(), relay.connect());
        for message in &exchange.messages {
            let bytes = &message.bytes;
            let arrived = match message.way {
                Way::ReceiverToRelay => {
                    receiver.write_all(bytes).unwrap();
                    relay.wait_registered(&receiver);
                    continue;
                }
                Way::SenderToRelay => {
                    sender.write_all(bytes).unwrap();
                    continue;
                }
                Way::RelayToSender => read(&mut sender, bytes.len()),
                Way::ReceiverToSender => {
                    receiver.write_all(bytes).unwrap();
                    read(&mut sender, bytes.len())
                }
                Way::Header | Way::Data | Way::Checksum => {
                    sender.write_all(bytes).unwrap();
                    read(&mut receiver, bytes.len())
                }
            };
            let what = (&exchange.name, message.way);
            assert!(arrived == *bytes, "{what:?}: {}", exchange::hex(&arrived));
        }
        drop(sender);
        assert_eq!(read_to_end(&mut receiver), b"", "{}", exchange.name);
    }
}

//! A sender that offers one thing and means another.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use p2pxfer::transfer::Error;
use p2pxfer::transfer::channel::frame;
use p2pxfer::wire::v2::FromSender;

use super::common::{Relay, read};
use super::guesses::{SECRET, call, wait_for_listener};
use super::pair::{Side, folder};
use super::temp::TempDir;
use super::trees::names;

/// Offers a file of this name, as the same process each time.
fn offer(relay: &Relay, name: &[u8]) -> TcpStream {
    let (mut stream, mut channel) = call(relay, SECRET).expect("the right secret");
    let mut bytes = Vec::new();
    let item = FromSender::Item {
        kind: 1,
        complete: true,
        files: 1,
        bytes: Some(1),
        name,
    };
    let (run, items) = ([1; 16], 1);
    for record in [item, FromSender::Offer { run, items }] {
        frame(&mut bytes, |out| record.encode(out));
    }
    channel.sealer.seal(&mut bytes);
    stream.write_all(&bytes).unwrap();
    stream
}

#[test]
fn who_comes_back_with_another_offer_than_was_accepted_is_sent_away() {
    let relay = Relay::start("threads", &[]);
    let to = TempDir::new();
    let mut receiver = Side::new(relay.address, SECRET);
    receiver.options.reconnect = Some(Duration::from_secs(60));
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&folder(to.path())));
        for (count, name) in [b"a", b"a", b"b"].into_iter().enumerate() {
            wait_for_listener(&relay, count + 1);
            let mut stream = offer(&relay, name);
            // ACCEPT, or ABORT, which is longer.
            read(&mut stream, 20);
        }
        let error = receiving.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Broken(_)), "{error}");
    });
    assert!(names(to.path()).is_empty());
}

//! What stands right behind a short message: the relay reads no further than it has to, and must not
//! leave it there.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::process::{Command, Stdio};

use super::close::while_stopped;
use super::common::{Relay, on_every_backend, read, read_to_end};

on_every_backend! {
    an_end_right_behind_a_short_message_is_passed_on
    what_stands_behind_urgent_data_arrives
}

/// Exchanges of one word, after which the relay knows the pair for one of short messages.
const WORDS: usize = 3;

fn an_end_right_behind_a_short_message_is_passed_on(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for round in 0..200 {
        let (mut listener, mut caller) = relay.pair(b"alice");
        for _ in 0..WORDS {
            caller.write_all(b"word").unwrap();
            assert_eq!(read(&mut listener, 4), b"word");
        }
        let mut last = || {
            caller.write_all(b"last").unwrap();
            caller.shutdown(Shutdown::Write).unwrap();
        };
        // Once seen together by the relay, and else as it happens.
        match round {
            0..10 => while_stopped(&relay, last),
            _ => last(),
        }
        assert_eq!(read_to_end(&mut listener), b"last", "round {round}");
        listener.write_all(b"bye").unwrap();
        drop(listener);
        assert_eq!(read_to_end(&mut caller), b"bye", "round {round}");
    }
}

/// The standard library cannot send urgent data: on each line that it gets, the script sends some amid
/// other bytes (tcp(7), MSG_OOB).
const SENDER: &str = "
import socket, sys
caller = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
caller.sendall(b'Calice$')
assert caller.recv(1) == b'O'
print('met', flush=True)
for _ in sys.stdin:
    caller.sendall(b'ab')
    caller.send(b'!', socket.MSG_OOB)
    caller.sendall(b'cd')
    print('sent', flush=True)
";

fn what_stands_behind_urgent_data_arrives(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let mut listener = relay.listener(b"alice");
    let spawned = Command::new("python3")
        .args(["-c", SENDER, &relay.address.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut sender) = spawned else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP relay/urgent: python3 not installed"
        );
        return;
    };
    let mut said = BufReader::new(sender.stdout.take().unwrap()).lines();
    let mut lines = sender.stdin.take().unwrap();
    let mut await_word = |word| assert_eq!(said.next().unwrap().unwrap(), word);
    await_word("met");
    let mut send = || {
        writeln!(lines, "on").unwrap();
        await_word("sent");
    };
    for round in 0..60 {
        match round % 2 {
            0 => while_stopped(&relay, &mut send),
            _ => send(),
        }
        // The relay takes the urgent byte out, as a receiver that does not ask for it does.
        assert_eq!(read(&mut listener, 4), b"abcd", "round {round}");
    }
    drop(lines);
    assert!(sender.wait().unwrap().success());
    assert_eq!(read_to_end(&mut listener), b"");
}

//! Silence and slowness against the timeout.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use super::common::{Relay, on_every_backend, read_to_end};
use super::played;
use super::program::receive;
use super::temp::TempDir;

on_every_backend! {
    a_timeout_of_zero_is_never
}

fn a_timeout_of_zero_is_never(backend: &str) {
    let (relay, to) = (Relay::start(backend, &[]), TempDir::new());
    let target = to.path().join("file");
    let mut receiver = receive(&relay, &target, &["--timeout", "0"]);
    let mut sender = played::sender(&relay);
    sender.write_all(&played::header("file.bin", 2)).unwrap();
    sender.write_all(b"a").unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    assert!(receiver.runs());
    sender.write_all(b"b").unwrap();
    sender.write_all(b"195\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
    sender.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut sender), b"OO");
    assert_eq!(receiver.end().status, 0);
    assert_eq!(std::fs::read(target).unwrap(), b"ab");
}

// Without the `libc` crate nothing tells a peer that reads slowly from one that reads not at all.
#[cfg(all(target_os = "linux", feature = "libc"))]
#[test]
fn a_peer_that_reads_slowly_but_steadily_is_not_cut_by_the_timeout() {
    use std::fs::File;
    use std::net::TcpListener;
    use std::time::Instant;

    use super::common::{hello, read};
    use super::program::send;

    /// What the slow line carries, in bytes a second: so little that the kernel takes nothing more
    /// for longer than the timeout, and enough that it hands something on within it.
    const RATE: f64 = 66_000.0;
    /// How long the line is slow.
    const TIME: Duration = Duration::from_secs(5);
    let from = TempDir::new();
    let source = from.path().join("long.bin");
    let length = 24_000_000;
    File::create(&source).unwrap().set_len(length).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = send(&source, listener.local_addr().unwrap(), &["--timeout", "1"]);
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(read(&mut stream, 7), hello(b'C', b"alice"));
    stream.write_all(b"O").unwrap();
    assert_eq!(read(&mut stream, 48), played::header("long.bin", length));
    stream.write_all(b"O").unwrap();
    let begin = Instant::now();
    let mut left = length as usize;
    while begin.elapsed() < TIME {
        std::thread::sleep(Duration::from_millis(20));
        let due = (begin.elapsed().as_secs_f64() * RATE) as usize;
        let read_until_now = length as usize - left;
        left -= read(&mut stream, due - read_until_now).len();
    }
    while left > 0 {
        left -= read(&mut stream, left.min(1_000_000)).len();
    }
    assert_eq!(&read(&mut stream, 16)[..2], b"0\0");
    stream.write_all(b"O").unwrap();
    let end = sender.end();
    assert_eq!(end.status, 0, "{end:?}");
}

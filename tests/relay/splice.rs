//! Bytes between two that have met: all of them, in order, without one pair holding another up.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::common::{Relay, on_every_backend, read, read_to_end};
use super::pattern::Pattern;

on_every_backend! {
    sixty_four_megabytes_each_way_at_once_arrive_byte_exact
    a_reader_that_stalls_for_10_s_loses_nothing_and_slows_no_other_pair
    a_thousand_pairs_at_once_exchange_their_bytes
    a_conversation_of_single_bytes_is_not_delayed
}

const MEGABYTE: usize = 1_000_000;

fn sixty_four_megabytes_each_way_at_once_arrive_byte_exact(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (mut listener, mut caller) = relay.pair(b"alice");
    let (up, down) = (Pattern::new(1), Pattern::new(2));
    let total = 64 * MEGABYTE;
    std::thread::scope(|scope| {
        scope.spawn(|| up.send(&listener, total));
        scope.spawn(|| down.send(&caller, total));
        scope.spawn(|| up.expect(&caller, 0, total));
        down.expect(&listener, 0, total);
    });
    listener.shutdown(std::net::Shutdown::Write).unwrap();
    caller.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut listener), b"");
    assert_eq!(read_to_end(&mut caller), b"");
    let bytes = format!("_bytes={total}");
    let (up, down) = (format!("listener{bytes}"), format!("caller{bytes}"));
    relay.wait_for("closed", &["id=alice", "reason=finished", &up, &down]);
}

fn a_reader_that_stalls_for_10_s_loses_nothing_and_slows_no_other_pair(backend: &str) {
    const STALL: Duration = Duration::from_secs(10);
    let relay = Relay::start(backend, &[]);
    let (sender, mut stalled) = relay.pair(b"stalled");
    let (other, mut peer) = relay.pair(b"other");
    let pattern = Pattern::new(1);
    // More than the kernel's buffers of both hops can hold.
    let total = 128 * MEGABYTE;
    let sent = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Its own write timeout would end it during the stall on a slow machine.
            sender.set_write_timeout(None).unwrap();
            pattern.send(&sender, total);
            sent.store(true, Ordering::SeqCst);
            sender.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let begin = Instant::now();
        let mut rounds = 0;
        while begin.elapsed() < STALL {
            let round = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(|| pattern.send(&other, MEGABYTE));
                pattern.expect(&peer, 0, MEGABYTE);
            });
            peer.write_all(b"!").unwrap();
            assert_eq!(read(&mut &other, 1), b"!");
            let took = round.elapsed();
            assert!(
                took < STALL / 4,
                "a megabyte beside the stall took {took:?}"
            );
            rounds += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(rounds > 20, "only {rounds} MB passed beside the stall");
        assert!(!sent.load(Ordering::SeqCst), "nothing was stalled");
        pattern.expect(&stalled, 0, total);
    });
    assert_eq!(read_to_end(&mut stalled), b"");
}

fn a_thousand_pairs_at_once_exchange_their_bytes(backend: &str) {
    const PAIRS: usize = 1_000;
    if let Some(limit) = descriptor_limit().filter(|limit| *limit < 4 * PAIRS) {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP relay/thousand-pairs: needs {} descriptors, not {limit}",
            4 * PAIRS
        );
        return;
    }
    let relay = Relay::start(backend, &[]);
    let (up, down) = (Pattern::new(1).bytes(9_000), Pattern::new(2).bytes(9_000));
    let part = |bytes: &[u8], number: usize| bytes[number..number + 8_000].to_vec();
    let mut pairs: Vec<_> = (0..PAIRS)
        .map(|number| relay.pair(format!("pair {number}").as_bytes()))
        .collect();
    for (number, (listener, caller)) in pairs.iter_mut().enumerate() {
        listener.write_all(&part(&up, number)).unwrap();
        caller.write_all(&part(&down, number)).unwrap();
    }
    for (number, (listener, caller)) in pairs.iter_mut().enumerate() {
        assert!(
            read(listener, 8_000) == part(&down, number),
            "pair {number}"
        );
        assert!(read(caller, 8_000) == part(&up, number), "pair {number}");
    }
    for (number, (mut listener, mut caller)) in pairs.into_iter().enumerate() {
        caller.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut listener), b"", "pair {number}");
        drop(listener);
        assert_eq!(read_to_end(&mut caller), b"", "pair {number}");
    }
}

/// The soft limit of open descriptors, where the system tells it in a file.
fn descriptor_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn a_conversation_of_single_bytes_is_not_delayed(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (mut listener, mut caller) = relay.pair(b"alice");
    let begin = Instant::now();
    // Two small writes in a row are what Nagle's algorithm holds back for the peer's delayed
    // acknowledgement, 40 ms each time.
    for _ in 0..200 {
        caller.write_all(b"a").unwrap();
        assert_eq!(read(&mut listener, 1), b"a");
        caller.write_all(b"b").unwrap();
        assert_eq!(read(&mut listener, 1), b"b");
        listener.write_all(b"c").unwrap();
        assert_eq!(read(&mut caller, 1), b"c");
    }
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(4), "200 rounds took {took:?}");
}

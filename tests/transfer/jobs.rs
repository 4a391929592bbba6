//! The two jobs over sockets, in process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use p2pxfer::client::{Cancel, Endpoint, Received, Sent, Wait, recv_file, send_file};
use p2pxfer::transfer::{Error, Event, NameError, Place, Target, UserId, fit_name};

use crate::relay::{Folder, Relay, wait_until};

pub(crate) fn endpoint(port: u16) -> Endpoint {
    Endpoint::new(
        UserId::new(b"alice").unwrap(),
        "127.0.0.1".parse().unwrap(),
        port,
    )
}

pub(crate) fn into(path: &Path) -> Place {
    Place {
        target: Target::Path(path.to_path_buf()),
        overwrite: false,
    }
}

fn ignore(_: Event<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn cross(source: &Path, place: &Place) -> (Result<Sent, Error>, Result<Received, Error>) {
    let relay = Relay::start();
    let endpoint = endpoint(relay.address.port());
    thread::scope(|scope| {
        let receiver = scope.spawn(|| recv_file(&endpoint, place, &Cancel::new(), &mut ignore));
        relay.await_listener("alice");
        let sent = send_file(&endpoint, source, &Cancel::new(), &mut ignore);
        (sent, receiver.join().unwrap())
    })
}

#[test]
fn files_of_every_kind_cross_unchanged() {
    let from = Folder::new();
    let wrapping = vec![0xff; (1 << 31) / 0xff + 1];
    let pattern: Vec<u8> = (0..100_000u32).map(|i| (i * 7 + 3) as u8).collect();
    let long = "a-name-that-is-longer-than-thirty-one-bytes.txt";
    let exact = "nnnnnnnnnnnnnnnnnnnnnnnnnnn.bin";
    assert_eq!(exact.len(), 31);
    for (name, content) in [
        ("one", &b"x"[..]),
        ("hello.txt", b"hello, world\n"),
        ("pattern.bin", &pattern),
        ("wraps-negative", &wrapping),
        (exact, b"x"),
        (long, b"x"),
        ("\u{d55c}\u{ae00}.txt", b"x"),
    ] {
        let to = Folder::new();
        let (sent, received) = cross(&from.file(name, content), &into(to.path()));
        let (sent, received) = (sent.unwrap(), received.unwrap());
        let wire = fit_name(name.as_bytes());
        assert_eq!(sent.name, wire);
        assert_eq!(
            (sent.length, received.length),
            (content.len() as u64, sent.length)
        );
        assert_eq!(received.name, wire);
        let path = received.path.unwrap();
        assert!(std::fs::read(&path).unwrap() == content, "{name}");
        assert_eq!(to.names(), [String::from_utf8(wire).unwrap()]);
        assert!(!received.renamed);
    }
}

#[cfg(unix)]
#[test]
fn a_received_file_has_the_permissions_that_the_umask_gives() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let source = folder.file("made-without-a-thought", b"x");
    let target = folder.path().join("received");
    cross(&source, &into(&target)).1.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&target), mode(&source));
}

#[test]
fn taken_names_are_counted_up_and_nothing_is_replaced_unasked() {
    let from = Folder::new();
    let source = from.file("a.tar.gz", b"new");
    let to = Folder::new();
    to.file("a.tar.gz", b"old");
    std::fs::create_dir(to.path().join("a.tar (1).gz")).unwrap();
    let received = cross(&source, &into(to.path())).1.unwrap();
    assert!(received.renamed);
    assert_eq!(received.path.unwrap(), to.path().join("a.tar (2).gz"));
    assert_eq!(std::fs::read(to.path().join("a.tar.gz")).unwrap(), b"old");
    // The same for a name that was asked for.
    let received = cross(&source, &into(&to.path().join("a.tar.gz")))
        .1
        .unwrap();
    assert_eq!(received.path.unwrap(), to.path().join("a.tar (3).gz"));
}

#[test]
fn overwriting_replaces_a_file_and_never_a_folder() {
    let from = Folder::new();
    let source = from.file("a", b"new");
    let to = Folder::new();
    let mut place = into(to.path());
    place.overwrite = true;
    to.file("a", b"old");
    let received = cross(&source, &place).1.unwrap();
    assert!(!received.renamed);
    assert_eq!(std::fs::read(to.path().join("a")).unwrap(), b"new");
    std::fs::remove_file(to.path().join("a")).unwrap();
    std::fs::create_dir(to.path().join("a")).unwrap();
    let (sent, received) = cross(&source, &place);
    assert!(matches!(sent, Err(Error::RefusedByPeer)), "{sent:?}");
    assert!(matches!(received, Err(Error::File { .. })), "{received:?}");
    assert_eq!(to.names(), ["a"]);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_under_the_name_is_not_followed() {
    let from = Folder::new();
    let source = from.file("a", b"new");
    let to = Folder::new();
    let victim = from.file("victim", b"old");
    std::os::unix::fs::symlink(&victim, to.path().join("a")).unwrap();
    let received = cross(&source, &into(to.path())).1.unwrap();
    assert_eq!(received.path.unwrap(), to.path().join("a (1)"));
    let mut place = into(to.path());
    place.overwrite = true;
    cross(&source, &place).1.unwrap();
    assert_eq!(std::fs::read(&victim).unwrap(), b"old");
    assert!(!to.path().join("a").is_symlink());
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_into_and_a_full_one_is_a_local_file_error() {
    let from = Folder::new();
    let source = from.file("a", &vec![1; 3_000_000]);
    let received = cross(&source, &into(Path::new("/dev/null"))).1.unwrap();
    assert_eq!(received.path.as_deref(), Some(Path::new("/dev/null")));
    let (sent, received) = cross(&source, &into(Path::new("/dev/full")));
    let text = received.unwrap_err().to_string();
    assert_eq!(text, "/dev/full: no space left on device");
    assert!(
        matches!(sent, Err(Error::RefusedByPeer | Error::NotAccepted)),
        "{sent:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_local_file_error_and_leaves_nothing() {
    let mount = Folder::new();
    let run = |program: &str, args: &[&str]| {
        let status = std::process::Command::new(program)
            .args(args)
            .arg(mount.path())
            .stderr(std::process::Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    if !run("mount", &["-t", "tmpfs", "-o", "size=1m", "none"]) {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP transfer/full-disk: no file system can be mounted here"
        );
        return;
    }
    let from = Folder::new();
    let source = from.file("a", &vec![1; 3_000_000]);
    let (sent, received) = cross(&source, &into(mount.path()));
    let names = mount.names();
    run("umount", &[]);
    assert!(matches!(received, Err(Error::File { .. })), "{received:?}");
    assert!(
        matches!(sent, Err(Error::RefusedByPeer | Error::NotAccepted)),
        "{sent:?}"
    );
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_an_error_on_both_sides() {
    let from = Folder::new();
    let to = Folder::new();
    let source = from.file("a", &vec![1; 3_000_000]);
    let relay = Relay::start();
    let endpoint = endpoint(relay.address.port());
    thread::scope(|scope| {
        let place = into(to.path());
        let endpoint = &endpoint;
        let receiver =
            scope.spawn(move || recv_file(endpoint, &place, &Cancel::new(), &mut ignore));
        relay.await_listener("alice");
        let mut shrink = |event: Event<'_>| {
            if matches!(event, Event::Header { .. }) {
                std::fs::write(&source, [1; 1_000_000]).unwrap();
            }
            ControlFlow::Continue(())
        };
        let sent = send_file(endpoint, &source, &Cancel::new(), &mut shrink);
        assert!(matches!(sent, Err(Error::File { .. })), "{sent:?}");
        let received = receiver.join().unwrap();
        assert!(matches!(received, Err(Error::Lost(_))), "{received:?}");
    });
    assert!(to.names().is_empty());
}

#[test]
fn an_observer_that_breaks_cancels_and_the_peer_sees_a_lost_connection() {
    let from = Folder::new();
    let to = Folder::new();
    let source = from.file("a", &vec![1; 3_000_000]);
    let relay = Relay::start();
    let endpoint = endpoint(relay.address.port());
    thread::scope(|scope| {
        let place = into(to.path());
        let endpoint = &endpoint;
        let receiver = scope.spawn(move || {
            let mut stop = |event: Event<'_>| match event {
                Event::Progress { .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            };
            recv_file(endpoint, &place, &Cancel::new(), &mut stop)
        });
        relay.await_listener("alice");
        let sent = send_file(endpoint, &source, &Cancel::new(), &mut ignore);
        assert!(matches!(sent, Err(Error::Lost(_))), "{sent:?}");
        let received = receiver.join().unwrap();
        assert!(matches!(received, Err(Error::Cancelled)), "{received:?}");
    });
    assert!(to.names().is_empty());
}

#[test]
fn a_waiting_receiver_can_be_cancelled_from_another_thread() {
    let folder = Folder::new();
    let relay = Relay::start();
    let endpoint = endpoint(relay.address.port());
    let (place, cancel) = (into(folder.path()), Cancel::new());
    thread::scope(|scope| {
        let receiver = scope.spawn(|| recv_file(&endpoint, &place, &cancel, &mut ignore));
        relay.await_listener("alice");
        cancel.cancel();
        assert!(matches!(receiver.join().unwrap(), Err(Error::Cancelled)));
    });
}

#[test]
fn a_peer_that_says_nothing_for_too_long_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut endpoint = endpoint(listener.local_addr().unwrap().port());
    endpoint.idle_timeout = Some(Duration::from_millis(50));
    let folder = Folder::new();
    thread::scope(|scope| {
        let silent = scope.spawn(|| {
            let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
            stream.write_all(b"a").unwrap();
            stream
        });
        let place = into(folder.path());
        let error = recv_file(&endpoint, &place, &Cancel::new(), &mut ignore).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the connection was lost: nothing moved for 0.05 s: try again"
        );
        drop(silent.join().unwrap());
    });
}

#[test]
fn a_cancel_wakes_a_sender_that_waits_to_call_again() {
    let folder = Folder::new();
    let source = folder.file("a", b"x");
    let relay = Relay::start();
    let mut endpoint = endpoint(relay.address.port());
    endpoint.wait = Wait::Forever;
    let cancel = Cancel::new();
    let refused = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut note = |event: Event<'_>| {
                if matches!(event, Event::NobodyYet) {
                    refused.store(true, std::sync::atomic::Ordering::Release);
                }
                ControlFlow::Continue(())
            };
            send_file(&endpoint, &source, &cancel, &mut note)
        });
        wait_until("a refusal", || {
            refused.load(std::sync::atomic::Ordering::Acquire)
        });
        cancel.cancel();
        assert!(matches!(sender.join().unwrap(), Err(Error::Cancelled)));
    });
}

#[test]
fn a_verdict_may_take_ten_times_the_timeout_and_no_longer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut endpoint = endpoint(listener.local_addr().unwrap().port());
    endpoint.idle_timeout = Some(Duration::from_millis(100));
    let folder = Folder::new();
    let source = folder.file("a", b"x");
    thread::scope(|scope| {
        let mute = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 7]).unwrap();
            stream.write_all(b"O").unwrap();
            stream.read_exact(&mut [0; 48]).unwrap();
            stream.write_all(b"O").unwrap();
            stream.read_exact(&mut [0; 17]).unwrap();
            stream
        });
        let error = send_file(&endpoint, &source, &Cancel::new(), &mut ignore).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the connection was lost: nothing moved for 1 s: try again"
        );
        drop(mute.join().unwrap());
    });
}

#[test]
fn a_sender_that_waits_ends_when_its_time_is_over_and_not_at_the_next_call() {
    let folder = Folder::new();
    let source = folder.file("a", b"x");
    let relay = Relay::start();
    let mut endpoint = endpoint(relay.address.port());
    endpoint.wait = Wait::For(Duration::from_millis(50));
    let begin = Instant::now();
    let error = send_file(&endpoint, &source, &Cancel::new(), &mut ignore).unwrap_err();
    assert!(matches!(error, Error::NobodyWaits), "{error:?}");
    let after = begin.elapsed();
    // The next call would come after 875 ms at the earliest.
    assert!(after >= Duration::from_millis(50) && after < Duration::from_millis(850));
}

/// A relay that is not there, then knows nobody, then ends a call, then has a receiver who refuses.
fn restart_relay(address: std::net::SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    let next = || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 7]).unwrap();
        stream
    };
    next().write_all(b"X").unwrap();
    drop(next());
    let mut stream = next();
    stream.write_all(b"O").unwrap();
    stream.read_exact(&mut [0; 48]).unwrap();
    stream.write_all(b"X").unwrap();
}

#[test]
fn a_sender_that_waits_goes_on_through_a_restart_of_the_relay() {
    let folder = Folder::new();
    let source = folder.file("a", b"x");
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let mut endpoint = endpoint(address.port());
    endpoint.wait = Wait::For(Duration::from_secs(30));
    let mut heard = Vec::new();
    thread::scope(|scope| {
        let mut note = |event: Event<'_>| {
            match event {
                Event::RelayAway { .. } => {
                    if heard.is_empty() {
                        scope.spawn(move || restart_relay(address));
                    }
                    heard.push("away");
                }
                Event::NobodyYet => heard.push("nobody"),
                _ => {}
            }
            ControlFlow::Continue(())
        };
        let error = send_file(&endpoint, &source, &Cancel::new(), &mut note).unwrap_err();
        assert!(matches!(error, Error::RefusedByPeer), "{error:?}");
    });
    heard.dedup();
    assert_eq!(heard, ["away", "nobody", "away"]);
}

#[test]
fn a_sender_hears_of_a_name_that_its_receiver_will_refuse_before_it_calls() {
    let folder = Folder::new();
    let source = folder.file(".env", b"x");
    let endpoint = endpoint(1);
    let mut warned = Vec::new();
    let mut note = |event: Event<'_>| match event {
        Event::NameUnsafe { sent, error } => {
            warned.push((sent.to_vec(), error));
            ControlFlow::Continue(())
        }
        Event::Connecting { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let error = send_file(&endpoint, &source, &Cancel::new(), &mut note).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    assert_eq!(warned, [(b".env".to_vec(), NameError::LeadingDot)]);
}

//! Files and names and relays of every kind.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;

use super::common::{Relay, on_every_backend};
use super::content;
use super::crossing::names;
use super::program::{End, Program, await_receiver, command, receive, send, skip};
use super::temp::TempDir;

on_every_backend! {
    lengths_of_every_kind_cross_unchanged
    a_sum_that_wraps_negative_holds
    names_of_every_kind_arrive_as_they_are
    a_longer_name_is_cut_before_its_extension_and_the_sender_is_warned
    three_hundred_megabytes_cross_unchanged
    the_relay_is_found_by_name_and_by_either_kind_of_address
}

/// Sends the file into a new folder; what each program said, and the folder.
fn cross(backend: &str, source: &Path) -> (End, End, TempDir) {
    let to = TempDir::new();
    let relay = Relay::start(backend, &[]);
    let receiver = receive(&relay, to.path(), &[]);
    let sender = send(source, relay.address, &[]);
    let (received, sent) = (receiver.end(), sender.end());
    assert_eq!(
        (sent.status, received.status),
        (0, 0),
        "{sent:?} {received:?}"
    );
    (sent, received, to)
}

fn assert_crosses(backend: &str, source: &Path) {
    let (sent, _, to) = cross(backend, source);
    let name = source.file_name().expect("a name");
    let only = std::fs::read_dir(to.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert_eq!(only.collect::<Vec<_>>(), [name]);
    content::assert_same(source, &to.path().join(name));
    assert!(!sent.said.contains("warning"), "{sent:?}");
}

fn lengths_of_every_kind_cross_unchanged(backend: &str) {
    let from = TempDir::new();
    for length in [1, 13, 100_000] {
        let source = from.path().join("file.bin");
        content::write(&source, length);
        assert_crosses(backend, &source);
    }
}

fn a_sum_that_wraps_negative_holds(backend: &str) {
    let from = TempDir::new();
    let source = from.path().join("wraps.bin");
    let length = (1 << 31) / 0xff + 1;
    std::fs::write(&source, vec![0xff; length]).unwrap();
    assert!(length as i64 * 0xff > i64::from(i32::MAX));
    assert_crosses(backend, &source);
}

fn names_of_every_kind_arrive_as_they_are(backend: &str) {
    let exact = "abcdefghijklmnopqrstuvwxyz0.bin";
    assert_eq!(exact.len(), 31);
    let texts = [
        exact,
        "two words.txt",
        "\u{d55c}\u{ae00} \u{bb38}\u{c11c}.txt",
    ];
    let mut names: Vec<&OsStr> = texts.map(OsStr::new).to_vec();
    // What a device of 2013 that writes CP949 or Latin-1 calls its files.
    #[cfg(target_os = "linux")]
    names.push(std::os::unix::ffi::OsStrExt::from_bytes(b"caf\xe9.txt"));
    let from = TempDir::new();
    for name in names {
        let source = from.path().join(name);
        content::write(&source, 13);
        assert_crosses(backend, &source);
    }
}

fn a_longer_name_is_cut_before_its_extension_and_the_sender_is_warned(backend: &str) {
    let from = TempDir::new();
    for (name, cut) in [
        (
            "abcdefghijklmnopqrstuvwxyz-and-more.tar",
            "abcdefghijklmnopqrstuvwxyz-.tar",
        ),
        // Between two characters: eleven of three bytes are too many beside the extension.
        (
            "\u{ac00}\u{b098}\u{b2e4}\u{b77c}\u{b9c8}\u{bc14}\u{c0ac}\u{c544}\u{c790}\u{cc28}\u{ce74}.txt",
            "\u{ac00}\u{b098}\u{b2e4}\u{b77c}\u{b9c8}\u{bc14}\u{c0ac}\u{c544}\u{c790}.txt",
        ),
    ] {
        assert!(name.len() > 31 && cut.len() <= 31);
        let source = from.path().join(name);
        content::write(&source, 13);
        let (sent, received, to) = cross(backend, &source);
        let warning = format!("warning: '{name}' is longer than 31 bytes: it is sent as '{cut}'");
        assert!(sent.said.contains(&warning), "{sent:?}");
        assert!(received.said.contains(cut), "{received:?}");
        assert_eq!(names(to.path()), [cut]);
        content::assert_same(&source, &to.path().join(cut));
    }
}

fn three_hundred_megabytes_cross_unchanged(backend: &str) {
    let from = TempDir::new();
    let source = from.path().join("300MB.bin");
    content::write(&source, 300_000_000);
    assert_crosses(backend, &source);
}

fn the_relay_is_found_by_name_and_by_either_kind_of_address(backend: &str) {
    let from = TempDir::new();
    let source = from.path().join("file.bin");
    content::write(&source, 13);
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let six = TcpListener::bind(six).is_ok();
    if !six {
        skip("files/ipv6: this machine has no IPv6");
    }
    let four = IpAddr::from(Ipv4Addr::LOCALHOST).to_string();
    let hosts = [
        ("127.0.0.1", true),
        ("localhost", true),
        ("::1", six),
        ("[::1]", six),
    ];
    // The last relay is on one address of one family, so that a name with two has to be tried twice.
    for (binds, hosts) in [(&[][..], &hosts[..]), (&["--bind", &four], &hosts[..2])] {
        for (host, _) in hosts.iter().filter(|(_, here)| *here) {
            let relay = Relay::start_anywhere(backend, binds);
            let to = TempDir::new();
            let port = relay.address.port().to_string();
            let start = |name: &str, file: &OsStr| {
                let mut command = command(name);
                command.current_dir(to.path()).arg(file);
                command.args(["alice", host, &port]);
                Program::start(command)
            };
            let receiver = start("recv_r", OsStr::new("-"));
            await_receiver(&relay);
            let sender = start("send_r", source.as_os_str());
            let (received, sent) = (receiver.end(), sender.end());
            assert_eq!(
                (sent.status, received.status),
                (0, 0),
                "{host}: {sent:?} {received:?}"
            );
            content::assert_same(&source, &to.path().join("file.bin"));
        }
    }
}

//! Three relays behind HAProxy, with the configuration of `deploy/`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::common::{Relay, connect, read, read_to_end, wait_until};
use super::meeting::{BACKEND, Pair, end, home, registered_or_ended, say, start};
use super::temp::TempDir;

/// As `deploy/haproxy.cfg` says, and without limits to one source: all tests are one.
const BEHIND: &[&str] = &[
    "--proxy-protocol",
    "--proxy-from",
    "127.0.0.1",
    "--metrics",
    "127.0.0.1:0",
    "--source-connections",
    "0",
    "--source-rate",
    "0",
];
const IDS: usize = 200;
/// How soon everybody meets again after a relay has died.
const RECOVERY: Duration = Duration::from_secs(5);

/// HAProxy before three relays; ends with the value.
struct Cluster {
    address: SocketAddr,
    relays: Vec<Relay>,
    child: Child,
    log: PathBuf,
    _folder: TempDir,
}

impl Cluster {
    fn start() -> Self {
        let relays: Vec<_> = (0..3).map(|_| Relay::start(BACKEND, BEHIND)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();

        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/haproxy.cfg");
        let mut text = std::fs::read_to_string(path).unwrap();
        // The listening socket is HAProxy's standard input, so that no other can have its port.
        let mut changes = vec![("bind :9000".to_string(), "bind fd@0".to_string())];
        for (index, relay) in relays.iter().enumerate() {
            let line = relay.wait_for("metrics", &[]);
            let (_, health) = line.rsplit_once(':').unwrap();
            let deployed = format!("192.0.2.{}:9000 ", 11 + index);
            let here = format!("{} port {health} ", relay.address);
            changes.push((deployed, here));
        }
        for (deployed, here) in changes {
            assert_eq!(text.matches(&deployed).count(), 1, "{deployed}");
            text = text.replace(&deployed, &here);
        }
        let folder = TempDir::new();
        let config = folder.path().join("haproxy.cfg");
        std::fs::write(&config, text).unwrap();
        let log = folder.path().join("log");
        // Not with -q, which would put something else in the place of standard input.
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(config)
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            address,
            relays,
            child,
            log,
            _folder: folder,
        }
    }

    /// Waits until HAProxy has said this of a relay.
    fn wait_for(&self, relay: usize, what: &str) {
        let said = format!("relays/relay{} {what}", relay + 1);
        wait_until(&said, || {
            let log = std::fs::read_to_string(&self.log).unwrap();
            log.contains(&said)
        });
    }

    fn kill(&mut self, relay: usize) {
        self.relays[relay].child.kill().unwrap();
        self.relays[relay].child.wait().unwrap();
    }

    /// Sends a signal to a relay.
    fn signal(&self, relay: usize, name: &str) {
        let id = self.relays[relay].child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

fn is_installed() -> bool {
    let mut version = Command::new("haproxy");
    let found = version.arg("-v").stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("SKIP scale/haproxy: haproxy not installed");
    }
    found
}

#[test]
fn both_sides_of_200_ids_come_to_one_relay_and_a_dead_one_costs_only_its_share() {
    if !is_installed() {
        return;
    }
    let mut cluster = Cluster::start();
    let address = cluster.address;
    let ids: Vec<_> = (0..IDS).map(|index| format!("device {index}")).collect();

    let mut pairs = HashMap::new();
    for id in &ids {
        let mut pair = Pair::meet(address, &cluster.relays, id);
        pair.assert_joined();
        pairs.insert(id, pair);
    }
    let mut shares = [0; 3];
    for pair in pairs.values() {
        shares[pair.home] += 1;
    }
    println!("{IDS} ids over 3 relays: {shares:?}");
    // Twice or half the even share would be five standard deviations away.
    assert!(shares.iter().all(|&share| share > IDS / 6), "{shares:?}");

    let dead = pairs[&ids[0]].home;
    let begun = Instant::now();
    cluster.kill(dead);
    for pair in pairs.values_mut() {
        match pair.home == dead {
            true => pair.assert_ended(),
            false => pair.assert_joined(),
        }
    }
    for id in &ids {
        let home = meet_again(&cluster, id, begun);
        let before = pairs[id].home;
        assert_ne!(home, dead, "{id}");
        assert!(home == before || before == dead, "{id} has moved");
    }
    println!("all {IDS} met again {:?} after the death", begun.elapsed());
}

/// Tries until two meet under `id`, for [`RECOVERY`] at most; where they do.
fn meet_again(cluster: &Cluster, id: &str, begun: Instant) -> usize {
    let mut attempts = 0;
    while begun.elapsed() < RECOVERY {
        attempts += 1;
        let mut listener = say(cluster.address, b'T', id);
        let Some(home) = registered_or_ended(&cluster.relays, &mut listener) else {
            continue;
        };
        let mut caller = say(cluster.address, b'C', id);
        let mut answer = [0];
        if matches!(caller.read(&mut answer), Ok(1)) && answer == *b"O" {
            caller.write_all(b"again").unwrap();
            assert_eq!(read(&mut listener, 5), b"again");
            return home;
        }
    }
    panic!("{id}: nobody met within {RECOVERY:?}, after {attempts} attempts");
}

#[test]
fn a_listener_that_came_while_its_relay_was_down_is_found_when_that_is_back() {
    if !is_installed() {
        return;
    }
    let cluster = Cluster::start();
    let ids: Vec<_> = (0..20).map(|index| format!("device {index}")).collect();
    let meet = |id: &String| Pair::meet(cluster.address, &cluster.relays, id);
    let homes: Vec<_> = ids.iter().map(|id| meet(id).home).collect();
    let down = homes[0];
    // One that hangs answers no health check.
    cluster.signal(down, "STOP");
    cluster.wait_for(down, "is DOWN");
    let begun = Instant::now();
    let wait = |id: &String| {
        let mut listener = say(cluster.address, b'T', id);
        let home = registered_or_ended(&cluster.relays, &mut listener);
        (listener, home.expect("a relay that is up"))
    };
    let listeners: Vec<_> = ids.iter().map(wait).collect();
    assert!(begun.elapsed() < RECOVERY);
    assert!(listeners.iter().all(|(_, home)| *home != down));
    cluster.signal(down, "CONT");
    cluster.wait_for(down, "is UP");
    for (id, (mut listener, _)) in ids.iter().zip(listeners) {
        let mut caller = say(cluster.address, b'C', id);
        assert_eq!(read(&mut caller, 1), b"O", "{id}");
        caller.write_all(b"found").unwrap();
        assert_eq!(read(&mut listener, 5), b"found");
    }
}

#[test]
fn files_cross_between_the_programs_and_the_relays_see_true_addresses() {
    if !is_installed() {
        return;
    }
    let cluster = Cluster::start();
    let port = cluster.address.port().to_string();
    let folder = TempDir::new();
    std::fs::write(folder.path().join("a"), vec![b'a'; 3_000_000]).unwrap();
    for index in 0..3 {
        let id = format!("device {index}");
        let meet = [id.as_str(), "127.0.0.1", port.as_str()];
        let copy = format!("copy {index}");
        let receive = [&["-o", &copy, "-"], &meet[..]].concat();
        let receiver = start("recv_r", folder.path(), &receive);
        let send = [&["--wait=20", "a"], &meet[..]].concat();
        let sender = start("send_r", folder.path(), &send);
        assert_eq!(end(receiver).0, Some(0));
        assert_eq!(end(sender).0, Some(0));
        let crossed = std::fs::read(folder.path().join(copy)).unwrap();
        assert!(crossed == vec![b'a'; 3_000_000], "another file");
    }
    // The relay names the address that only HAProxy has seen.
    let listener = say(cluster.address, b'T', "address");
    home(&cluster.relays, &listener);
}

#[test]
fn what_is_no_hello_is_answered_by_a_relay_and_a_slow_hello_is_understood() {
    if !is_installed() {
        return;
    }
    let cluster = Cluster::start();
    for wrong in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), [b'T'; 300].to_vec()] {
        let mut stream = connect(cluster.address);
        stream.write_all(&wrong).unwrap();
        assert_eq!(read_to_end(&mut stream), b"X");
    }
    // The longest id, in bytes of every kind, each in a segment of its own.
    let id: Vec<u8> = (0x20..=0xff)
        .filter(|byte| !b"$\x7f".contains(byte))
        .collect();
    let mut listener = connect(cluster.address);
    for byte in [b"T", &id[..], b"$"].concat().chunks(1) {
        listener.write_all(byte).unwrap();
    }
    home(&cluster.relays, &listener);
    let mut caller = connect(cluster.address);
    caller
        .write_all(&[b"C", &id[..], b"$early"].concat())
        .unwrap();
    assert_eq!(read(&mut caller, 1), b"O");
    assert_eq!(read(&mut listener, 5), b"early");
}

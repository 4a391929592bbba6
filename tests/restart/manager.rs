//! The relay under a service manager, which these tests play: the socket that it passes, and what
//! it hears.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::common::{DEADLINE, connect, hello, on_every_backend, read, read_to_end, wait_until};
use super::temp::TempDir;

on_every_backend! {
    it_serves_on_the_socket_that_is_passed_and_needs_no_port
    connections_wait_at_the_passed_socket_while_the_relay_restarts
    it_says_when_it_serves_and_when_it_ends
    an_abstract_name_is_spoken_to_as_well
    the_watchdog_hears_twice_in_its_time_and_nothing_from_a_relay_that_hangs
    in_a_takeover_the_old_says_reloading_and_the_new_says_ready
    a_manager_that_does_not_listen_is_no_obstacle
}

/// A relay with nothing in its environment but what a test gives it; killed with the value.
struct Service(Child);

impl Service {
    fn start(command: &mut Command) -> Self {
        command.stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.0.id());
        let killed = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(killed.success());
    }

    fn wait_ended(&mut self) {
        let mut status = None;
        wait_until("the relay has ended", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(backend: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2p-relay"));
    command.args(["--backend", backend]).args(arguments);
    command
}

/// A command that finds `socket` where a manager passes it: as descriptor 3 of the process that
/// LISTEN_PID names.
fn passed(backend: &str, socket: &TcpListener, arguments: &[&str]) -> Command {
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    let socket = OwnedFd::from(socket.try_clone().unwrap());
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_p2p-relay")])
        .args(["--backend", backend])
        .args(arguments)
        .stdin(Stdio::from(socket));
    command
}

fn assert_meet(address: SocketAddr, id: &[u8]) {
    let mut listener = connect(address);
    listener.write_all(&hello(b'T', id)).unwrap();
    wait_until("the listener waits", || {
        let mut caller = connect(address);
        caller.write_all(&hello(b'C', id)).unwrap();
        let met = read(&mut caller, 1) == b"O";
        if met {
            caller.write_all(b"x").unwrap();
            assert_eq!(read(&mut listener, 1), b"x");
        }
        met
    });
}

fn it_serves_on_the_socket_that_is_passed_and_needs_no_port(backend: &str) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let port = address.port().to_string();
    for arguments in [&[][..], &[port.as_str()], &["0"]] {
        let mut relay = Service::start(&mut passed(backend, &socket, arguments));
        assert_meet(address, b"alice");
        relay.signal("TERM");
        relay.wait_ended();
    }
    let fails = |command: &mut Command, words: &[&str]| {
        let Output { status, stderr, .. } = command.output().unwrap();
        let said = String::from_utf8_lossy(&stderr);
        assert_ne!(status.code(), Some(0), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        for word in words {
            assert!(said.contains(word), "{said} has no '{word}'");
        }
    };
    fails(&mut passed(backend, &socket, &["1"]), &[&port, "not 1"]);
    // Meant for another process, or not a listening socket at all.
    let mut foreign = command(backend, &[]);
    foreign.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    fails(&mut foreign, &["PORT is missing"]);
    let script = "exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    let mut other = Command::new("sh");
    other.args(["-c", script, "sh", env!("CARGO_BIN_EXE_p2p-relay")]);
    fails(&mut other, &["cannot use the socket that was passed"]);
    let mut several = Command::new("sh");
    let script = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$@\"";
    several.args(["-c", script, "sh", env!("CARGO_BIN_EXE_p2p-relay")]);
    fails(&mut several, &["2 sockets"]);
}

fn connections_wait_at_the_passed_socket_while_the_relay_restarts(backend: &str) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut relay = Service::start(&mut passed(backend, &socket, &[]));
    assert_meet(address, b"alice");
    relay.signal("TERM");
    relay.wait_ended();
    let mut early = connect(address);
    early.write_all(&hello(b'C', b"nobody")).unwrap();
    let _relay = Service::start(&mut passed(backend, &socket, &[]));
    assert_eq!(read_to_end(&mut early), b"X");
    assert_meet(address, b"bob");
}

/// What a manager hears.
struct Ears {
    socket: UnixDatagram,
    name: PathBuf,
}

impl Ears {
    fn new(folder: &TempDir) -> Self {
        let name = folder.path().join("notify");
        let socket = UnixDatagram::bind(&name).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { socket, name }
    }

    fn hear(&self) -> String {
        let mut buffer = [0; 512];
        loop {
            match self.socket.recv(&mut buffer) {
                // A wait with a time is not taken up again by the kernel.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                said => {
                    let count = said.expect("something is said");
                    return String::from_utf8(buffer[..count].to_vec()).unwrap();
                }
            }
        }
    }
}

/// A relay that tells its manager at `name`; it and its address.
fn telling(
    backend: &str,
    name: &Path,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> (Service, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut command = passed(backend, &socket, arguments);
    command.env("NOTIFY_SOCKET", name);
    command.envs(environment.iter().copied());
    (Service::start(&mut command), address)
}

fn it_says_when_it_serves_and_when_it_ends(backend: &str) {
    let folder = TempDir::new();
    let ears = Ears::new(&folder);
    let (mut relay, address) = telling(backend, &ears.name, &[], &[]);
    assert_eq!(ears.hear(), "READY=1");
    assert_meet(address, b"alice");
    relay.signal("TERM");
    assert_eq!(ears.hear(), "STOPPING=1");
    relay.wait_ended();
}

fn an_abstract_name_is_spoken_to_as_well(backend: &str) {
    let name = format!("p2pxfer-test-{}-{backend}", std::process::id());
    let address = UnixAddr::from_abstract_name(&name).unwrap();
    let ears = Ears {
        socket: UnixDatagram::bind_addr(&address).unwrap(),
        name: format!("@{name}").into(),
    };
    ears.socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let (relay, _) = telling(backend, &ears.name, &[], &[]);
    assert_eq!(ears.hear(), "READY=1");
    relay.signal("TERM");
    assert_eq!(ears.hear(), "STOPPING=1");
}

fn the_watchdog_hears_twice_in_its_time_and_nothing_from_a_relay_that_hangs(backend: &str) {
    const TIME: Duration = Duration::from_millis(400);
    let folder = TempDir::new();
    let ears = Ears::new(&folder);
    let (relay, address) = telling(backend, &ears.name, &[("WATCHDOG_USEC", "400000")], &[]);
    assert_eq!(ears.hear(), "READY=1");
    let begin = Instant::now();
    for _ in 0..11 {
        assert_eq!(ears.hear(), "WATCHDOG=1");
    }
    let took = begin.elapsed();
    // Ten halves after the first, which comes at once.
    assert!(took > 5 * TIME - TIME / 2, "11 in {took:?}");
    assert!(took < 10 * TIME, "11 in {took:?}");
    assert_meet(address, b"alice");
    relay.signal("STOP");
    ears.socket.set_nonblocking(true).unwrap();
    while ears.socket.recv(&mut [0; 64]).is_ok() {}
    let until = Instant::now() + 2 * TIME;
    while Instant::now() < until {
        assert!(
            ears.socket.recv(&mut [0; 64]).is_err(),
            "a stopped relay spoke"
        );
        std::thread::sleep(TIME / 20);
    }
    ears.socket.set_nonblocking(false).unwrap();
    relay.signal("CONT");
    assert_eq!(ears.hear(), "WATCHDOG=1");
}

fn in_a_takeover_the_old_says_reloading_and_the_new_says_ready(backend: &str) {
    let folder = TempDir::new();
    let ears = Ears::new(&folder);
    let door = folder.path().join("door");
    let arguments = ["--takeover", door.to_str().unwrap()];
    let time = [("WATCHDOG_USEC", "400000")];
    let (mut old, address) = telling(backend, &ears.name, &time, &arguments);
    assert_eq!(ears.hear(), "READY=1");
    wait_until("the door is there", || fs::exists(&door).unwrap());
    // As a command of the manager gets it: told where to report, but not of the watchdog.
    let mut command = command(backend, &arguments);
    let new = Service::start(command.arg("0").env("NOTIFY_SOCKET", &ears.name));
    let hear = || {
        loop {
            let heard = ears.hear();
            if heard != "WATCHDOG=1" {
                return heard;
            }
        }
    };
    let reloading = hear();
    let time: u64 = reloading
        .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
        .unwrap_or_else(|| panic!("{reloading:?}"))
        .parse()
        .unwrap();
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let ago = uptime - time as f64 / 1e6;
    assert!((-5.0..60.0).contains(&ago), "{ago} s ago");
    // Before the old one may end, or the manager would take that for the service's end.
    assert_eq!(hear(), format!("MAINPID={}", new.0.id()));
    assert_eq!(hear(), "READY=1");
    old.wait_ended();
    // The watchdog's time has come along, and the old relay has not said that the service stops.
    for _ in 0..3 {
        assert_eq!(ears.hear(), "WATCHDOG=1");
    }
    assert_meet(address, b"alice");
}

fn a_manager_that_does_not_listen_is_no_obstacle(backend: &str) {
    let folder = TempDir::new();
    let time = [("WATCHDOG_USEC", "100000")];
    for name in ["/nowhere/at/all", "", "@", "relative", "@p2pxfer-nobody"] {
        let (relay, address) = telling(backend, Path::new(name), &time, &[]);
        assert_meet(address, b"alice");
        relay.signal("TERM");
    }
    let ears = Ears::new(&folder);
    // Nobody reads it until it is full.
    let (mut relay, address) = telling(backend, &ears.name, &[("WATCHDOG_USEC", "200")], &[]);
    for _ in 0..200 {
        assert_meet(address, b"alice");
    }
    relay.signal("TERM");
    relay.wait_ended();
}

//! A host that is suddenly not there any more. Two network namespaces are joined by a cable that is
//! pulled; the relay and the callers are in the one, the listeners in the other.

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Settings;
use super::common::{Log, Relay, connect, hello};
use super::report::Report;

/// The first argument of the driver when it is to be one client in a namespace.
pub(crate) const PEER: &str = "--peer";

const RELAY_IP: &str = "192.0.2.1";
const PEER_IP: &str = "192.0.2.2";
const LIMIT: f64 = 60.0;

/// The two namespaces; gone with the value.
struct Cable {
    near: String,
    far: String,
}

impl Cable {
    fn new() -> Result<Self, String> {
        let name = |end: &str| format!("gates-{end}-{}", std::process::id());
        let cable = Self {
            near: name("near"),
            far: name("far"),
        };
        let Self { near, far } = &cable;
        for command in [
            format!("netns add {near}"),
            format!("netns add {far}"),
            format!("-n {near} link add end type veth peer name end netns {far}"),
            format!("-n {near} addr add {RELAY_IP}/30 dev end"),
            format!("-n {far} addr add {PEER_IP}/30 dev end"),
            format!("-n {near} link set lo up"),
            format!("-n {near} link set end up"),
            format!("-n {far} link set end up"),
        ] {
            ip(&command)?;
        }
        Ok(cable)
    }

    fn pull(&self) {
        ip(&format!("-n {} link set end down", self.far)).expect("a cable can be pulled");
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in [&self.near, &self.far] {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

fn ip(command: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(command.split(' '))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn inside(namespace: &str) -> Command {
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", namespace])
        .stdin(Stdio::null());
    command
}

/// A client in a namespace, and what it says.
struct Peer(Child, Log);

impl Peer {
    fn start(namespace: &str, hello: &str, relay: &Relay) -> Self {
        let mut child = inside(namespace)
            .arg(env::current_exe().expect("this program"))
            .args([PEER, hello, &relay.address.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a client starts");
        let output = child.stdout.take().expect("it is piped");
        Self(child, Log::of(std::io::BufReader::new(output)))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let cable = match Cable::new() {
        Ok(cable) => cable,
        Err(error) => {
            report.skip(&format!("network namespaces need root and ip ({error})"));
            return;
        }
    };
    let relay = Relay::start_with(
        inside(&cable.near)
            .arg(env!("CARGO_BIN_EXE_p2p-relay"))
            .args([
                "--backend",
                &settings.backend,
                "--bind",
                RELAY_IP,
                "--log-ids",
                "0",
            ]),
    );
    // 'busy' pairs move data all the time, 'calm' ones none.
    let ids = ["waits", "calm", "busy"];
    let _listeners = ids.map(|id| {
        let listener = Peer::start(&cable.far, &format!("T{id}"), &relay);
        relay.wait_for("registered", &[&format!("id={id}")]);
        listener
    });
    let callers = ["calm", "busy"].map(|id| Peer::start(&cable.near, &format!("C{id}"), &relay));
    for caller in &callers {
        caller.1.wait_for(|line| line == "moves");
    }
    cable.pull();
    let begun = Instant::now();
    let mut gone = ids.map(|_| None);
    while gone.contains(&None) && begun.elapsed().as_secs_f64() < 2.0 * LIMIT {
        for line in relay.log.lines() {
            for (id, gone) in ids.iter().zip(&mut gone) {
                let named = line.split(' ').any(|word| word == format!("id={id}"));
                if line.starts_with("closed") && named && gone.is_none() {
                    println!("      {line}");
                    *gone = Some(begun.elapsed().as_secs_f64());
                }
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    for (what, gone) in [
        "a waiting listener",
        "a pair at rest",
        "a pair with data under way",
    ]
    .iter()
    .zip(gone)
    {
        report.at_most(
            &format!("{what} is gone after"),
            gone.unwrap_or(f64::INFINITY),
            LIMIT,
            "s",
        );
    }
    let told = callers
        .iter()
        .filter(|caller| caller.1.wait_for(|line| line.starts_with("ended")) == "ended by an error")
        .count();
    report.exactly("survivors that see an error, no clean end", told, 2);
}

/// One client: says its hello, moves data unless it is calm, and tells how it ended.
pub(crate) fn peer(hello_without_end: &str, address: &str) -> ExitCode {
    let (role, id) = hello_without_end.split_at(1);
    let mut stream = connect(address.parse().expect("an address of ours"));
    stream.set_read_timeout(None).expect("a socket option");
    stream.set_write_timeout(None).expect("a socket option");
    stream
        .write_all(&hello(role.as_bytes()[0], id.as_bytes()))
        .expect("the relay reads");
    let mut buffer = vec![0; 65_536];
    // A caller's 'O', or the first bytes of a caller.
    let mut ended = stream.read(&mut buffer);
    println!("moves");
    let writer = (id == "busy").then(|| {
        let mut writer = stream.try_clone().expect("a descriptor is left");
        thread::spawn(move || {
            loop {
                if let Err(error) = writer.write_all(&[7; 65_536]) {
                    return error.kind();
                }
            }
        })
    });
    while matches!(ended, Ok(1..)) {
        ended = stream.read(&mut buffer);
    }
    // The kernel tells a reset once, to the writer or to the reader. After a clean end it is not a
    // reset but a broken pipe to the writer.
    let written = writer.map(|writer| writer.join().expect("no writer panics"));
    if ended.is_err() || written == Some(ErrorKind::ConnectionReset) {
        println!("ended by an error");
    } else {
        println!("ended cleanly");
    }
    ExitCode::SUCCESS
}

//! Three relays that know nothing of each other, and clients that are told of all three.

use std::io::Write;
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use p2pxfer::client::{Cancel, Endpoint, Hosts, Wait, recv_file, send_file};
use p2pxfer::transfer::{Error, Event, Place, Target, UserId};

use super::common::{Relay, wait_until};
use super::meeting::{BACKEND, end, say, start};
use super::temp::TempDir;

/// Addresses that no test listens on.
const DOWN: [&str; 3] = ["127.0.0.77:9", "127.0.0.78:9", "127.0.0.79:9"];

fn three() -> Vec<Relay> {
    (0..3).map(|_| Relay::start(BACKEND, &[])).collect()
}

fn addresses(relays: &[Relay]) -> Vec<String> {
    relays
        .iter()
        .map(|relay| relay.address.to_string())
        .collect()
}

fn endpoint(id: &str, relays: &[String]) -> Endpoint {
    let id = UserId::new(id.as_bytes()).unwrap();
    let hosts = relays.join(",").parse::<Hosts>().unwrap();
    Endpoint::new(id, hosts, 9)
}

/// One side of a transfer, and the relays that it has connected to.
#[derive(Default)]
struct Visits(Mutex<Vec<String>>);

impl Visits {
    fn note(&self, event: Event<'_>) -> ControlFlow<()> {
        if let Event::Connecting { relay } = event {
            self.0.lock().unwrap().push(relay.to_string());
        }
        ControlFlow::Continue(())
    }

    fn get(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn send(&self, endpoint: &Endpoint, file: &Path) -> Result<(), Error> {
        let mut observer = |event: Event<'_>| self.note(event);
        send_file(endpoint, file, &Cancel::new(), &mut observer).map(drop)
    }

    fn receive(&self, endpoint: &Endpoint, file: &Path, cancel: &Cancel) -> Result<(), Error> {
        let place = Place {
            target: Target::Path(file.into()),
            overwrite: true,
        };
        let mut observer = |event: Event<'_>| self.note(event);
        recv_file(endpoint, &place, cancel, &mut observer).map(drop)
    }
}

/// How many listeners have ever waited at these relays.
fn registered(relays: &[Relay]) -> usize {
    let lines = relays.iter().flat_map(|relay| relay.log.lines());
    lines.filter(|line| line.starts_with("registered ")).count()
}

/// Moves a file under `id`; where the receiver and the sender have been.
fn cross(
    relays: &[Relay],
    id: &str,
    receivers: &[String],
    senders: &[String],
    folder: &Path,
) -> (Vec<String>, Vec<String>) {
    let (file, copy) = (folder.join("file"), folder.join("copy"));
    std::fs::write(&file, id).unwrap();
    let (receiver, sender) = (Visits::default(), Visits::default());
    let before = registered(relays);
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            let endpoint = endpoint(id, receivers);
            receiver.receive(&endpoint, &copy, &Cancel::new())
        });
        wait_until("a listener", || registered(relays) > before);
        sender.send(&endpoint(id, senders), &file).unwrap();
        receiving.join().unwrap().unwrap();
    });
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), id);
    (receiver.get(), sender.get())
}

#[test]
fn both_sides_choose_one_relay_for_each_of_200_ids_whatever_the_order_of_their_lists() {
    let relays = three();
    let folder = TempDir::new();
    let receivers = addresses(&relays);
    let mut senders = receivers.clone();
    senders.rotate_left(1);
    let mut shares = [0; 3];
    for index in 0..200 {
        let id = format!("device {index}");
        let (receiver, sender) = cross(&relays, &id, &receivers, &senders, folder.path());
        assert_eq!(receiver.len(), 1, "{id}");
        assert_eq!(receiver, sender, "{id}");
        let place = receivers.iter().position(|relay| *relay == receiver[0]);
        shares[place.unwrap()] += 1;
    }
    println!("200 ids over 3 relays: {shares:?}");
    // Half the even share would be five standard deviations away.
    assert!(shares.iter().all(|&share| share > 200 / 6), "{shares:?}");
}

#[test]
fn with_one_relay_down_both_sides_go_on_to_the_same_next_one() {
    let relays = [Relay::start(BACKEND, &[]), Relay::start(BACKEND, &[])];
    let folder = TempDir::new();
    let mut list = addresses(&relays);
    list.push(DOWN[0].into());
    let mut passed_over = 0;
    for index in 0..30 {
        let id = format!("device {index}");
        let (receiver, sender) = cross(&relays, &id, &list, &list, folder.path());
        assert_eq!(receiver, sender, "{id}");
        let down = receiver.iter().filter(|relay| *relay == DOWN[0]).count();
        assert_eq!(receiver.len(), 1 + down, "{id}");
        passed_over += down;
    }
    assert!((1..30).contains(&passed_over), "{passed_over}");
}

/// The order in which a caller tries the relays.
fn order(id: &str, list: &[String]) -> Vec<String> {
    let folder = TempDir::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let caller = Visits::default();
    let nobody = caller.send(&endpoint(id, list), &file);
    assert!(matches!(nobody, Err(Error::NobodyWaits)), "{nobody:?}");
    caller.get()
}

#[test]
fn a_sender_finds_the_receiver_that_has_fallen_through_while_it_waits_too() {
    let relays = three();
    let list = addresses(&relays);
    let folder = TempDir::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let order = order("alice", &list);
    assert_eq!(order.len(), 3);
    let sender = Visits::default();
    std::thread::scope(|scope| {
        let mut endpoint = endpoint("alice", &list);
        endpoint.wait = Wait::Forever;
        endpoint.idle_timeout = Some(Duration::from_secs(20));
        let (sender, file) = (&sender, &file);
        let sending = scope.spawn(move || sender.send(&endpoint, file));
        // After a whole round in vain a listener comes, to the last.
        wait_until("a round", || sender.get().len() >= 3);
        let mut listener = say(order[2].parse().unwrap(), b'T', "alice");
        listener.peek(&mut [0]).unwrap();
        listener.write_all(b"X").unwrap();
        let refused = sending.join().unwrap();
        assert!(matches!(refused, Err(Error::RefusedByPeer)), "{refused:?}");
    });
    let visits = sender.get();
    assert!(visits.chunks(3).all(|round| *round == order), "{visits:?}");
}

#[test]
fn a_sender_that_waits_goes_on_while_all_relays_are_away() {
    // An address that only this test uses, so that its port is free again later.
    let away = TcpListener::bind("127.0.0.80:0").unwrap();
    let address = away.local_addr().unwrap();
    drop(away);
    let list = [address.to_string(), DOWN[0].into(), DOWN[1].into()];
    let folder = TempDir::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let rounds = AtomicUsize::new(0);
    let mut observer = |event: Event<'_>| {
        if let Event::RelayAway { error } = event {
            assert!(matches!(error, Error::NoRelay { tried } if tried.len() == 3));
            rounds.fetch_add(1, Ordering::Relaxed);
        }
        ControlFlow::Continue(())
    };
    let mut endpoint = endpoint("alice", &list);
    endpoint.wait = Wait::Forever;
    let result = std::thread::scope(|scope| {
        let cancel = Cancel::new();
        let sending = scope.spawn(move || send_file(&endpoint, &file, &cancel, &mut observer));
        wait_until("a round", || rounds.load(Ordering::Relaxed) > 0);
        let back = TcpListener::bind(address).unwrap();
        let (mut caller, _) = back.accept().unwrap();
        // A listener that refuses the file.
        caller.write_all(b"OX").unwrap();
        sending.join().unwrap()
    });
    assert!(matches!(result, Err(Error::RefusedByPeer)), "{result:?}");
}

#[test]
fn a_receiver_whose_relay_dies_waits_at_the_next_one() {
    let mut relays = three();
    let list = addresses(&relays);
    let folder = TempDir::new();
    let (file, copy) = (folder.path().join("file"), folder.path().join("copy"));
    std::fs::write(&file, "x").unwrap();
    let order = order("alice", &list);
    let receiver = Visits::default();
    let endpoint = &endpoint("alice", &list);
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(endpoint, &copy, &Cancel::new()));
        wait_until("a listener", || registered(&relays) == 1);
        let first = list.iter().position(|relay| *relay == order[0]).unwrap();
        relays[first].child.kill().unwrap();
        wait_until("a listener at the next", || registered(&relays) == 2);
        Visits::default().send(endpoint, &file).unwrap();
        receiving.join().unwrap().unwrap();
    });
    assert_eq!(receiver.get(), order[..2]);
}

#[test]
fn a_relay_that_ends_a_long_wait_is_the_first_to_be_tried_again() {
    let fakes: Vec<_> = (0..2)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let local = |fake: &TcpListener| fake.local_addr().unwrap().to_string();
    let list: Vec<_> = fakes.iter().map(local).collect();
    let folder = TempDir::new();
    let copy = folder.path().join("copy");
    let receiver = Visits::default();
    let cancel = Cancel::new();
    let result = std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            let endpoint = endpoint("alice", &list);
            receiver.receive(&endpoint, &copy, &cancel)
        });
        wait_until("the first relay", || receiver.get().len() == 1);
        let first = list.iter().position(|relay| *relay == receiver.get()[0]);
        let first = &fakes[first.unwrap()];
        let waiting = first.accept().unwrap();
        // What is tested is the time: longer than any relay that cannot serve keeps a listener.
        std::thread::sleep(Duration::from_millis(10_100));
        drop(waiting);
        let again = first.accept().unwrap();
        cancel.cancel();
        drop(again);
        receiving.join().unwrap()
    });
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    let visits = receiver.get();
    assert_eq!(visits[..1], visits[1..]);
}

#[test]
fn what_accepts_and_ends_at_once_is_passed_over() {
    // A balancer without a relay behind it does so.
    let hollow = TcpListener::bind("127.0.0.1:0").unwrap();
    let list = [hollow.local_addr().unwrap().to_string()];
    std::thread::spawn(move || hollow.incoming().for_each(drop));
    let relays = [Relay::start(BACKEND, &[])];
    let list = [&list[..], &addresses(&relays)].concat();
    let folder = TempDir::new();
    let mut passed_over = 0;
    for index in 0..20 {
        let id = format!("device {index}");
        let (receiver, sender) = cross(&relays, &id, &list, &list, folder.path());
        assert_eq!(receiver, sender, "{id}");
        passed_over += receiver.len() - 1;
    }
    assert!((1..20).contains(&passed_over), "{passed_over}");
}

#[test]
fn what_failed_is_said_of_each_relay_with_its_status() {
    let folder = TempDir::new();
    std::fs::write(folder.path().join("a"), "x").unwrap();
    let run = |program: &str, arguments: &[&str]| end(start(program, folder.path(), arguments));
    let down = DOWN.join(",");
    for (program, file) in [("send_r", "a"), ("recv_r", "-")] {
        let (status, said) = run(program, &[file, "alice", &down, "9000"]);
        assert_eq!(status, Some(4), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("cannot use any of the relays: "), "{said}");
        for relay in DOWN {
            assert!(said.contains(&format!("{relay} (")), "{said}");
        }
        let (status, said) = run(program, &[file, "alice", "a, b", "9000"]);
        assert_eq!(status, Some(2), "{said}");
        let why = "HOST 'a, b': the host holds a blank or a control character: leave it out";
        assert!(said.contains(why), "{said}");
    }
    let relay = Relay::start(BACKEND, &[]);
    let some = format!("{},{}", relay.address, DOWN[0]);
    let (status, said) = run("send_r", &["a", "alice", &some, "9000"]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("nobody waits under that user id"), "{said}");
    assert!(said.contains(&format!("{} (", DOWN[0])), "{said}");
    let (status, said) = run("recv_r", &["--wait=1", "-", "alice", &some, "9000"]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("no sender came within 1 s"), "{said}");
}

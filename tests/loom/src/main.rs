//! The registry of the relay, under every order in which threads can come to it: loom runs each model once
//! for each. `make loom` runs it.

#[path = "../../../src/relay/registry.rs"]
mod registry;

/// What the registry imports.
mod wire {
    pub use p2pxfer::transfer::UserId;
}

use loom::sync::{Arc, Mutex};
use loom::thread;

use registry::Registry;
use wire::UserId;

type Shared = Arc<Mutex<Registry<u32>>>;

fn id() -> UserId {
    UserId::new(b"alice").expect("it is one")
}

fn with(listeners: &[u32]) -> Shared {
    let mut registry = Registry::default();
    for &listener in listeners {
        registry.insert(id(), listener);
    }
    Arc::new(Mutex::new(registry))
}

/// In another thread: what `act` takes out.
fn taking(
    shared: &Shared,
    act: impl FnOnce(&mut Registry<u32>) -> Vec<u32> + 'static,
) -> thread::JoinHandle<Vec<u32>> {
    let shared = Arc::clone(shared);
    thread::spawn(move || act(&mut shared.lock().expect("nobody panics")))
}

fn call(registry: &mut Registry<u32>) -> Vec<u32> {
    registry.take(&id()).into_iter().collect()
}

/// The listener is found gone by the relay.
fn leave(registry: &mut Registry<u32>, listener: u32) -> Vec<u32> {
    let left = registry.remove(&id(), |&each| each == listener);
    left.into_iter().collect()
}

fn clear(registry: &mut Registry<u32>) -> Vec<u32> {
    registry.drain().map(|(_, listener)| listener).collect()
}

/// Who still waits; then nobody does.
fn still(shared: &Shared) -> Vec<u32> {
    let mut registry = shared.lock().expect("nobody panics");
    let waiting = clear(&mut registry);
    assert_eq!(registry.ids().count(), 0);
    waiting
}

/// Runs a model under every order, and says how many there were.
fn prove(claim: &str, model: impl Fn() + Sync + Send + 'static) {
    let orders = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&orders);
    loom::model(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    let orders = orders.load(std::sync::atomic::Ordering::Relaxed);
    assert!(orders > 1, "{claim}: there was one order only");
    println!("ok {claim} ({orders} orders)");
}

/// Every listener has exactly one owner in the end.
fn owned_once(taken: Vec<Vec<u32>>, listeners: &[u32], claim: &str) {
    let mut all: Vec<u32> = taken.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, listeners, "{claim}");
}

fn main() {
    let claim = "of two callers who race for one listener exactly one wins";
    prove(claim, move || {
        let shared = with(&[1]);
        let threads = [taking(&shared, call), taking(&shared, call)];
        let taken = threads.map(|thread| thread.join().expect("nobody panics"));
        owned_once(taken.into(), &[1], claim);
    });

    let claim =
        "a listener that leaves while it is called, and while all are cleared, has one owner";
    prove(claim, move || {
        let shared = with(&[1, 2]);
        let threads = [
            taking(&shared, call),
            taking(&shared, |registry| leave(registry, 1)),
            taking(&shared, clear),
        ];
        let taken = threads.map(|thread| thread.join().expect("nobody panics"));
        owned_once(taken.into(), &[1, 2], claim);
    });

    let claim = "a listener that comes while it is called for is taken or waits, and is never lost";
    prove(claim, move || {
        let shared = with(&[]);
        let coming = taking(&shared, |registry| {
            registry.insert(id(), 1);
            Vec::new()
        });
        let callers = [taking(&shared, call), taking(&shared, call)];
        coming.join().expect("nobody panics");
        let mut taken: Vec<_> = callers
            .map(|thread| thread.join().expect("nobody panics"))
            .into();
        taken.push(still(&shared));
        owned_once(taken, &[1], claim);
    });
}

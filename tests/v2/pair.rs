//! A sender and a receiver in this process, with a relay between them.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::common::wait_until;
use p2pxfer::client::{Argument, Cancel, Endpoint, Options, Report, Wait, receive, send};
use p2pxfer::transfer::{Error, Event, Place, Secret, Target, UserId};

/// What a side heard, each event in one line.
pub(crate) type Heard = Arc<Mutex<Vec<String>>>;

/// One side of a transfer, and how it is to be done.
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) options: Options,
    pub(crate) cancel: Cancel,
    pub(crate) heard: Heard,
}

pub(crate) type End = Result<Report, Error>;

impl Side {
    /// A side at this relay, which waits for the other.
    pub(crate) fn new(relay: SocketAddr, secret: &str) -> Self {
        let hosts = relay.ip().to_string().parse().expect("an address");
        let user = UserId::new(b"alice").expect("an id");
        let mut endpoint = Endpoint::new(user, hosts, relay.port());
        endpoint.wait = Wait::For(Duration::from_secs(30));
        let secret = (!secret.is_empty()).then(|| Secret::new(secret.into()).expect("a secret"));
        Self {
            endpoint,
            options: Options {
                secret,
                reconnect: None,
                ..Options::default()
            },
            cancel: Cancel::new(),
            heard: Heard::default(),
        }
    }

    pub(crate) fn send(&self, arguments: &[Argument]) -> End {
        let heard = &self.heard;
        let mut observer = |event: Event<'_>| note(heard, event);
        send(
            &self.endpoint,
            &self.options,
            arguments,
            &self.cancel,
            &mut observer,
        )
    }

    pub(crate) fn receive(&self, place: &Place) -> End {
        let heard = &self.heard;
        let mut observer = |event: Event<'_>| note(heard, event);
        receive(
            &self.endpoint,
            &self.options,
            place,
            &self.cancel,
            &mut observer,
        )
    }
}

fn note(heard: &Heard, event: Event<'_>) -> ControlFlow<()> {
    if !matches!(event, Event::Progress { .. }) {
        heard.lock().expect("no panic").push(format!("{event:?}"));
    }
    ControlFlow::Continue(())
}

/// Both sides at once; how each ended.
pub(crate) fn both(
    sender: &Side,
    arguments: &[Argument],
    receiver: &Side,
    place: &Place,
) -> (End, End) {
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(place));
        wait_until("the receiver waits", || {
            let heard = receiver.heard.lock().expect("no panic");
            heard.iter().any(|event| event == "Waiting") || receiving.is_finished()
        });
        let sent = sender.send(arguments);
        (sent, receiving.join().expect("the receiver does not panic"))
    })
}

/// Into this folder, replacing nothing.
pub(crate) fn folder(path: &Path) -> Place {
    Place {
        target: Target::Path(path.to_path_buf()),
        overwrite: false,
    }
}

pub(crate) fn path(path: impl Into<PathBuf>) -> Argument {
    Argument::Path(path.into())
}

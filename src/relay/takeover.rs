//! A new relay takes the place of an old one.
//!
//! ```text
//! new -> old   'R' version
//! old -> new   'H' ...    with the listening socket and the door that the new one came through
//!              'M'        with the socket that its metrics are asked at, if there is one
//!              'G' ...    with a connection: one that waits, or one before its hello is whole
//! new -> old   'K'        after every 64th of those; only then come more
//! old -> new   'D'        that was all
//! new -> old   'A'        the new one has it all
//! old -> new   'C'        and may serve, for the old one will not; or, at any time before,
//!              'N'        the old one goes on serving
//! new          closes     the service manager knows: the old one may end
//! ```
//! Each message of the old one is its letter, the length of the rest (two bytes, the higher first),
//! and the rest. Until 'C' the old one accepts nothing but keeps what it sends, so that it can go on
//! when the new one fails; meanwhile connections queue at the listening socket, which both have. An
//! end instead of 'C' or 'N' means that the old one is no more: then the new one has all there is. So
//! there must always be room for an 'N', even when the new one is stopped and reads nothing: what
//! was not taken yet is never more than 64 connections, far less than a socket holds.

mod message;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::message::{Received, message, refused};
use super::control::{Cleared, Command, Control};
use super::guest::Guest;
use crate::sys::handoff::{Channel, Door};

/// Of the messages above.
const VERSION: u8 = 1;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the door rests when the system has no descriptor left for who asks.
const REST: Duration = Duration::from_millis(100);
/// How many connections are sent before the first of them was taken.
const BATCH: usize = 64;

/// Is told what becomes of the old relay's place, and tells others.
pub trait Witness {
    /// A new relay asks for it; whether it may have it. If so nothing is accepted for the moment.
    fn asked(&self) -> bool;
    /// The new one failed: this relay serves as before, or goes on ending.
    fn resumed(&self);
    /// The new one serves there.
    fn handed_over(&self);
}

/// What a new relay gets besides the listening socket and the connections.
#[derive(Clone, Debug, Default)]
pub struct Estate {
    /// Where the metrics are asked for.
    pub metrics: Option<Arc<TcpListener>>,
    /// Within which time the service manager wants to hear of the relay.
    pub watchdog: Option<Duration>,
}

/// Lets a new relay take the place of the one behind `control`; returns when one has, which then has
/// the `estate` too. The process must not end before.
pub fn serve(door: &Door, control: &Control, estate: &Estate, witness: &dyn Witness) {
    loop {
        let Ok(channel) = door.accept() else {
            std::thread::sleep(REST);
            continue;
        };
        let refuse = || {
            // Who is gone needs no answer.
            let _ = channel.send(&message(b'N', &[]), &[]);
        };
        if !asks(&channel) || !witness.asked() {
            refuse();
            continue;
        }
        let Some(Cleared { listener, guests }) = control.clear() else {
            refuse();
            witness.resumed();
            continue;
        };
        let handed = hand_over(&channel, door, &listener, &guests, estate);
        // The socket stops listening for this process when its last descriptor here is closed.
        drop(listener);
        if handed.is_ok() {
            witness.handed_over();
            control.send(Command::Release(guests));
            // Until the new one has told whom it has to, or is gone.
            let _ = channel.receive_byte();
            return;
        }
        // Before anybody is served here again.
        refuse();
        control.send(Command::Restore(guests));
        witness.resumed();
    }
}

/// Whether a new relay is at the other end that understands this one.
fn asks(channel: &Channel) -> bool {
    let asks = channel
        .set_timeout(PATIENCE)
        .and_then(|()| hear(channel, b'R'))
        .and_then(|()| hear(channel, VERSION));
    asks.is_ok()
}

fn hand_over(
    channel: &Channel,
    door: &Door,
    listener: &TcpListener,
    guests: &[Guest],
    estate: &Estate,
) -> io::Result<()> {
    let watchdog = estate
        .watchdog
        .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0));
    let parcels = [listener.into(), door.into()];
    channel.send(&message(b'H', &watchdog.to_be_bytes()), &parcels)?;
    if let Some(metrics) = &estate.metrics {
        channel.send(&message(b'M', &[]), &[(&**metrics).into()])?;
    }
    let now = Instant::now();
    for batch in guests.chunks(BATCH) {
        for guest in batch {
            let bytes = message(b'G', &message::encode(guest, now));
            channel.send(&bytes, &[(&guest.stream).into()])?;
        }
        if batch.len() == BATCH {
            hear(channel, b'K')?;
        }
    }
    channel.send(&message(b'D', &[]), &[])?;
    hear(channel, b'A')?;
    channel.send(&message(b'C', &[]), &[])
}

fn hear(channel: &Channel, wanted: u8) -> io::Result<()> {
    match channel.receive_byte()? {
        Some(byte) if byte == wanted => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What an old relay has handed over, until its new one serves.
#[derive(Debug)]
pub struct Inheritance {
    pub(super) listener: TcpListener,
    guests: Vec<Guest>,
    channel: Channel,
    /// Where the next relay will ask.
    door: Door,
    /// What else there was.
    pub estate: Estate,
}

/// Asks the relay behind the door at `path` for its place; `None` when there is none.
///
/// # Errors
/// When it refuses, or what is there is no door or no relay.
pub fn ask(path: &Path) -> io::Result<Option<Inheritance>> {
    let Some(channel) = Channel::connect(path)? else {
        return Ok(None);
    };
    channel.set_timeout(PATIENCE)?;
    channel.send(&[b'R', VERSION], &[])?;
    let mut received = Received::default();
    let whole = received.run(&channel);
    let broken =
        || io::Error::other("the running relay broke off: look at what it says, try again");
    match (whole, received.head) {
        // An old relay that died in the middle has left us its listening socket.
        (Ok(_), Some((listener, door))) => Ok(Some(Inheritance {
            listener,
            guests: received.guests,
            channel,
            door,
            estate: received.estate,
        })),
        (Ok(_), None) => Err(broken()),
        (Err(error), _) => Err(error),
    }
}

impl Inheritance {
    /// Where the old relay listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Makes it ours: from here on the old relay does not serve. What has to be known before it may end
    /// is told by `tell`.
    fn claim(channel: &Channel, guests: Vec<Guest>, tell: impl FnOnce()) -> io::Result<Vec<Guest>> {
        // When this fails the old relay is gone, or has said before why not.
        let _ = channel.send(b"A", &[]);
        match channel.receive_byte() {
            Ok(Some(b'C') | None) => {
                tell();
                Ok(guests)
            }
            Ok(Some(_)) => Err(refused()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn into_parts(
        self,
        tell: impl FnOnce() + Send,
    ) -> (
        TcpListener,
        Door,
        impl FnOnce() -> io::Result<Vec<Guest>> + Send,
    ) {
        let Self {
            listener,
            guests,
            channel,
            door,
            ..
        } = self;
        (listener, door, move || Self::claim(&channel, guests, tell))
    }
}

#[cfg(all(test, unix, feature = "libc"))]
mod tests {
    use std::net::TcpStream;

    use super::*;

    /// How many guests a new relay serves whose old one sends these messages and is gone.
    fn taken_over(letters: &[u8]) -> io::Result<usize> {
        let name = format!("p2pxfer-{}-{}", std::process::id(), letters.escape_ascii());
        let path = std::env::temp_dir().join(name);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let from = stream.local_addr()?;
        let guest = Guest::waiting(stream, from, true, crate::wire::UserId::new(b"a").unwrap());
        let door = Door::open(&path)?;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let channel = door.accept().unwrap();
                assert!(asks(&channel));
                for &letter in letters {
                    if letter == b'C' {
                        hear(&channel, b'A').unwrap();
                    }
                    let (rest, parcels) = match letter {
                        b'H' => (vec![0; 8], vec![(&listener).into(), (&door).into()]),
                        b'G' => {
                            let rest = message::encode(&guest, Instant::now());
                            (rest, vec![(&guest.stream).into()])
                        }
                        _ => (Vec::new(), Vec::new()),
                    };
                    channel.send(&message(letter, &rest), &parcels).unwrap();
                }
            });
            let inheritance = ask(&path);
            std::fs::remove_file(&path)?;
            let (_, _, claim) = inheritance?.expect("the door is there").into_parts(|| ());
            claim().map(|guests| guests.len())
        })
    }

    #[test]
    fn an_old_relay_that_dies_leaves_what_it_has_sent_and_one_that_goes_on_nothing() {
        for (letters, guests) in [("H", 0), ("HG", 1), ("HGG", 2), ("HGD", 1), ("HGDC", 1)] {
            assert_eq!(taken_over(letters.as_bytes()).unwrap(), guests, "{letters}");
        }
        for letters in ["", "N", "HN", "HGN", "HGDN", "G", "D"] {
            assert!(taken_over(letters.as_bytes()).is_err(), "{letters}");
        }
    }
}

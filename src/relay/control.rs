//! What a running relay is asked from outside, and the one thread that sees to it.
//!
//! A backend is a [`House`]; [`keep`] knows in what order its doors open and close.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Log;
use super::event::{Event, Reason};
use super::guest::Guest;
use crate::io::{Nothing, Receiver, Sender, channel};

/// Steers a relay that runs, from any thread; without effect on one that has ended.
#[derive(Clone, Debug)]
pub struct Control(Sender<Command>);

#[derive(Debug)]
pub(super) enum Command {
    /// Give up the listening socket and all that are not one of a pair, for now.
    Clear(Sender<Cleared>),
    /// Take them back.
    Restore(Vec<Guest>),
    /// They are served elsewhere: leave when the pairs have ended.
    Release(Vec<Guest>),
    /// Leave when the pairs have ended, at the latest after this time.
    Drain(Duration),
    /// Leave at once.
    End,
    /// To be dropped when every part of the relay has shown that it lives.
    Beat(Sender<()>),
    /// The last connection is gone.
    Empty,
    /// A part cannot go on.
    Failed(io::Error),
}

/// What a relay has given up.
#[derive(Debug)]
pub(super) struct Cleared {
    pub(super) listener: Arc<TcpListener>,
    /// Those who wait, first come first, then those who have not said their hello.
    pub(super) guests: Vec<Guest>,
}

impl Control {
    pub(super) fn new() -> (Self, Receiver<Command>) {
        let (sender, receiver) = channel(usize::MAX);
        (Self(sender), receiver)
    }

    /// Has the relay stop accepting, close who waits, let pairs end for `time`, reset the others and
    /// return from its run.
    pub fn drain(&self, time: Duration) {
        self.send(Command::Drain(time));
    }

    /// Has the relay reset its pairs and return from its run.
    pub fn end(&self) {
        self.send(Command::End);
    }

    /// Whether every part of the relay that serves connections shows within the time that it lives.
    pub fn lives(&self, within: Duration) -> bool {
        let (beat, heard) = channel(1);
        self.send(Command::Beat(beat));
        let heard = heard.receive(Some(Instant::now() + within));
        // A relay that has ended dropped it too, and takes no command.
        heard == Err(Nothing::Ended) && self.0.send(Command::Empty).is_ok()
    }

    /// What the relay gives up; `None` when it is about to end.
    pub(super) fn clear(&self) -> Option<Cleared> {
        let (cleared, answer) = channel(1);
        self.send(Command::Clear(cleared));
        answer.receive(None).ok()
    }

    pub(super) fn send(&self, command: Command) {
        // It fails when the relay has ended, and then there is nothing to steer.
        let _ = self.0.send(command);
    }
}

/// A backend, as [`keep`] sees it.
pub(super) trait House {
    /// Takes `guests` in, in their order, then accepts from `listener`.
    fn open(&mut self, listener: &Arc<TcpListener>, guests: Vec<Guest>) -> io::Result<()>;
    /// Stops accepting, lets the listening socket go, and gives up all who are not one of a pair
    /// nor about to be refused.
    fn clear(&mut self) -> Vec<Guest>;
    /// How many connections it has. Once cleared, it sends [`Command::Empty`] when there is none.
    fn count(&self) -> usize;
    /// Resets the pairs.
    fn reset(&mut self);
    /// Drops `beat` once every part has been seen to live.
    fn beat(&mut self, beat: Sender<()>);
}

#[derive(Clone, Copy)]
enum State {
    Serving,
    /// Somebody else has what was given up, and may bring it back.
    Cleared,
    /// Nothing new will come; pairs may go on until the time.
    Leaving(Option<Instant>),
}

/// Opens the house and keeps it until it was left.
pub(super) fn keep(
    house: &mut dyn House,
    listener: TcpListener,
    guests: Vec<Guest>,
    commands: &Receiver<Command>,
    log: &Log<'_>,
) -> io::Result<()> {
    let dismiss = |guests: Vec<Guest>, reason| {
        for guest in guests {
            log(&Event::Left {
                from: guest.from,
                id: guest.id().as_ref(),
                reason,
            });
        }
    };
    let mut listener = Some(Arc::new(listener));
    if let Some(listener) = &listener {
        house.open(listener, guests)?;
    }
    let mut state = State::Serving;
    loop {
        let until = match state {
            State::Leaving(_) if house.count() == 0 => return Ok(()),
            State::Leaving(until) => until,
            State::Serving | State::Cleared => None,
        };
        let command = commands.receive(until).unwrap_or(Command::End);
        match (command, state) {
            (Command::Clear(answer), State::Serving) => {
                let Some(listener) = &listener else { continue };
                let cleared = Cleared {
                    listener: Arc::clone(listener),
                    guests: house.clear(),
                };
                state = State::Cleared;
                if let Err(unheard) = answer.send(cleared) {
                    house.open(listener, unheard.guests)?;
                    state = State::Serving;
                }
            }
            (Command::Restore(guests), State::Cleared) => {
                if let Some(listener) = &listener {
                    house.open(listener, guests)?;
                    state = State::Serving;
                }
            }
            (Command::Restore(guests), _) => dismiss(guests, Reason::Shutdown),
            (Command::Release(guests), before) => {
                dismiss(guests, Reason::HandedOver);
                listener = None;
                if !matches!(before, State::Leaving(_)) {
                    state = State::Leaving(None);
                }
            }
            (Command::Drain(time), before) => {
                if matches!(before, State::Serving) {
                    dismiss(house.clear(), Reason::Shutdown);
                }
                listener = None;
                state = State::Leaving(Some(Instant::now() + time));
            }
            (Command::End, before) => {
                if matches!(before, State::Serving) {
                    dismiss(house.clear(), Reason::Shutdown);
                }
                house.reset();
                return Ok(());
            }
            (Command::Beat(beat), _) => house.beat(beat),
            (Command::Failed(error), _) => return Err(error),
            (Command::Clear(_) | Command::Empty, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::sync::Mutex;

    use super::*;

    /// Notes what it is asked for.
    #[derive(Default)]
    struct Notes {
        asked: Vec<&'static str>,
        guests: Vec<Guest>,
        pairs: usize,
    }

    impl House for Notes {
        fn open(&mut self, _: &Arc<TcpListener>, guests: Vec<Guest>) -> io::Result<()> {
            self.asked.push("open");
            self.guests.extend(guests);
            Ok(())
        }

        fn clear(&mut self) -> Vec<Guest> {
            self.asked.push("clear");
            std::mem::take(&mut self.guests)
        }

        fn count(&self) -> usize {
            self.pairs + self.guests.len()
        }

        fn reset(&mut self) {
            self.asked.push("reset");
            self.pairs = 0;
        }

        fn beat(&mut self, _: Sender<()>) {
            self.asked.push("beat");
            self.pairs = self.pairs.saturating_sub(1);
        }
    }

    /// What a house with these pairs and one that waits is asked for by these commands, and why the
    /// one that waited left.
    fn play(
        pairs: usize,
        commands: impl FnOnce(&Control) -> Vec<Command>,
    ) -> (Vec<&'static str>, Vec<Reason>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let from = stream.local_addr().unwrap();
        let guest = Guest {
            stream,
            from,
            said: b"Ta$".to_vec(),
            deadline: Instant::now(),
            proxied: false,
            charged: true,
            known: false,
        };
        let mut house = Notes {
            pairs,
            ..Notes::default()
        };
        let (control, received) = Control::new();
        for command in commands(&control) {
            control.send(command);
        }
        drop(control);
        let left = Mutex::new(Vec::new());
        keep(&mut house, listener, vec![guest], &received, &|event| {
            if let Event::Left { reason, .. } = event {
                left.lock().unwrap().push(*reason);
            }
        })
        .unwrap();
        (house.asked, left.into_inner().unwrap())
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn beat() -> Command {
        Command::Beat(channel(1).0)
    }

    #[test]
    fn a_drain_without_pairs_ends_at_once_and_closes_who_waits() {
        let told = play(0, |_| vec![Command::Drain(HOUR)]);
        assert_eq!(told, (vec!["open", "clear"], vec![Reason::Shutdown]));
    }

    #[test]
    fn a_drain_waits_for_the_last_pair_and_resets_it_after_its_time() {
        let asked = play(2, |_| vec![Command::Drain(HOUR), beat(), beat(), beat()]).0;
        assert_eq!(asked, ["open", "clear", "beat", "beat"]);
        let asked = play(2, |_| vec![Command::Drain(Duration::ZERO)]).0;
        assert_eq!(asked, ["open", "clear", "reset"]);
        let asked = play(2, |_| vec![Command::Drain(HOUR), Command::End]).0;
        assert_eq!(asked, ["open", "clear", "reset"]);
    }

    #[test]
    fn what_nobody_took_is_served_again() {
        // Nobody waits for the answer of the command.
        let asked = play(0, |_| {
            vec![Command::Clear(channel(1).0), beat(), Command::End]
        })
        .0;
        assert_eq!(asked, ["open", "clear", "open", "beat", "clear", "reset"]);
    }

    #[test]
    fn after_a_release_the_pairs_have_all_the_time() {
        let (answer, cleared) = channel(1);
        let (asked, left) = play(1, |_| {
            vec![
                Command::Clear(answer),
                Command::Release(Vec::new()),
                beat(),
                beat(),
            ]
        });
        assert_eq!(asked, ["open", "clear", "beat"]);
        assert!(left.is_empty());
        assert_eq!(cleared.receive(None).unwrap().guests.len(), 1);
    }

    #[test]
    fn what_comes_back_into_a_relay_that_leaves_is_closed() {
        let (answer, cleared) = channel(1);
        let (asked, left) = play(1, |control| {
            let control = control.clone();
            std::thread::spawn(move || {
                let cleared: Cleared = cleared.receive(None).unwrap();
                control.send(Command::Drain(HOUR));
                control.send(Command::Restore(cleared.guests));
                control.send(beat());
            });
            vec![Command::Clear(answer)]
        });
        assert_eq!(asked, ["open", "clear", "beat"]);
        assert_eq!(left, [Reason::Shutdown]);
    }
}

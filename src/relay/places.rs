//! How many connections there may be: in all, and from one source.

use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::Bucket;
use super::config::Limits;
use super::control::{Command, Control};
use super::event::Refusal;
use super::source::{Source, Sources, Usage};

/// How much later the answer comes to who has missed too often. It is the same for an id that nobody
/// uses and for one that is in a pair, so that neither answer nor time tells a prober which.
const PENALTY: Duration = Duration::from_secs(1);

struct State {
    taken: usize,
    /// Who waits for a place is to look up.
    called: bool,
    /// The last place that is given back is to be told.
    leaving: bool,
    sources: Sources,
}

/// All places of a relay.
pub(super) struct Places {
    limits: Limits,
    control: Control,
    state: Mutex<State>,
    freed: Condvar,
}

/// A place for a connection that is to be accepted; given back when dropped.
pub(super) struct Vacancy {
    places: Arc<Places>,
}

/// The place of a connection; given back when dropped.
pub(super) struct Place {
    vacancy: Vacancy,
    /// Who it is charged to; nobody while that is not known, or when it is a balancer itself.
    source: Option<Source>,
    listens: bool,
    bytes: Option<Arc<Mutex<Bucket>>>,
}

impl Places {
    pub(super) fn new(limits: Limits, control: Control) -> Arc<Self> {
        let state = State {
            taken: 0,
            called: false,
            leaving: false,
            sources: Sources::default(),
        };
        Arc::new(Self {
            limits,
            control,
            state: Mutex::new(state),
            freed: Condvar::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self, state: &State) -> bool {
        self.limits
            .connections
            .is_some_and(|most| state.taken >= most)
    }

    /// A place, if there is one left.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<Vacancy> {
        let mut state = self.state();
        if self.is_full(&state) {
            return None;
        }
        state.taken += 1;
        Some(Vacancy {
            places: Arc::clone(self),
        })
    }

    /// A place; waits for one, until [`Self::call`].
    pub(super) fn await_vacancy(self: &Arc<Self>) -> Option<Vacancy> {
        loop {
            if let Some(vacancy) = self.reserve() {
                return Some(vacancy);
            }
            let full = |state: &mut State| self.is_full(state) && !state.called;
            let waited = self.freed.wait_while(self.state(), full);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            if std::mem::take(&mut state.called) {
                return None;
            }
        }
    }

    /// Has who waits for a place look up.
    pub(super) fn call(&self) {
        self.state().called = true;
        self.freed.notify_all();
    }

    /// A place for a connection from `source` that another relay, or this one before, let in.
    pub(super) fn adopt(
        self: &Arc<Self>,
        source: Option<IpAddr>,
        waits: bool,
        now: Instant,
    ) -> Place {
        let source = source.map(Source::of);
        let mut state = self.state();
        state.taken += 1;
        let mut bytes = None;
        if let Some(source) = source {
            let usage = state.sources.usage(source, &self.limits, now);
            usage.connections += 1;
            usage.listeners += usize::from(waits);
            bytes = usage.bytes();
        }
        drop(state);
        Place {
            vacancy: Vacancy {
                places: Arc::clone(self),
            },
            source,
            listens: waits,
            bytes,
        }
    }

    /// Whether the end of the last connection is to be told.
    pub(super) fn set_leaving(&self, leaving: bool) {
        self.state().leaving = leaving;
    }

    /// Who hears of the last.
    pub(super) fn control(&self) -> &Control {
        &self.control
    }

    /// How many connections there are, those that are about to be accepted included.
    pub(super) fn taken(&self) -> usize {
        self.state().taken
    }
}

impl Vacancy {
    /// Gives the place to a connection from `address`, unless its source has had its share.
    pub(super) fn occupy(self, address: IpAddr, now: Instant) -> Result<Place, Refusal> {
        let mut place = self.occupy_uncharged();
        place.charge(address, now).map(|()| place)
    }

    /// Gives the place to a connection whose source is not known yet.
    pub(super) fn occupy_uncharged(self) -> Place {
        Place {
            vacancy: self,
            source: None,
            listens: false,
            bytes: None,
        }
    }
}

impl Drop for Vacancy {
    fn drop(&mut self) {
        let mut state = self.places.state();
        // Only then does the one who accepts wait; to notify nobody is a call to the kernel too.
        let full = self.places.is_full(&state);
        state.taken -= 1;
        let last = state.taken == 0 && state.leaving;
        drop(state);
        if last {
            self.places.control.send(Command::Empty);
        }
        if full {
            self.places.freed.notify_one();
        }
    }
}

impl Place {
    /// Charges a place that nobody is charged for to the source of `address`, unless that has had its
    /// share.
    pub(super) fn charge(&mut self, address: IpAddr, now: Instant) -> Result<(), Refusal> {
        let source = Source::of(address);
        let places = &self.vacancy.places;
        let mut state = places.state();
        let usage = state.sources.usage(source, &places.limits, now);
        usage.arrive(&places.limits, now)?;
        self.bytes = usage.bytes();
        self.source = Some(source);
        Ok(())
    }

    fn usage<T>(&self, change: impl FnOnce(&mut Usage) -> T) -> Option<T> {
        let mut state = self.vacancy.places.state();
        state.sources.known(self.source?).map(change)
    }

    /// Whether a source is charged for it.
    pub(super) fn is_charged(&self) -> bool {
        self.source.is_some()
    }

    /// The connection wants to wait as a listener.
    pub(super) fn listen(&mut self) -> Result<(), Refusal> {
        if self.listens {
            return Ok(());
        }
        let limits = &self.vacancy.places.limits;
        self.usage(|usage| usage.listen(limits)).transpose()?;
        self.listens = true;
        Ok(())
    }

    /// The connection waits no longer.
    pub(super) fn listens_no_more(&mut self) {
        if std::mem::take(&mut self.listens) {
            self.usage(|usage| usage.listeners -= 1);
        }
    }

    /// The connection called an id that nobody waits under; how long its answer is held back.
    pub(super) fn miss(&self, now: Instant) -> Duration {
        let free = self.usage(|usage| usage.miss(now));
        if free == Some(false) {
            PENALTY
        } else {
            Duration::ZERO
        }
    }

    /// What the source may send, if that is limited.
    pub(super) fn bytes(&self) -> Option<Arc<Mutex<Bucket>>> {
        self.bytes.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.listens_no_more();
        self.usage(|usage| usage.connections -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::source::MISSES;

    const ALICE: &str = "192.0.2.1";
    const BOB: &str = "192.0.2.2";

    fn none() -> Limits {
        Limits {
            connections: None,
            source_connections: None,
            source_arrivals: None,
            source_listeners: None,
            source_bytes: None,
            pair_bytes: None,
        }
    }

    fn places(limits: Limits) -> Arc<Places> {
        Places::new(limits, Control::new().0)
    }

    fn place(places: &Arc<Places>, address: &str, now: Instant) -> Result<Place, Refusal> {
        places
            .reserve()
            .expect("a place is left")
            .occupy(address.parse().unwrap(), now)
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_is_gone() {
        let places = places(Limits {
            connections: Some(2),
            ..none()
        });
        let now = Instant::now();
        let first = place(&places, ALICE, now).unwrap();
        let _second = places.reserve().unwrap();
        assert!(places.reserve().is_none());
        drop(first);
        assert!(places.reserve().is_some());
    }

    #[test]
    fn one_source_cannot_take_the_places_of_another() {
        let places = places(Limits {
            source_connections: Some(2),
            ..none()
        });
        let now = Instant::now();
        let _two = [
            place(&places, ALICE, now).unwrap(),
            place(&places, ALICE, now).unwrap(),
        ];
        assert_eq!(
            place(&places, ALICE, now).err(),
            Some(Refusal::SourceConnections)
        );
        assert!(place(&places, BOB, now).is_ok());
        assert_eq!(places.state().taken, 2);
    }

    #[test]
    fn addresses_of_one_56_are_one_source_and_mapped_addresses_their_own() {
        let places = places(Limits {
            source_connections: Some(1),
            ..none()
        });
        let now = Instant::now();
        let _one = place(&places, "2001:db8:0:aa00::1", now).unwrap();
        assert!(place(&places, "2001:db8:0:aaff:1::9", now).is_err());
        assert!(place(&places, "2001:db8:0:ab00::1", now).is_ok());
        let _mapped = place(&places, "::ffff:192.0.2.1", now).unwrap();
        assert!(place(&places, ALICE, now).is_err());
        assert!(place(&places, "::ffff:192.0.2.2", now).is_ok());
    }

    #[test]
    fn a_place_is_charged_to_its_source_when_that_is_known() {
        let places = places(Limits {
            connections: Some(3),
            source_connections: Some(1),
            source_listeners: Some(0),
            ..none()
        });
        let now = Instant::now();
        let hold = || places.reserve().map(Vacancy::occupy_uncharged);
        let (alice, bob) = (ALICE.parse().unwrap(), BOB.parse().unwrap());
        let mut held = [hold().unwrap(), hold().unwrap(), hold().unwrap()];
        assert!(hold().is_none());
        assert_eq!(held[0].listen(), Ok(()));
        held[0].listens_no_more();
        let charged = [alice, alice, bob].map(|address| {
            let place = held.iter_mut().find(|place| place.source.is_none());
            place.unwrap().charge(address, now)
        });
        assert_eq!(charged, [Ok(()), Err(Refusal::SourceConnections), Ok(())]);
        assert_eq!(held[0].listen(), Err(Refusal::SourceListeners));
        drop(held);
        assert!(place(&places, ALICE, now).is_ok());
        assert_eq!(places.state().taken, 0);
    }

    #[test]
    fn a_source_may_arrive_in_a_burst_and_then_at_its_rate() {
        let places = places(Limits {
            source_arrivals: Some(10),
            ..none()
        });
        let mut now = Instant::now();
        let arrive = |now| place(&places, ALICE, now).err();
        assert!((0..40).all(|_| arrive(now).is_none()));
        assert_eq!(arrive(now), Some(Refusal::SourceArrivals));
        now += Duration::from_millis(100);
        assert_eq!(
            [arrive(now), arrive(now)],
            [None, Some(Refusal::SourceArrivals)]
        );
    }

    #[test]
    fn listeners_are_counted_while_they_wait() {
        let places = places(Limits {
            source_listeners: Some(1),
            ..none()
        });
        let now = Instant::now();
        let mut first = place(&places, ALICE, now).unwrap();
        let mut second = place(&places, ALICE, now).unwrap();
        assert_eq!(first.listen(), Ok(()));
        assert_eq!(second.listen(), Err(Refusal::SourceListeners));
        first.listens_no_more();
        assert_eq!(second.listen(), Ok(()));
        drop(second);
        assert_eq!(first.listen(), Ok(()));
    }

    #[test]
    fn who_misses_often_waits_for_the_answer_and_is_forgiven_in_time() {
        let places = places(none());
        let now = Instant::now();
        let prober = place(&places, ALICE, now).unwrap();
        assert!((0..MISSES.0).all(|_| prober.miss(now).is_zero()));
        assert_eq!(prober.miss(now), PENALTY);
        assert!(place(&places, BOB, now).unwrap().miss(now).is_zero());
        assert!(prober.miss(now + Duration::from_secs(1)).is_zero());
    }
}

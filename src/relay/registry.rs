//! Who waits under which id.

use std::collections::{HashMap, VecDeque};

use crate::wire::UserId;

/// The waiting listeners, first come first served under each id.
///
/// Taking one out is the one act that decides who owns it: a caller that took it has it, and
/// whoever finds it gone has nothing to do with it any more. A lock around the registry is thus
/// the only one that a meeting needs.
#[derive(Debug)]
pub(super) struct Registry<L> {
    waiting: HashMap<UserId, VecDeque<L>>,
}

impl<L> Default for Registry<L> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
        }
    }
}

impl<L> Registry<L> {
    /// `listener` waits under `id`, behind those who do already.
    pub(super) fn insert(&mut self, id: UserId, listener: L) {
        self.waiting.entry(id).or_default().push_back(listener);
    }

    /// Takes out who has waited longest under `id`.
    pub(super) fn take(&mut self, id: &UserId) -> Option<L> {
        self.remove(id, |_| true)
    }

    /// Takes out the first under `id` of whom `is_meant` says so.
    pub(super) fn remove(&mut self, id: &UserId, is_meant: impl FnMut(&L) -> bool) -> Option<L> {
        let queue = self.waiting.get_mut(id)?;
        let place = queue.iter().position(is_meant)?;
        let listener = queue.remove(place);
        if queue.is_empty() {
            self.waiting.remove(id);
        }
        listener
    }

    /// Takes out everybody; who waited longest under an id comes first of those under it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (UserId, L)> + use<L> {
        let all = std::mem::take(&mut self.waiting).into_iter();
        all.flat_map(|(id, queue)| queue.into_iter().map(move |each| (id.clone(), each)))
    }

    /// Every id that somebody waits under.
    pub(super) fn ids(&self) -> impl Iterator<Item = &UserId> {
        self.waiting.keys()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn id(text: &str) -> UserId {
        UserId::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn who_came_first_is_taken_first_and_only_once() {
        let mut registry = Registry::default();
        registry.insert(id("a"), 1);
        registry.insert(id("b"), 2);
        registry.insert(id("a"), 3);
        assert_eq!(registry.take(&id("a")), Some(1));
        assert_eq!(registry.take(&id("a")), Some(3));
        assert_eq!(registry.take(&id("a")), None);
        assert_eq!(registry.take(&id("b")), Some(2));
        assert_eq!(registry.ids().count(), 0);
    }

    #[test]
    fn who_leaves_loses_its_place_and_nobody_elses() {
        let mut registry = Registry::default();
        for listener in 1..=3 {
            registry.insert(id("a"), listener);
        }
        assert_eq!(
            registry.remove(&id("a"), |&listener| listener == 2),
            Some(2)
        );
        assert_eq!(registry.remove(&id("a"), |&listener| listener == 2), None);
        assert_eq!(
            [registry.take(&id("a")), registry.take(&id("a"))],
            [Some(1), Some(3)]
        );
    }

    #[test]
    fn of_two_callers_who_race_for_one_listener_exactly_one_wins() {
        let registry = Mutex::new(Registry::default());
        for round in 0..100_000 {
            registry.lock().unwrap().insert(id("a"), round);
            // Two threads a round would measure the spawning; two in every 1000 rounds do race.
            if round % 1000 != 0 {
                assert_eq!(registry.lock().unwrap().take(&id("a")), Some(round));
                continue;
            }
            let wins = std::thread::scope(|scope| {
                let call = || registry.lock().unwrap().take(&id("a")).is_some();
                let (one, other) = (scope.spawn(call), scope.spawn(call));
                usize::from(one.join().unwrap()) + usize::from(other.join().unwrap())
            });
            assert_eq!(wins, 1);
        }
    }
}

//! Which threads of a node read a store, and which of them takes over what another one leaves: the
//! connections over which the store tells of changes.
//!
//! ```text
//! a thread ends         an heir is named, the youngest of the others: something is on its way to it
//! the heir takes over   that has come
//! the heir ends first   what is on its way is lost, and the heir tells so
//! ```

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// The threads, and how often something is on its way to each.
#[derive(Default)]
pub(crate) struct Heirs(Mutex<BTreeMap<u64, usize>>);

impl Heirs {
    /// A thread begins. Those that begin later have higher numbers.
    pub(crate) fn join(&self, thread: u64) {
        self.0.lock().entry(thread).or_default();
    }

    /// A thread ends: whether something is on its way to it, which is lost.
    pub(crate) fn leave(&self, thread: u64) -> bool {
        self.0.lock().remove(&thread).is_some_and(|coming| coming > 0)
    }

    /// Something is on its way from now on to a thread, which is named; `None` if there is none.
    pub(crate) fn name(&self) -> Option<u64> {
        let mut threads = self.0.lock();
        let (heir, coming) = threads.iter_mut().next_back()?;
        *coming += 1;
        Some(*heir)
    }

    /// It has come.
    pub(crate) fn take(&self, heir: u64) {
        if let Some(coming) = self.0.lock().get_mut(&heir) {
            *coming = coming.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Heirs;

    #[test]
    fn the_youngest_takes_over_and_what_has_not_reached_it_is_lost_with_it() {
        let heirs = Heirs::default();
        assert_eq!(heirs.name(), None);
        (1..4).for_each(|thread| heirs.join(thread));
        assert!(!heirs.leave(1));
        assert_eq!([heirs.name(), heirs.name()], [Some(3); 2]);
        heirs.take(3);
        assert!(heirs.leave(3), "one of the two");
        assert_eq!(heirs.name(), Some(2));
        heirs.take(2);
        assert!(!heirs.leave(2) && !heirs.leave(3));
    }
}

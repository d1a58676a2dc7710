//! Which routes hooks have chosen for keys: one answer a key, for all threads, until it is forgotten.
//!
//! ```text
//! a key                                    its route
//! that no hook has a say in                by its beginning: Free
//! that a hook was asked about              the one that it chose: Made
//! that a hook has to be asked about        nobody knows: Open. It is read from the store, and nothing
//!                                          of it is remembered, until the hook has said
//! ```
//! A table has a bound. What is asked for stays in it: it has two halves, and what is found in the old
//! one moves to the new one. Once that is full, it becomes the old one, and what the old one had is
//! forgotten.

use foldhash::fast::RandomState;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many tables there are, so that threads seldom meet.
const TABLES: usize = 64;
/// The most keys in half a table, and the most bytes of them.
const MOST: usize = 512;
const MOST_BYTES: usize = 64 * 1024;

/// What is known of the route of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// No hook has a say in it.
    Free,
    /// A hook has to be asked.
    Open,
    /// A hook has chosen the route of this number; the usual one, if there is none.
    Made(Option<usize>),
}

type Half = HashMap<Box<[u8]>, Option<usize>, RandomState>;

#[derive(Debug, Default)]
struct ChoiceTable {
    /// Beginnings of the keys that a hook has a say in; all keys, if there are none.
    prefixes: Vec<Vec<u8>>,
    new: Half,
    /// The bytes of the keys in it.
    bytes: usize,
    old: Half,
}

impl ChoiceTable {
    fn put(&mut self, key: Box<[u8]>, made: Option<usize>) {
        if self.new.len() >= MOST || self.bytes + key.len() > MOST_BYTES {
            self.old = mem::take(&mut self.new);
            self.bytes = 0;
        }
        self.bytes += key.len();
        self.new.insert(key, made);
    }
}

/// What hooks have chosen.
#[derive(Debug)]
pub(crate) struct Choices {
    /// Whether a hook has a say in any key.
    used: AtomicBool,
    /// How often all was forgotten: what was asked before then is not put in.
    round: AtomicU64,
    hasher: RandomState,
    tables: Box<[RwLock<ChoiceTable>]>,
}

impl Default for Choices {
    fn default() -> Self {
        let tables = (0..TABLES).map(|_| RwLock::default()).collect();
        let (used, round) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { used, round, hasher: RandomState::default(), tables }
    }
}

impl Choices {
    /// From now on a hook has a say in the keys that begin so, all if there are no beginnings; none has,
    /// without. What was chosen is forgotten.
    pub(crate) fn open(&self, prefixes: Option<&[Vec<u8>]>) {
        // SeqCst: who puts something in with the old number has put it in before its table is emptied.
        self.round.fetch_add(1, Ordering::SeqCst);
        for table in &self.tables {
            *table.write() = ChoiceTable {
                prefixes: prefixes.unwrap_or_default().into(),
                ..ChoiceTable::default()
            };
        }
        // Release: who sees that it is used finds the beginnings.
        self.used.store(prefixes.is_some(), Ordering::Release);
    }

    /// Whom hooks have a say in, as here, where nothing is chosen yet.
    pub(super) fn fresh(&self) -> Self {
        let fresh = Self::default();
        if self.is_used() {
            let prefixes = self.tables[0].read().prefixes.clone();
            fresh.open(Some(&prefixes));
        }
        fresh
    }

    /// Whether a hook has a say in any key.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// Choices that are asked for now count while it is this number.
    pub(crate) fn round(&self) -> u64 {
        self.round.load(Ordering::SeqCst)
    }

    /// What is known of a key.
    #[inline]
    pub(crate) fn of(&self, key: &[u8]) -> Choice {
        if self.is_used() { self.look_up(key) } else { Choice::Free }
    }

    #[inline(never)]
    fn look_up(&self, key: &[u8]) -> Choice {
        let table = self.table(key);
        let read = table.read();
        if let Some(made) = read.new.get(key) {
            return Choice::Made(*made);
        }
        if !read.old.contains_key(key) {
            let concerned = read.prefixes.is_empty()
                || read.prefixes.iter().any(|prefix| key.starts_with(prefix));
            return if concerned { Choice::Open } else { Choice::Free };
        }
        drop(read);
        let mut write = table.write();
        match write.old.remove_entry(key) {
            Some((key, made)) => {
                write.put(key, made);
                Choice::Made(made)
            }
            None => write.new.get(key).map_or(Choice::Open, |made| Choice::Made(*made)),
        }
    }

    /// A hook that was asked in this round has chosen. A key that is too long is not kept.
    pub(crate) fn make(&self, round: u64, key: &[u8], made: Option<usize>) {
        if key.len() > MOST_BYTES {
            return;
        }
        let mut table = self.table(key).write();
        if self.round() == round {
            table.put(key.into(), made);
        }
    }

    /// How many choices are kept.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.tables.iter().map(|table| table.read().new.len() + table.read().old.len()).sum()
    }

    fn table(&self, key: &[u8]) -> &RwLock<ChoiceTable> {
        &self.tables[self.hasher.hash_one(key) as usize % TABLES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(prefixes: &[&str]) -> Choices {
        let choices = Choices::default();
        let prefixes: Vec<_> = prefixes.iter().map(|prefix| prefix.as_bytes().to_vec()).collect();
        choices.open(Some(&prefixes));
        choices
    }

    #[test]
    fn a_key_is_free_open_or_made() {
        assert_eq!(Choices::default().of(b"a"), Choice::Free);
        let choices = opened(&["user:"]);
        assert_eq!(choices.of(b"other"), Choice::Free);
        assert_eq!(choices.of(b"user:1"), Choice::Open);
        choices.make(choices.round(), b"user:1", Some(3));
        choices.make(choices.round(), b"user:2", None);
        assert_eq!(choices.of(b"user:1"), Choice::Made(Some(3)));
        assert_eq!(choices.of(b"user:2"), Choice::Made(None));
        assert_eq!(choices.fresh().of(b"user:1"), Choice::Open);
        assert_eq!(choices.fresh().of(b"other"), Choice::Free);
        choices.open(None);
        assert_eq!(choices.of(b"user:1"), Choice::Free);
    }

    #[test]
    fn what_was_asked_before_all_was_forgotten_is_not_kept() {
        let choices = opened(&[]);
        let round = choices.round();
        choices.open(Some(&[]));
        choices.make(round, b"a", Some(1));
        assert_eq!(choices.of(b"a"), Choice::Open);
    }

    #[test]
    fn a_key_that_is_asked_for_stays_however_many_come_and_go() {
        let choices = opened(&[]);
        choices.make(choices.round(), b"steady", Some(1));
        for at in 0..200_000 {
            choices.make(choices.round(), format!("other:{at}").as_bytes(), None);
            assert_eq!(choices.of(b"steady"), Choice::Made(Some(1)), "after {at}");
        }
        assert!(choices.kept() <= 2 * TABLES * MOST, "{}", choices.kept());
    }

    #[test]
    fn long_keys_take_no_more_room_than_short_ones() {
        let choices = opened(&[]);
        for at in 0..2_000 {
            let key = format!("{at}:{}", "x".repeat(MOST_BYTES / 2));
            choices.make(choices.round(), key.as_bytes(), None);
        }
        assert!(choices.kept() <= 2 * TABLES * 2, "{}", choices.kept());
        let long = vec![b'x'; MOST_BYTES + 1];
        choices.make(choices.round(), &long, None);
        assert_eq!(choices.of(&long), Choice::Open);
    }
}

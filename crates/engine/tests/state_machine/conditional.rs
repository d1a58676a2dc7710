//! The part of the state machine that writes on a condition, touches, and asks what is known.

use super::notes::{Mark, TAGS};
use super::{Held, Pair, Time, with_key};
use breakwater_engine::{EntryRef, Error, Freshness, Note, Policy, Value};

/// How long entries live that do not say so themselves, in milliseconds.
const LIFE: u64 = 2_500;

impl Pair {
    fn next_value(&mut self, len: u16) -> (u8, Vec<u8>) {
        self.serial += 1;
        ((self.serial % 200) as u8, vec![self.serial as u8; len.into()])
    }

    /// With tags if there are any; with its life if that is its own.
    pub fn set_if_absent(&mut self, key: u16, len: u16, time: Time, tags: u8) {
        self.check(key);
        let there = self.live(key).is_some();
        let (format, bytes) = self.next_value(len);
        let life = if let Time::In(ms) = time { Some(u64::from(ms)) } else { None };
        let groups = (0..TAGS).filter(|tag| tags >> tag & 1 == 1);
        let groups = groups.map(|tag| self.cache.tag_group(self.tag(tag)));
        let note = Note { tags: groups.collect(), life, ..Note::default() };
        let note = Some(note).filter(|_| tags != 0);
        let (value, expiry) = (Value { format, bytes: &bytes }, self.expiry(time));
        match with_key(key, |key| self.cache.set_if_absent(key, value, expiry, note.as_ref())) {
            Ok(stored) => {
                // Making room for the table of tags may have evicted it.
                assert!(stored != there || self.evicts);
                if stored {
                    self.stored(
                        key,
                        Held { format, bytes, deadline: self.fresh(time) },
                        note,
                        tags,
                    );
                }
            }
            Err(Error::Full) => assert_eq!(self.cache.policy(), Policy::None),
            Err(error) => panic!("{error}"),
        }
        self.check(key);
        self.get_with_freshness(key);
    }

    fn stored(&mut self, key: u16, held: Held, note: Option<Note>, tags: u8) {
        self.forget(key);
        self.model.insert(key, held);
        if let Some(note) = note {
            let epoch = self.cache.epoch();
            self.marks.insert(key, Mark { note, epoch, tags });
        }
    }

    /// Expects what is there, or else what is not; keeps what is noted with it.
    pub fn compare_and_set(&mut self, key: u16, len: u16, time: Time, rightly: bool) {
        self.check(key);
        let before = self.live(key).cloned();
        let (format, bytes) = self.next_value(len);
        let (value, expiry) = (Value { format, bytes: &bytes }, self.expiry(time));
        let deadline = self.deadline(key, time);
        let mut seen = None;
        let seen_cell = std::cell::RefCell::new(&mut seen);
        let expected = |entry: Option<EntryRef<'_>>| {
            let held = entry.map(super::held);
            let is_it = held == before;
            **seen_cell.borrow_mut() = Some(held);
            is_it == rightly
        };
        let result =
            with_key(key, |key| self.cache.compare_and_set(key, expected, value, expiry, None));
        let was_there = seen.flatten();
        assert!(was_there == before || (self.evicts && was_there.is_none()));
        match result {
            Ok(stored) => {
                assert_eq!(stored, (was_there == before) == rightly);
                if !stored {
                } else if was_there.is_some() {
                    // Its mark stays.
                    self.model.insert(key, Held { format, bytes, deadline });
                } else {
                    let deadline = self.fresh(time);
                    self.stored(key, Held { format, bytes, deadline }, None, 0);
                }
            }
            Err(Error::Full) => assert_eq!(self.cache.policy(), Policy::None),
            Err(error) => panic!("{error}"),
        }
        self.check(key);
        self.get_with_freshness(key);
    }

    pub fn touch(&mut self, key: u16) {
        self.check(key);
        let own = self.marks.get(&key).and_then(|mark| mark.note.life);
        let end = self.clock.now() + own.unwrap_or(LIFE);
        match with_key(key, |key| self.cache.touch(key, Some(LIFE))) {
            Ok(there) => {
                assert!(there == self.live(key).is_some() || self.evicts);
                if let Some(held) = self.model.get_mut(&key).filter(|_| there) {
                    held.deadline = held.deadline.map(|_| end);
                }
            }
            Err(error) => assert!(self.evicts, "{error}"),
        }
        self.check(key);
        self.info(key);
    }

    pub fn info(&mut self, key: u16) {
        self.get_with_freshness(key);
        let Some(info) = with_key(key, |key| self.cache.info(key, None)) else {
            assert!(self.live(key).is_none() || self.evicts);
            return;
        };
        let (held, mark) = (&self.model[&key], self.marks.get(&key));
        let now = self.clock.now();
        assert_eq!(info.left, held.deadline.map(|at| at.saturating_sub(now)));
        assert_eq!(info.tags, mark.map_or(0, |mark| mark.note.tags.len()));
        assert_eq!(info.version, mark.and_then(|mark| mark.note.version));
        assert_eq!(info.hits.is_some(), matches!(self.cache.policy(), Policy::Lfu | Policy::Auto));
        assert_eq!(info.freshness != Freshness::Stale && !info.negative, self.live(key).is_some());
        // What has a deadline has room for it in front of its header.
        let header = if held.deadline.is_some() { 16 } else { 8 };
        assert!(info.bytes >= header + 8 + held.bytes.len() as u64);
        let life = mark.and_then(|mark| mark.note.life);
        assert!(info.age.is_none() || life.is_some());
        if let (Some(age), Some(left), Some(life)) = (info.age, info.left, life) {
            assert!(info.freshness == Freshness::Stale || age + left == life);
        }
    }
}

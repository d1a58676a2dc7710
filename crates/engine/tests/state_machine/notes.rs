//! The part of the state machine that has notes: early windows, negatives, tags and versions.

use super::{Held, Pair, Time, held, with_key};
use breakwater_engine::{Error, Expiry, Freshness, Nature, Note, Policy, Value};
use proptest::prelude::*;

/// Tags that the histories use, no two of which share a group.
pub const TAGS: usize = 4;

/// What the model knows of an entry that has a note.
#[derive(Clone, Debug)]
pub struct Mark {
    pub note: Note,
    pub epoch: u64,
    /// Which of [`TAGS`] it has.
    pub tags: u8,
}

/// A note of a random history.
#[derive(Clone, Debug)]
pub struct Extras {
    early: u32,
    version: Option<u64>,
    tags: u8,
    negative: bool,
    /// How many invalidations ago its value was read, if not just now.
    ago: Option<u64>,
}

pub fn extras() -> impl Strategy<Value = Extras> {
    let early = prop_oneof![Just(0), 1..4_000u32];
    let version = prop::option::of(0..6u64);
    let ago = prop::option::of(0..3u64);
    (early, version, 0..1u8 << TAGS, prop::bool::weighted(0.2), ago).prop_map(
        |(early, version, tags, negative, ago)| Extras { early, version, tags, negative, ago },
    )
}

/// What the model says of a key that was not removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Fresh,
    Stale,
    Gone,
}

/// Invalidations as the model counts them.
#[derive(Default)]
pub struct Invalidations {
    names: Vec<String>,
    count: u64,
    hard: [u64; TAGS],
    soft: [u64; TAGS],
    /// Since when entries may be stale by a tag that are not gone by it.
    since: [u64; TAGS],
}

impl Invalidations {
    fn latest(&self, of: [u64; TAGS], tags: u8) -> u64 {
        (0..TAGS).filter(|tag| tags >> tag & 1 == 1).map(|tag| of[tag]).max().unwrap_or(0)
    }

    /// Since when an entry is stale by its tags.
    fn stale_since(&self, mark: &Mark) -> Option<u64> {
        let tags = (0..TAGS).filter(|tag| mark.tags >> tag & 1 == 1);
        tags.filter(|&tag| self.soft[tag] > mark.epoch).map(|tag| self.since[tag]).min()
    }
}

impl Pair {
    /// Names the tags, and has the cache make its table of them: what is invalidated before that
    /// is invalidated of all tags.
    pub fn prepare_tags(&mut self) {
        let mut slots = Vec::new();
        for name in (0..).map(|n| format!("tag {n}")) {
            let group = self.cache.tag_group(&name);
            if !slots.contains(&group) {
                slots.push(group);
                self.invalidations.names.push(name);
            }
            if slots.len() == TAGS {
                break;
            }
        }
        let note = Note { tags: slots, ..Note::default() };
        let value = Value::bytes(b"");
        with_key(0, |key| self.cache.set_noted(key, value, super::Expiry::Never, &note)).unwrap();
        with_key(0, |key| self.cache.delete(key));
    }

    /// The name of a tag.
    pub fn tag(&self, tag: usize) -> &str {
        &self.invalidations.names[tag]
    }

    fn state(&self, key: u16) -> State {
        let Some(held) = self.model.get(&key) else { return State::Gone };
        let mark = self.marks.get(&key);
        let is_value = mark.is_none_or(|mark| mark.note.nature == Nature::Value);
        let grace = if is_value { self.grace } else { 0 };
        let now = self.clock.now();
        let all = &self.invalidations;
        let hard = mark.is_some_and(|mark| all.latest(all.hard, mark.tags) > mark.epoch);
        let soft = mark.and_then(|mark| all.stale_since(mark));
        let late = held.deadline.is_some_and(|at| at <= now);
        let over = |since: Option<u64>| since.is_some_and(|at| at + grace <= now);
        if over(held.deadline) || over(soft) || hard {
            State::Gone
        } else if late || soft.is_some() {
            State::Stale
        } else {
            State::Fresh
        }
    }

    /// Whether ordinary reads find the key.
    pub fn is_live(&self, key: u16) -> bool {
        let mark = self.marks.get(&key);
        let is_value = mark.is_none_or(|mark| mark.note.nature == Nature::Value);
        is_value && self.state(key) == State::Fresh
    }

    fn version(&self, key: u16) -> Option<u64> {
        let mark = self.marks.get(&key).filter(|_| self.state(key) != State::Gone);
        mark.and_then(|mark| mark.note.version)
    }

    pub fn set_noted(&mut self, key: u16, len: u16, time: Time, extras: Extras) {
        self.check(key);
        self.serial += 1;
        let (format, bytes) = ((self.serial % 200) as u8, vec![self.serial as u8; len.into()]);
        let now = self.invalidations.count;
        let epoch = extras.ago.map(|ago| now.saturating_sub(ago));
        let names = self.invalidations.names.iter().enumerate();
        let tags = names.filter(|(tag, _)| extras.tags >> tag & 1 == 1);
        let note = Note {
            early: extras.early,
            cost: 3,
            version: extras.version,
            epoch,
            tags: tags.map(|(_, name)| self.cache.tag_group(name)).collect(),
            life: None,
            nature: if extras.negative { Nature::Negative } else { Nature::Value },
        };
        let value = Value { format, bytes: &bytes };
        let expiry = self.expiry(time);
        let deadline = self.fresh(time);
        let is_newer = self.version(key) > note.version && note.version.is_some();
        let all = &self.invalidations;
        let latest = all.latest(all.hard, extras.tags).max(all.latest(all.soft, extras.tags));
        let is_late = epoch.is_some_and(|epoch| epoch < latest);
        match with_key(key, |key| self.cache.set_noted(key, value, expiry, &note)) {
            Ok(replaced) => {
                assert!(!is_late && (!is_newer || self.evicts), "it is older");
                assert!(replaced == self.live(key).is_some() || self.evicts);
                self.model.insert(key, Held { format, bytes, deadline });
                let epoch = epoch.unwrap_or(now);
                self.marks.insert(key, Mark { note, epoch, tags: extras.tags });
            }
            Err(Error::Outdated) => assert!(is_late || is_newer, "nothing is newer"),
            Err(Error::Full) => assert_eq!(self.cache.policy(), Policy::None),
            Err(error) => panic!("{error}"),
        }
        self.check(key);
        self.get_with_freshness(key);
    }

    pub fn delete_versioned(&mut self, key: u16, version: u64, time: Time) {
        let is_newer = self.version(key) > Some(version);
        let expiry = self.expiry(time);
        if with_key(key, |key| self.cache.delete_versioned(key, version, expiry)) {
            assert!(!is_newer || self.evicts);
            let deadline = self.fresh(time);
            self.model.insert(key, Held { format: 0, bytes: Vec::new(), deadline });
            let nature = Nature::Tombstone;
            let note = Note { version: Some(version), nature, ..Note::default() };
            self.marks.insert(key, Mark { note, epoch: 0, tags: 0 });
            if self.evicts {
                // It may not have found room: go on without it.
                self.model.remove(&key);
                self.marks.remove(&key);
                _ = with_key(key, |key| self.cache.set(key, Value::bytes(&[]), Expiry::Never));
                with_key(key, |key| self.cache.delete(key));
            }
            assert_eq!(self.read(key), None);
        } else {
            assert!(is_newer);
        }
        self.get_with_freshness(key);
    }

    /// Whether something only keeps older versions of a key away.
    pub fn is_buried(&self, key: u16) -> bool {
        self.marks.get(&key).is_some_and(|mark| mark.note.nature == Nature::Tombstone)
    }

    pub fn invalidate(&mut self, tag: usize, soft: bool) {
        self.cache.invalidate_tag(&self.invalidations.names[tag], soft);
        let (all, now) = (&mut self.invalidations, self.clock.now());
        if soft && (all.soft[tag] == 0 || all.since[tag] + self.grace <= now) {
            all.hard[tag] = all.hard[tag].max(all.soft[tag]);
            all.since[tag] = now;
        }
        all.count += 1;
        let of = if soft { &mut all.soft } else { &mut all.hard };
        of[tag] = all.count;
        assert_eq!(self.cache.epoch(), all.count);
    }

    /// Who looks closely finds what the model says.
    pub fn get_with_freshness(&mut self, key: u16) {
        let now = self.clock.now();
        let found = with_key(key, |key| {
            self.cache.get_with_freshness(key, |found| {
                (held(found.entry), found.freshness, found.negative, found.left)
            })
        });
        let nature = self.marks.get(&key).map_or(Nature::Value, |mark| mark.note.nature);
        let state = self.state(key);
        let Some((read, freshness, negative, left)) = found else {
            let unseen = state == State::Gone || nature == Nature::Tombstone;
            assert!(unseen || self.evicts, "key {key} is {state:?}");
            return;
        };
        let expected = &self.model[&key];
        assert_eq!((&read, negative), (expected, nature == Nature::Negative));
        let early = self.marks.get(&key).map_or(0, |mark| mark.note.early).into();
        let until = expected.deadline.map(|at| at.saturating_sub(now));
        match freshness {
            Freshness::Fresh => assert!(early == 0 || until.is_none_or(|left| left > early)),
            Freshness::Early => assert!(until.is_some_and(|left| left <= early)),
            Freshness::Stale => {}
        }
        let stale = freshness == Freshness::Stale;
        assert_eq!(state, if stale { State::Stale } else { State::Fresh });
        let revoked = self.marks.get(&key).and_then(|mark| self.invalidations.stale_since(mark));
        let since = expected.deadline.into_iter().chain(revoked).min();
        assert_eq!(left, if stale { since.map(|at| now - at) } else { until });
    }
}

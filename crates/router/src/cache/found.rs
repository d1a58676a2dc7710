//! What is found in memory: a reply that is given, and what lies there of a key.

use super::entry::{ABSENT, Head};
use super::sources::when_of;
use breakwater_engine::EntryRef;

/// Whether a reply beyond its time will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staleness {
    /// It will not.
    Refused,
    /// As `Refused`, by a second look, which counts as none.
    SecondLook,
    /// It will, for so many milliseconds.
    Taken(u64),
}

/// A reply that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    /// When the store was asked, and over which connection.
    stamp: u64,
    /// When it ends.
    pub(crate) deadline: Option<u64>,
    /// The generation of its first key.
    pub(crate) generation: u64,
    /// Whether none of its keys existed.
    pub(crate) absent: bool,
}

impl Hit {
    #[inline]
    pub(super) fn of(entry: EntryRef<'_>, stamp: u64, generation: u64) -> Self {
        let absent = entry.value().format & ABSENT != 0;
        Self { stamp, deadline: entry.deadline(), generation, absent }
    }

    /// The reply that lies with the generation of its key.
    #[inline]
    pub(super) fn plain(entry: EntryRef<'_>, head: &Head<'_>) -> Self {
        let hit = Self::of(entry, head.stamp, head.generation);
        let ends = head.until.or(hit.deadline);
        Self { deadline: ends.filter(|ends| *ends != u64::MAX), ..hit }
    }

    /// When the store was asked, in milliseconds of the engine's clock.
    #[inline]
    pub(crate) fn when(&self) -> u64 {
        when_of(self.stamp)
    }

    /// The same, and over which connection: see [`super::Replies::covers`].
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }
}

/// What lies in memory of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Which of the generations that were drawn, in ascending order, the key has.
    pub generation: u64,
    /// Whether what was read of it is given to everybody; otherwise to those who take what is stale.
    pub is_fresh: bool,
    /// The reply to its `GET`, if that is there: others are found only by their requests.
    pub get: Option<RememberedReply>,
    /// The bytes that its generation and this reply are charged.
    pub bytes: u64,
    /// Reads of late, up to 3, if the policy counts them.
    pub hits: Option<u8>,
}

/// The reply to a `GET`, as it lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedReply {
    /// Of which database.
    pub db: u8,
    /// Whether it says that the key does not exist.
    pub absent: bool,
    /// How many milliseconds ago the store was asked.
    pub age: u64,
    /// How many milliseconds it will be given; `None` if that has no end.
    pub left: Option<u64>,
    /// As the store sent it.
    pub bytes: Vec<u8>,
}

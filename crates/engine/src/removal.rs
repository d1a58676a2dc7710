//! Who is told that an entry left, and why it did.

use crate::entry::EntryRef;

/// Why an entry left the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Another entry needed its room.
    Evicted = 0,
    /// Its deadline passed.
    Expired = 1,
    /// `delete` or an edit removed it.
    Deleted = 2,
    /// A new value took its place.
    Replaced = 3,
    /// `clear` removed it.
    Cleared = 4,
}

/// Told of every entry that leaves: after it left, with no lock held, on the thread that caused
/// it. It must not call back into the cache.
pub trait RemovalListener: Send + Sync {
    /// `entry` left for `reason`.
    fn removed(&self, entry: EntryRef<'_>, reason: Reason);
}

//! stub, replaced by the real layout
use crate::key::Key;

/// A borrowed value: bytes and what they mean to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// What the bytes mean. The engine keeps it and never looks at it.
    pub format: u8,
    /// At most 4,294,967,295 bytes.
    pub bytes: &'a [u8],
}

impl<'a> Value<'a> {
    /// A value of format 0.
    pub const fn bytes(bytes: &'a [u8]) -> Self {
        Self { format: 0, bytes }
    }
}

/// When an entry ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Only when something evicts or deletes it.
    Never,
    /// At this millisecond of the cache's clock.
    At(u64),
    /// When the entry that it replaces would have ended; never, if it replaces none.
    Keep,
}

/// An entry, for as long as the closure that it was handed to runs.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    pub(crate) key: Key<'a>,
    pub(crate) value: Value<'a>,
    pub(crate) deadline: Option<u64>,
}

impl<'a> EntryRef<'a> {
    /// The key.
    pub fn key(&self) -> Key<'a> {
        self.key
    }
    /// The value.
    pub fn value(&self) -> Value<'a> {
        self.value
    }
    /// The millisecond of the cache's clock at which the entry ends; `None` if it does not.
    pub fn deadline(&self) -> Option<u64> {
        self.deadline
    }
    /// The bytes that it is charged in the ledger.
    pub fn charge(&self) -> u64 {
        (16 + self.key.bytes.len() + self.value.bytes.len()) as u64
    }
}

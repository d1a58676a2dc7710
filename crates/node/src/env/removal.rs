//! An entry that left, on its way to an environment that listens.

use breakwater_engine::{EntryRef, KeyKind, Reason};

/// What a removal is charged beside its key and value.
const REMOVAL_BYTES: usize = size_of::<Removal>();

/// An entry that left.
pub struct Removal {
    /// The listener that is told.
    pub listener: u64,
    /// Why it left.
    pub reason: Reason,
    /// What the key's bytes spell.
    pub kind: KeyKind,
    /// The value's format.
    pub format: u8,
    key_len: u32,
    bytes: Box<[u8]>,
}

impl Removal {
    /// The entry as it is while it leaves.
    pub fn new(listener: u64, entry: EntryRef<'_>, reason: Reason) -> Self {
        let (key, value) = (entry.key(), entry.value());
        Self {
            listener,
            reason,
            kind: key.kind,
            format: value.format,
            key_len: key.bytes.len() as u32,
            bytes: [key.bytes, value.bytes].concat().into(),
        }
    }

    /// The key's bytes.
    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len as usize]
    }

    /// The value's bytes.
    pub fn value(&self) -> &[u8] {
        &self.bytes[self.key_len as usize..]
    }

    /// What it is charged while it waits, in bytes.
    pub fn charge(&self) -> usize {
        REMOVAL_BYTES + self.bytes.len()
    }
}

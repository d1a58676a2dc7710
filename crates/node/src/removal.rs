//! Removals on their way from the thread that caused them to the environments that listen: see
//! [`Outbox`].

use crate::outbox::Outbox;
use breakwater_engine::{EntryRef, KeyKind, Reason, RemovalListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    fn new(listener: u64, entry: EntryRef<'_>, reason: Reason) -> Self {
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

/// One instance's interest in the removals of its cache.
pub struct Listener {
    /// Tells the facade which instance it is.
    pub id: u64,
    /// Where its removals go.
    pub outbox: Arc<Outbox>,
    /// Whether each removal must arrive: an object is let go by it. There are at most as many as
    /// the cache had entries, since each call of the owner empties the outbox.
    pub must: bool,
    /// Removals that found the outbox full.
    pub dropped: AtomicU64,
}

impl RemovalListener for Listener {
    fn removed(&self, entry: EntryRef<'_>, reason: Reason) {
        let removal = Removal::new(self.id, entry, reason);
        if !self.outbox.push(removal, self.must) {
            // Relaxed: a count that orders nothing.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

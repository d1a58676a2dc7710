//! What lies in the memory of an entry, in its order: links, timing, header; and behind them key, value
//! and note.

use crate::key::{Key, MAX_KEY_LEN};
use crate::note::flag;
use std::sync::atomic::AtomicU64;

#[repr(C, align(8))]
pub(crate) struct Header {
    pub(super) value_len: u32,
    pub(super) about: About,
}

/// What a header says beside the length of the value, read at once: the length of the key, above it the
/// format of the value, and on top the kind of the key with bits of [`flag`].
#[derive(Clone, Copy)]
pub(super) struct About(u32);

const FORMAT_SHIFT: u32 = u16::BITS;
const KIND_SHIFT: u32 = FORMAT_SHIFT + u8::BITS;

impl About {
    #[inline]
    pub(super) fn new(key_len: usize, format: u8, kind: u8) -> Self {
        let above = u32::from(format) << FORMAT_SHIFT | u32::from(kind) << KIND_SHIFT;
        Self(key_len as u16 as u32 | above)
    }

    #[inline]
    pub(super) fn key_len(self) -> usize {
        (self.0 as u16).into()
    }

    #[inline]
    pub(super) fn format(self) -> u8 {
        (self.0 >> FORMAT_SHIFT) as u8
    }

    /// The kind of the key, and above it bits of [`flag`].
    #[inline]
    pub(super) fn kind(self) -> u8 {
        (self.0 >> KIND_SHIFT) as u8
    }

    /// Whether it has any of these bits of [`flag`].
    #[inline]
    pub(super) fn has(self, flags: u8) -> bool {
        self.0 & u32::from(flags) << KIND_SHIFT != 0
    }

    #[inline]
    pub(super) fn with(self, flags: u8) -> Self {
        Self(self.0 | u32::from(flags) << KIND_SHIFT)
    }

    /// Whether the entry's key may be this one: it has its length and kind.
    #[inline(always)]
    pub(super) fn suits(self, key: Key<'_>) -> bool {
        const LEN_AND_KIND: u32 = u16::MAX as u32 | (flag::KEY as u32) << KIND_SHIFT;
        let wanted = Self::new(key.bytes.len(), 0, key.kind as u8);
        key.bytes.len() <= MAX_KEY_LEN && self.0 & LEN_AND_KIND == wanted.0
    }
}

pub(super) const HEADER: usize = size_of::<Header>();

/// The bytes of a line of the processor's cache.
pub(super) const LINE: usize = 64;

/// Deadline in milliseconds << 16 | the generation of the entry's node in the timer wheel, 0 for none.
///
/// In front of the header of entries that have a deadline, or are likely to get one. Written under the
/// shard's lock, or by who has the entry for himself.
pub(super) type Timing = AtomicU64;

pub(super) const TIMING: usize = size_of::<Timing>();

// The flag of an entry that has it, so far to the right, is its length: see `EntryRef::timing_len`.
pub(super) const TIMED_SHIFT: u32 = flag::TIMED.ilog2() - TIMING.ilog2();

/// The links of the recency list, in front of all else. Guarded by the lock of the shard.
#[repr(C, align(8))]
pub(crate) struct Links {
    pub(crate) newer: *mut u8,
    pub(crate) older: *mut u8,
}

pub(super) const LINKS: usize = size_of::<Links>();

/// The bytes of an entry: `payload` are those of key, value, note and timing.
#[inline]
pub(super) fn size(linked: bool, payload: usize) -> usize {
    HEADER + payload + if linked { LINKS } else { 0 }
}

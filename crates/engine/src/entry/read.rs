//! Entries as those see them who read them.

use super::bytes::same_bytes;
use super::expiry::end_after;
use super::layout::{HEADER, Header, TIMED_SHIFT, TIMING, Timing, size};
use super::value::Value;
use crate::key::{Key, KeyKind};
use crate::memory;
use crate::note::{NoteRef, flag};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::Ordering;

/// An entry, for as long as the closure that it was handed to runs.
///
/// It is a pointer to the header that may be used for the whole allocation: one that is made from a
/// reference to the header may not be used for what lies behind it.
#[derive(Clone, Copy)]
pub struct EntryRef<'a>(pub(super) NonNull<u8>, pub(super) PhantomData<&'a Header>);

// SAFETY: the header is atomics, and the rest does not change: it may be shared between threads.
unsafe impl Send for EntryRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for EntryRef<'_> {}

impl<'a> EntryRef<'a> {
    #[inline]
    fn header(&self) -> &'a Header {
        // SAFETY: `EntryPtr::read` promises that the entry is alive during 'a; it is only shared.
        unsafe { self.0.cast::<Header>().as_ref() }
    }

    #[inline]
    fn body(&self) -> *const u8 {
        self.0.as_ptr().wrapping_add(HEADER)
    }

    #[inline]
    fn key_len(&self) -> usize {
        self.header().about.key_len()
    }

    /// Where deadline and timer are, if there are any.
    #[inline]
    fn timing(&self) -> Option<&'a Timing> {
        // SAFETY: the flag says that it lies there, in the same allocation; it is only shared.
        self.is_timed().then(|| unsafe { &*self.0.as_ptr().sub(TIMING).cast::<Timing>() })
    }

    #[inline(always)]
    pub(super) fn timing_len(&self) -> usize {
        usize::from((self.header().about.kind() & flag::TIMED) >> TIMED_SHIFT)
    }

    /// Whether it may get a deadline where it is.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.header().about.has(flag::TIMED)
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> Key<'a> {
        // SAFETY: the key lies behind the header, in the same allocation, and never changes.
        let bytes = unsafe { slice::from_raw_parts(self.body(), self.key_len()) };
        Key { kind: KeyKind::from_bits(self.header().about.kind()), bytes }
    }

    /// The bytes of key, value, note and timing.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        let payload = self.key_len() + self.header().value_len as usize + self.timing_len();
        if self.has_note() { payload + self.note_len() } else { payload }
    }

    #[cold]
    fn note_len(&self) -> usize {
        self.note().map_or(0, NoteRef::len)
    }

    /// What the entry is charged, in bytes, if it was created with this `linked`.
    #[inline(always)]
    pub(crate) fn footprint(&self, linked: bool) -> u64 {
        memory::footprint(size(linked, self.len())) as u64
    }

    /// What a copy is charged that has room for a deadline, which this has not.
    pub(crate) fn footprint_timed(&self) -> u64 {
        memory::footprint(size(false, self.len() + TIMING)) as u64
    }

    /// What it says beside key and value.
    #[inline]
    pub fn note(&self) -> Option<NoteRef<'a>> {
        if !self.has_note() {
            return None;
        }
        let at = self.body().wrapping_add(self.key_len() + self.header().value_len as usize);
        // SAFETY: the note lies behind the value, in the same allocation, and never changes.
        Some(unsafe { NoteRef::at(at) })
    }

    /// Whether it says anything beside key and value.
    #[inline]
    pub(crate) fn has_note(&self) -> bool {
        self.header().about.has(flag::NOTED)
    }

    /// Whether more than its deadline decides whether it may be read.
    #[inline]
    pub(crate) fn is_special(&self) -> bool {
        self.header().about.has(flag::TAGGED | flag::ABSENT)
    }

    /// Whether nothing decides whether it may be read: it has no deadline, and is not special.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        // In most cases one look is enough.
        let about = self.header().about;
        !about.has(flag::TAGGED | flag::ABSENT | flag::TIMED)
            || (!self.is_special() && self.raw_deadline() == 0)
    }

    /// Whether it has tags.
    pub(crate) fn is_tagged(&self) -> bool {
        self.header().about.has(flag::TAGGED)
    }

    /// Whether it says that there is no value.
    pub(crate) fn is_absent(&self) -> bool {
        self.header().about.has(flag::ABSENT)
    }

    /// Whether it only keeps older versions away.
    pub(crate) fn is_tombstone(&self) -> bool {
        self.header().about.has(flag::TOMBSTONE)
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> Value<'a> {
        let at = self.body().wrapping_add(self.key_len());
        // SAFETY: the value lies behind the key, in the same allocation, and never changes.
        let bytes = unsafe { slice::from_raw_parts(at, self.header().value_len as usize) };
        Value { format: self.header().about.format(), bytes }
    }

    /// The millisecond of the cache's clock at which the entry ends; `None` if it does not.
    #[inline]
    pub fn deadline(&self) -> Option<u64> {
        match self.raw_deadline() {
            0 => None,
            deadline => Some(deadline),
        }
    }

    /// The millisecond at which a copy of the value ends: where its early window begins.
    #[inline]
    pub fn copy_deadline(&self) -> Option<u64> {
        let deadline = self.deadline()?;
        let early = self.note().map_or(0, NoteRef::early);
        Some(deadline.saturating_sub(early.into()).max(1))
    }

    /// As [`EntryRef::deadline`], 0 for none.
    #[inline]
    pub(crate) fn raw_deadline(&self) -> u64 {
        // Relaxed: a deadline publishes nothing but itself.
        self.timing().map_or(0, |timing| timing.load(Ordering::Relaxed) >> 16)
    }

    /// When the entry is to be removed, 0 for never: so many milliseconds after its deadline, which
    /// only values get.
    #[inline]
    pub(crate) fn end(&self, grace: u64) -> u64 {
        end_after(self.raw_deadline(), if self.is_absent() { 0 } else { grace })
    }

    /// Changes the deadline, 0 for none; false if there is no room for one. Under the shard's lock, or
    /// while nobody else knows the entry.
    #[must_use]
    pub(crate) fn set_deadline(&self, deadline: u64) -> bool {
        let Some(timing) = self.timing() else { return deadline == 0 };
        let timer = timing.load(Ordering::Relaxed) & 0xFFFF;
        timing.store(deadline << 16 | timer, Ordering::Relaxed);
        true
    }

    /// The generation of the entry's node in the timer wheel, 0 for none. It is written under the
    /// shard's lock; who reads it without sees a hint.
    #[inline]
    pub(crate) fn timer(&self) -> u16 {
        self.timing().map_or(0, |timing| timing.load(Ordering::Relaxed) as u16)
    }

    /// Changes the timer of an entry that has a deadline, or had one. Under the shard's lock.
    pub(crate) fn set_timer(&self, generation: u16) {
        if let Some(timing) = self.timing() {
            let deadline = timing.load(Ordering::Relaxed) >> 16;
            timing.store(deadline << 16 | u64::from(generation), Ordering::Relaxed);
        }
    }

    /// Whether the entry has this key.
    #[inline(always)]
    pub(crate) fn has_key(&self, key: Key<'_>) -> bool {
        // SAFETY: the key of the entry has this length then; it lies behind the header, in the same
        // allocation, and never changes.
        let bytes = || unsafe { slice::from_raw_parts(self.body(), key.bytes.len()) };
        self.header().about.suits(key) && same_bytes(bytes(), key.bytes)
    }

    /// The bytes of key and value.
    #[inline]
    pub fn payload(&self) -> u64 {
        (self.key_len() + self.header().value_len as usize) as u64
    }
}

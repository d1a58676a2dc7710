//! Entries as those hold them who make, keep and free them.

use super::EntryRef;
use super::bytes::copy_short;
use super::layout::{About, HEADER, Header, LINE, LINKS, Links, TIMING, Timing, size};
use super::value::Value;
use crate::key::Key;
use crate::memory;
use crate::note::{Draft, NoteRef, flag};
use crate::prefetch::prefetch;
use crate::spares::Spares;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

/// A pointer to an entry's header; whether it may be followed is for its holder to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EntryPtr(NonNull<u8>);

// SAFETY: an entry may be read from any thread; see the contract of each method.
unsafe impl Send for EntryPtr {}

impl EntryPtr {
    pub(crate) fn from_raw(raw: *mut u8) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    #[inline]
    pub(crate) fn as_raw(self) -> *mut u8 {
        self.0.as_ptr()
    }

    /// The bytes that deadline and timer of an entry will take.
    ///
    /// What is linked has its place in a list, and what has a note more to say: they have room for a
    /// deadline from the beginning.
    #[inline]
    pub(crate) fn timing_len(linked: bool, deadline: u64, noted: bool) -> usize {
        if linked || deadline != 0 || noted { TIMING } else { 0 }
    }

    /// What an entry will be charged, in bytes: `payload` are those of key, value, note and timing.
    #[inline]
    pub(crate) fn footprint(linked: bool, payload: usize) -> usize {
        memory::footprint(size(linked, payload))
    }

    /// A new entry that nobody else knows; `None` when the system has no memory left. The caller
    /// has checked both lengths, and knows its footprint.
    #[inline(always)]
    pub(crate) fn create(
        spares: &Spares,
        footprint: usize,
        linked: bool,
        key: Key<'_>,
        value: Value<'_>,
        deadline: u64,
        draft: Option<Draft<'_>>,
    ) -> Option<Self> {
        let (note_len, flags) = draft.map_or((0, 0), |draft| (draft.len(), draft.flags()));
        let timing = Self::timing_len(linked, deadline, draft.is_some());
        let payload = key.bytes.len() + value.bytes.len() + note_len;
        let block = spares.allocate(footprint, size(linked, payload + timing))?;
        let timed = if timing > 0 { flag::TIMED } else { 0 };
        let header = Header {
            value_len: value.bytes.len() as u32,
            about: About::new(key.bytes.len(), value.format, key.kind as u8 | flags | timed),
        };
        // SAFETY: the block is ours and has room for links, timing, header, key, value and note, in
        // this order.
        unsafe {
            let mut at = block.as_ptr();
            if linked {
                at.cast::<Links>().write(Links { newer: ptr::null_mut(), older: ptr::null_mut() });
                at = at.add(LINKS);
            }
            if timing > 0 {
                at.cast::<Timing>().write(Timing::new(deadline << 16));
                at = at.add(TIMING);
            }
            at.cast::<Header>().write(header);
            let body = at.add(HEADER);
            copy_short(key.bytes, body);
            copy_short(value.bytes, body.add(key.bytes.len()));
            if let Some(draft) = draft {
                draft.write(body.add(key.bytes.len() + value.bytes.len()));
            }
            Some(Self(NonNull::new_unchecked(at)))
        }
    }

    /// A copy of an entry without links that has room for a deadline, which this one has not; `None`
    /// when the system has no memory left. Its footprint is [`EntryRef::footprint_timed`].
    ///
    /// # Safety
    /// The entry is not freed meanwhile, has no links and is not timed.
    pub(crate) unsafe fn timed_copy(self, spares: &Spares) -> Option<Self> {
        // SAFETY: by contract.
        let read = unsafe { self.read() };
        let size = size(false, read.len() + TIMING);
        let block = spares.allocate(memory::footprint(size), size)?;
        // SAFETY: the block is ours and has room for the timing, and behind it for all of the entry,
        // which is no part of it.
        unsafe {
            block.cast::<Timing>().write(Timing::new(0));
            let at = block.add(TIMING);
            ptr::copy_nonoverlapping(self.as_raw(), at.as_ptr(), HEADER + read.len());
            let about = &mut (*at.cast::<Header>().as_ptr()).about;
            *about = about.with(flag::TIMED);
            Some(Self(at))
        }
    }

    /// Frees the entry; what it was charged.
    ///
    /// # Safety
    /// Nobody else can reach the entry any more, and it was created with the same `linked`.
    #[inline(always)]
    pub(crate) unsafe fn destroy(self, spares: &Spares, linked: bool) -> usize {
        // SAFETY: by contract the entry is alive and ours.
        unsafe {
            let size = size(linked, self.read().len());
            let footprint = memory::footprint(size);
            let front = self.read().timing_len() + if linked { LINKS } else { 0 };
            let block = NonNull::new_unchecked(self.0.as_ptr().sub(front));
            if !spares.keep(block, footprint) {
                memory::free(block, size);
            }
            footprint
        }
    }

    /// Changes the epoch of the entry's note.
    ///
    /// # Safety
    /// Nobody else knows the entry yet, and it has a note.
    pub(crate) unsafe fn set_epoch(self, epoch: u64) {
        // SAFETY: by contract the entry is alive and ours, and a note lies behind the value.
        unsafe {
            let payload = self.read().payload() as usize;
            NoteRef::set_epoch(self.0.as_ptr().add(HEADER + payload), epoch);
        }
    }

    /// What lies behind the line of the header will be read, whose place is known before the length of the
    /// key is.
    #[inline(always)]
    pub(crate) fn expect_rest(self) {
        prefetch(self.as_raw().wrapping_add(LINE));
    }

    /// The entry itself.
    ///
    /// # Safety
    /// It is not freed during `'a`: the thread is pinned, or owns it.
    #[inline]
    pub(crate) unsafe fn read<'a>(self) -> EntryRef<'a> {
        EntryRef(self.0, PhantomData)
    }

    /// The links of an entry created with them.
    ///
    /// # Safety
    /// The entry is alive and was created `linked`; links are used under the shard's lock alone.
    #[inline]
    pub(crate) unsafe fn links<'a>(self) -> &'a mut Links {
        // SAFETY: by contract; the lock makes the reference unique.
        unsafe { &mut *self.0.as_ptr().sub(TIMING + LINKS).cast::<Links>() }
    }
}

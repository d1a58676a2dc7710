//! Entries: one allocation that holds an 8-byte header, the key, the value and, for some, a note.
//!
//! In front of the header lie, where an entry needs them, its deadline and timer, and before these,
//! under the `lru` policy, two links. An entry never changes but for what lies in front of its header;
//! a new value is a new entry, and so is an entry that gets its first deadline.

use crate::key::{Key, KeyKind, MAX_KEY_LEN};
use crate::memory;
use crate::note::{Draft, NoteRef, flag};
use crate::prefetch::prefetch;
use crate::spares::Spares;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

/// A borrowed value: bytes, and what they mean to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// What the bytes mean. The engine keeps it and never looks at it: all 256 numbers are the
    /// caller's. The binding has the codec's number in the high half; of the low half, the kinds of
    /// values, 0 to 7 are taken and 8 to 15 free.
    pub format: u8,
    /// At most 4,294,967,295 bytes.
    pub bytes: &'a [u8],
}

impl<'a> Value<'a> {
    /// A value of format 0.
    pub const fn bytes(bytes: &'a [u8]) -> Self {
        Self { format: 0, bytes }
    }

    /// Copies the bytes to the beginning of `to`, which is at least as long: with no call where there
    /// are up to 64 of them.
    ///
    /// # Panics
    /// When `to` is shorter.
    #[inline]
    pub fn copy_to(self, to: &mut [u8]) {
        let to = &mut to[..self.bytes.len()];
        // SAFETY: it is as long, and borrowed alone.
        unsafe { copy_short(self.bytes, to.as_mut_ptr()) };
    }
}

/// Copies bytes, without a call where there are up to 64 of them.
///
/// # Safety
/// `to` may be written for as many bytes, and is no part of `from`.
#[inline]
unsafe fn copy_short(from: &[u8], to: *mut u8) {
    const BLOCK: usize = size_of::<u128>();
    const WORD: usize = size_of::<u64>();
    let (len, from) = (from.len(), from.as_ptr());
    // SAFETY: by contract; no part ends behind the last byte.
    unsafe {
        // From both ends, in parts that overlap where they must.
        if len > 4 * BLOCK {
            ptr::copy_nonoverlapping(from, to, len);
        } else if len >= BLOCK {
            copy_part::<BLOCK>(from, to, 0);
            if len > 2 * BLOCK {
                copy_part::<BLOCK>(from, to, BLOCK);
                copy_part::<BLOCK>(from, to, len - 2 * BLOCK);
            }
            copy_part::<BLOCK>(from, to, len - BLOCK);
        } else if len >= WORD {
            copy_part::<WORD>(from, to, 0);
            copy_part::<WORD>(from, to, len - WORD);
        } else {
            (0..len).for_each(|at| *to.add(at) = *from.add(at));
        }
    }
}

/// Copies `N` bytes at this place, so few that it takes no call.
///
/// # Safety
/// They may be read there, and written, and do not overlap.
#[inline(always)]
unsafe fn copy_part<const N: usize>(from: *const u8, to: *mut u8, at: usize) {
    // SAFETY: by contract.
    unsafe { ptr::copy_nonoverlapping(from.add(at), to.add(at), N) };
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

impl Expiry {
    /// The deadline of an entry that ends so, 0 for none; `kept` is that of the one it replaces.
    #[inline]
    pub(crate) fn deadline(self, kept: u64) -> u64 {
        match self {
            Self::Never => 0,
            Self::At(at) => at.clamp(1, LAST_DEADLINE),
            Self::Keep => kept,
        }
    }
}

/// Deadlines have 48 bits: 8,900 years in milliseconds. Zero stands for none. Nor is a grace longer.
pub(crate) const LAST_DEADLINE: u64 = (1 << 48) - 1;

/// When an entry of this deadline is to be removed, 0 for never.
#[inline]
pub(crate) fn end_after(deadline: u64, grace: u64) -> u64 {
    if deadline == 0 { 0 } else { deadline + grace }
}

#[repr(C, align(8))]
pub(crate) struct Header {
    value_len: u32,
    about: About,
}

/// What a header says beside the length of the value, read at once: the length of the key, above it the
/// format of the value, and on top the kind of the key with bits of [`flag`].
#[derive(Clone, Copy)]
struct About(u32);

const FORMAT_SHIFT: u32 = u16::BITS;
const KIND_SHIFT: u32 = FORMAT_SHIFT + u8::BITS;

impl About {
    #[inline]
    fn new(key_len: usize, format: u8, kind: u8) -> Self {
        let above = u32::from(format) << FORMAT_SHIFT | u32::from(kind) << KIND_SHIFT;
        Self(key_len as u16 as u32 | above)
    }

    #[inline]
    fn key_len(self) -> usize {
        (self.0 as u16).into()
    }

    #[inline]
    fn format(self) -> u8 {
        (self.0 >> FORMAT_SHIFT) as u8
    }

    /// The kind of the key, and above it bits of [`flag`].
    #[inline]
    fn kind(self) -> u8 {
        (self.0 >> KIND_SHIFT) as u8
    }

    /// Whether it has any of these bits of [`flag`].
    #[inline]
    fn has(self, flags: u8) -> bool {
        self.0 & u32::from(flags) << KIND_SHIFT != 0
    }

    #[inline]
    fn with(self, flags: u8) -> Self {
        Self(self.0 | u32::from(flags) << KIND_SHIFT)
    }

    /// Whether the entry's key may be this one: it has its length and kind.
    #[inline(always)]
    fn suits(self, key: Key<'_>) -> bool {
        const LEN_AND_KIND: u32 = u16::MAX as u32 | (flag::KEY as u32) << KIND_SHIFT;
        let wanted = Self::new(key.bytes.len(), 0, key.kind as u8);
        key.bytes.len() <= MAX_KEY_LEN && self.0 & LEN_AND_KIND == wanted.0
    }
}

const HEADER: usize = size_of::<Header>();

/// The bytes of a line of the processor's cache.
const LINE: usize = 64;

/// Deadline in milliseconds << 16 | the generation of the entry's node in the timer wheel, 0 for none.
///
/// In front of the header of entries that have a deadline, or are likely to get one. Written under the
/// shard's lock, or by who has the entry for himself.
type Timing = AtomicU64;

const TIMING: usize = size_of::<Timing>();

// The flag of an entry that has it, so far to the right, is its length: see `EntryRef::timing_len`.
const TIMED_SHIFT: u32 = flag::TIMED.ilog2() - TIMING.ilog2();

/// The links of the recency list, in front of all else. Guarded by the lock of the shard.
#[repr(C, align(8))]
pub(crate) struct Links {
    pub(crate) newer: *mut u8,
    pub(crate) older: *mut u8,
}

const LINKS: usize = size_of::<Links>();

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
        memory::footprint(Self::size(linked, payload))
    }

    #[inline]
    fn size(linked: bool, payload: usize) -> usize {
        HEADER + payload + if linked { LINKS } else { 0 }
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
        let block = spares.allocate(footprint, Self::size(linked, payload + timing))?;
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
        let size = Self::size(false, read.len() + TIMING);
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
            let size = Self::size(linked, self.read().len());
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

/// An entry, for as long as the closure that it was handed to runs.
///
/// It is a pointer to the header that may be used for the whole allocation: one that is made from a
/// reference to the header may not be used for what lies behind it.
#[derive(Clone, Copy)]
pub struct EntryRef<'a>(NonNull<u8>, PhantomData<&'a Header>);

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
    fn timing_len(&self) -> usize {
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
    fn len(&self) -> usize {
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
        EntryPtr::footprint(linked, self.len()) as u64
    }

    /// What a copy is charged that has room for a deadline, which this has not.
    pub(crate) fn footprint_timed(&self) -> u64 {
        EntryPtr::footprint(false, self.len() + TIMING) as u64
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

/// Whether two keys are equal: most are short, and a call of `memcmp` costs more than they do.
#[inline(always)]
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    const WORD: usize = size_of::<u64>();
    let len = a.len();
    if len != b.len() {
        return false;
    }
    // Words from both ends, which overlap where they must.
    let word =
        |bytes: &[u8], at: usize| bytes[at..at + WORD].try_into().map_or(0, u64::from_ne_bytes);
    let differs = |at: usize| word(a, at) ^ word(b, at);
    let pair = |at: usize| differs(at) | differs(len - WORD - at);
    match len {
        0..WORD => a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0,
        WORD..=16 => pair(0) == 0,
        17..=32 => pair(0) | pair(WORD) == 0,
        33..=64 => pair(0) | pair(WORD) | pair(2 * WORD) | pair(3 * WORD) == 0,
        _ => a == b,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn values_of_all_lengths_are_copied_whole() {
        let bytes: Vec<u8> = (1..=100).collect();
        for len in 0..=100 {
            let mut to = [0; 101];
            Value::bytes(&bytes[..len]).copy_to(&mut to);
            assert_eq!((&to[..len], &to[len..]), (&bytes[..len], &[0; 101][len..]));
        }
    }

    #[test]
    fn keys_are_equal_if_all_their_bytes_are() {
        let bytes: Vec<u8> = (0..100).collect();
        for len in 0..=100 {
            let mut other = bytes[..len].to_vec();
            assert!(same_bytes(&bytes[..len], &other), "{len}");
            for at in 0..len {
                other[at] ^= 0x80;
                assert!(!same_bytes(&bytes[..len], &other), "{len} bytes, number {at} differs");
                other[at] ^= 0x80;
            }
            assert!(!same_bytes(&bytes[..len], &bytes[..(len + 1) % 100]), "{len}");
        }
    }
}

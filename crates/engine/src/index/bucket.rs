//! Buckets: a line of slots for words, and the address of the overflow bucket behind it, which is half a
//! line.

use super::word::Word;
use crate::shim::{AtomicU64, Ordering};
use std::{iter, ptr};

/// Fewer when the models run: so that few entries need an overflow bucket.
pub(super) const SLOTS: usize = if cfg!(loom) { 2 } else { 7 };

/// Most overflow buckets hold one to three words.
const SLOTS_BEHIND: usize = if cfg!(loom) { 2 } else { 3 };

/// The bytes of a bucket, and of an overflow bucket.
pub(super) const BUCKET: u64 = 64;
pub(super) const OVERFLOW: u64 = 32;

/// Somebody moves words out of the bucket, or has, or from behind it home: nothing is appended to it.
pub(super) const CLAIMED: u64 = 1;
/// Everything that the bucket and its overflow held is in the next table.
pub(super) const MOVED: u64 = 2;
pub(super) const FLAGS: u64 = OVERFLOW - 1;

/// One cache line: flags and the address of the overflow bucket, and seven words.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct Bucket {
    pub(super) info: AtomicU64,
    pub(super) slots: [AtomicU64; SLOTS],
}

/// What stands behind a bucket that is full, or behind another one of these: the same in half a line.
#[repr(C, align(32))]
#[derive(Default)]
pub(super) struct Overflow {
    pub(super) info: AtomicU64,
    pub(super) slots: [AtomicU64; SLOTS_BEHIND],
}

#[cfg(not(loom))]
const _: () =
    assert!(size_of::<Bucket>() as u64 == BUCKET && size_of::<Overflow>() as u64 == OVERFLOW);

// The chains into which one divides need no more overflow buckets than it had.
const _: () = assert!(SLOTS >= SLOTS_BEHIND);

/// A link of a chain: a bucket, or an overflow bucket.
#[derive(Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) info: &'a AtomicU64,
    pub(super) slots: &'a [AtomicU64],
}

impl Overflow {
    #[inline]
    pub(super) fn link(&self) -> Link<'_> {
        Link { info: &self.info, slots: &self.slots }
    }
}

impl Bucket {
    #[inline]
    pub(super) fn link(&self) -> Link<'_> {
        Link { info: &self.info, slots: &self.slots }
    }

    /// The overflow bucket that an info word names.
    pub(super) fn overflow_of<'a>(info: u64) -> Option<&'a Overflow> {
        let at = ptr::with_exposed_provenance::<Overflow>((info & !FLAGS) as usize);
        // SAFETY: an overflow bucket is retired once it is unlinked, or has moved, and the caller is
        // pinned.
        unsafe { at.as_ref() }
    }

    /// One bit for each slot whose word has the tag and is not tentative; a hint.
    #[cfg(all(target_arch = "x86_64", not(any(miri, loom))))]
    #[inline(always)]
    pub(super) fn candidates(&self, tag: u64) -> Candidates {
        use std::arch::asm;
        use std::arch::x86_64::{
            __m128i, _mm_and_si128, _mm_cmpeq_epi32, _mm_movemask_epi8, _mm_packs_epi16,
            _mm_packs_epi32, _mm_set1_epi32,
        };
        let (mut first, mut last): (__m128i, __m128i);
        // The low halves of all eight words: those of the slots hold tag and tentative bit.
        // SAFETY: the bucket is a whole line, aligned to its length, and only read. Others may write to
        // it, which the processor allows; each half is read as by a relaxed load, since it lies in an
        // aligned part that the processor reads at once.
        unsafe {
            asm!(
                "movaps {first}, xmmword ptr [{at}]",
                "movaps {last}, xmmword ptr [{at} + 32]",
                "shufps {first}, xmmword ptr [{at} + 16], 0x88",
                "shufps {last}, xmmword ptr [{at} + 48], 0x88",
                at = in(reg) ptr::from_ref(self),
                first = out(xmm_reg) first,
                last = out(xmm_reg) last,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        // SAFETY: every processor of this kind has these instructions.
        let lanes = unsafe {
            let (mask, tag) = (_mm_set1_epi32(Word::MATCHED), _mm_set1_epi32(tag as i32));
            let match_of = |words| _mm_cmpeq_epi32(_mm_and_si128(words, mask), tag);
            let halves = _mm_packs_epi32(match_of(first), match_of(last));
            _mm_movemask_epi8(_mm_packs_epi16(halves, halves))
        };
        // The lanes are there twice, and the first word is no slot.
        Candidates(lanes as u32 & 0xFE)
    }

    /// One bit for each slot whose word has the tag and is not tentative; a hint.
    #[cfg(not(all(target_arch = "x86_64", not(any(miri, loom)))))]
    #[inline]
    pub(super) fn candidates(&self, tag: u64) -> Candidates {
        // Relaxed: whoever follows a candidate's pointer loads the word again.
        let bit = |slot: usize| {
            let word = Word(self.slots[slot].load(Ordering::Relaxed));
            u32::from(word.may_be(tag)) << (slot + 1)
        };
        Candidates((0..SLOTS).fold(0, |bits, slot| bits | bit(slot)))
    }

    /// The overflow buckets behind a bucket whose info word this is.
    pub(super) fn behind<'a>(info: u64) -> impl Iterator<Item = Link<'a>> {
        iter::successors(Self::overflow_of(info), |overflow| {
            // Acquire pairs with the release that linked the next one.
            Self::overflow_of(overflow.info.load(Ordering::Acquire))
        })
        .map(Overflow::link)
    }

    /// The bucket and its overflow buckets.
    pub(super) fn chain(&self) -> impl Iterator<Item = Link<'_>> {
        // Acquire pairs with the release that linked the overflow bucket.
        let info = self.info.load(Ordering::Acquire);
        iter::once(self.link()).chain(Self::behind(info))
    }

    /// The links in the order in which a key is looked for: the bucket, those behind it, and if there
    /// are any the bucket once more, since a word may have moved home from where it was about to be
    /// looked for ([`trim`](super::trim)).
    pub(super) fn round(&self) -> impl Iterator<Item = Link<'_>> {
        let info = self.info.load(Ordering::Acquire);
        let once_more = Self::overflow_of(info).map(|_| self.link());
        iter::once(self.link()).chain(Self::behind(info)).chain(once_more)
    }
}

/// Slots of a bucket that may be what is looked for: the bit of each is that of its word in the line,
/// whose first word is no slot.
pub(super) struct Candidates(u32);

impl Candidates {
    #[inline(always)]
    pub(super) fn any(&self) -> bool {
        self.0 != 0
    }

    /// The next slot, of the bucket that was asked; there is one.
    #[inline(always)]
    pub(super) fn next_of<'a>(&mut self, bucket: &'a Bucket) -> &'a AtomicU64 {
        let word = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        debug_assert!((1..=SLOTS).contains(&word));
        // SAFETY: only bits 1 to `SLOTS` are ever set, and one is.
        unsafe { bucket.slots.get_unchecked(word - 1) }
    }
}

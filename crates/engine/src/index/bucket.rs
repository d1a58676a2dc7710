//! Buckets: a line of slots for words, and the name of the overflow bucket behind it.

use super::word::Word;
use crate::shim::{AtomicU64, Ordering, fence};
use std::ptr;

/// Fewer when the models run: so that few entries need an overflow bucket.
pub(super) const SLOTS: usize = if cfg!(loom) { 2 } else { 7 };

/// The bytes of a bucket.
pub(super) const BUCKET: u64 = 64;

/// Somebody moves words out of the bucket, or has, or from behind it home: nothing is appended to it.
pub(super) const CLAIMED: u64 = 1;
/// Everything that the bucket and its overflow held is in the next table.
pub(super) const MOVED: u64 = 2;
pub(super) const FLAGS: u64 = 63;

/// One cache line: flags and the address of the overflow bucket, and seven words.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct Bucket {
    pub(super) info: AtomicU64,
    pub(super) slots: [AtomicU64; SLOTS],
}

impl Bucket {
    /// The overflow bucket that an info word names.
    pub(super) fn overflow_of<'a>(info: u64) -> Option<&'a Self> {
        let at = ptr::with_exposed_provenance::<Self>((info & !FLAGS) as usize);
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

    /// The bucket and its overflow buckets.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |bucket| {
            // Acquire pairs with the release that linked the overflow bucket.
            Self::overflow_of(bucket.info.load(Ordering::Acquire))
        })
    }

    /// The bucket to look into after another one of the chain, whose info word this was, and its info
    /// word, for who looks for a key: behind the last one it is the first once more, since a word may
    /// have moved home from where it was about to be looked for ([`trim`](super::trim)). Behind that
    /// nothing comes.
    #[inline(always)]
    pub(super) fn after<'a>(
        home: &'a Self,
        bucket: &'a Self,
        info: u64,
    ) -> Option<(&'a Self, u64)> {
        if let Some(overflow) = Self::overflow_of(info) {
            return Some((overflow, overflow.info.load(Ordering::Acquire)));
        }
        if ptr::eq(home, bucket) {
            return None;
        }
        // Acquire pairs with the release that emptied a slot behind, whose word is at home then: the
        // slot was looked at by a relaxed load.
        fence(Ordering::Acquire);
        Some((home, 0))
    }

    /// The buckets in the order in which a key is looked for: the bucket, those behind it, and if there
    /// are any the bucket once more.
    pub(super) fn round(&self) -> impl Iterator<Item = &Self> {
        let first = (self, self.info.load(Ordering::Acquire));
        std::iter::successors(Some(first), |&(bucket, info)| Self::after(self, bucket, info))
            .map(|(bucket, _)| bucket)
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

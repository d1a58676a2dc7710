//! Notes: what some entries say beside their key and value. An entry without one pays nothing: what
//! there is to say lies behind the value, and bits of the header tell that it does.
//!
//! ```text
//! early u32, cost u32, version u64 (all ones: none), epoch u64, tags u32, group u32 each, life u64
//! ```
//!
//! The highest bit of the number of tags tells whether there is a life.

use std::ptr;

/// The most tags of an entry: 64 that a user gives it, and one of the facade's own.
pub const MOST_TAGS: usize = 65;

/// What an entry is to those who read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nature {
    /// A value.
    #[default]
    Value,
    /// The knowledge that there is no value: only [`crate::Cache::get_with_freshness`] sees it.
    Negative,
    /// What a removed key leaves behind, so that older versions do not come back: nobody sees it.
    Tombstone,
}

/// What an entry may say beside its key and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Milliseconds before its deadline from which on it should be loaded anew.
    pub early: u32,
    /// Milliseconds that loading it took.
    pub cost: u32,
    /// An entry does not take the place of one of a higher version.
    pub version: Option<u64>,
    /// What [`crate::Cache::epoch`] gave before the value was read from its source; `None`: it was
    /// made just now.
    pub epoch: Option<u64>,
    /// The groups of its tags, at most [`MOST_TAGS`]: see [`crate::Cache::tag_group`].
    pub tags: Vec<u32>,
    /// Milliseconds that it lives from now on, if that is its own: for [`crate::Cache::touch`].
    pub life: Option<u64>,
    /// What the entry is to those who read it.
    pub nature: Nature,
}

/// The bits of a header's kind above those of the key.
pub(crate) mod flag {
    /// The bits of the key.
    pub(crate) const KEY: u8 = 3;
    /// A note lies behind the value.
    pub(crate) const NOTED: u8 = 1 << 2;
    /// The note names tags.
    pub(crate) const TAGGED: u8 = 1 << 3;
    /// It is not a value.
    pub(crate) const ABSENT: u8 = 1 << 4;
    /// It is not even the knowledge that there is none.
    pub(crate) const TOMBSTONE: u8 = 1 << 5;
    /// A deadline lies in front of the header, or has its place there.
    pub(crate) const TIMED: u8 = 1 << 6;
}

const NO_VERSION: u64 = u64::MAX;

/// What comes before the groups, and where the epoch lies in it.
const FIXED: usize = 28;
/// What comes behind them, in some notes.
const LIFE: usize = 8;
const HAS_LIFE: u32 = 1 << 31;
const EPOCH: usize = 16;

/// A note that is about to be stored.
#[derive(Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) note: &'a Note,
    /// The note's epoch, or the one in which it was made.
    pub(crate) epoch: u64,
}

impl Draft<'_> {
    pub(crate) fn flags(&self) -> u8 {
        let has = |flag: u8, is: bool| if is { flag } else { 0 };
        let note = self.note;
        has(flag::NOTED, self.is_written())
            | has(flag::TAGGED, !note.tags.is_empty())
            | has(flag::ABSENT, note.nature != Nature::Value)
            | has(flag::TOMBSTONE, note.nature == Nature::Tombstone)
    }

    fn is_written(&self) -> bool {
        let note = self.note;
        note.early != 0
            || note.cost != 0
            || note.version.is_some()
            || note.life.is_some()
            || !note.tags.is_empty()
    }

    /// The bytes that it takes behind the value.
    pub(crate) fn len(&self) -> usize {
        if !self.is_written() {
            return 0;
        }
        let life = if self.note.life.is_some() { LIFE } else { 0 };
        FIXED + size_of_val(self.note.tags.as_slice()) + life
    }

    /// # Safety
    /// `to` has room for as many bytes as [`Draft::len`] says.
    pub(crate) unsafe fn write(&self, to: *mut u8) {
        if !self.is_written() {
            return;
        }
        let note = self.note;
        let mut fixed = [0; FIXED];
        fixed[0..4].copy_from_slice(&note.early.to_ne_bytes());
        fixed[4..8].copy_from_slice(&note.cost.to_ne_bytes());
        fixed[8..16].copy_from_slice(&note.version.unwrap_or(NO_VERSION).to_ne_bytes());
        fixed[EPOCH..EPOCH + 8].copy_from_slice(&self.epoch.to_ne_bytes());
        let has_life = if note.life.is_some() { HAS_LIFE } else { 0 };
        fixed[24..28].copy_from_slice(&(note.tags.len() as u32 | has_life).to_ne_bytes());
        let groups = note.tags.as_slice();
        // SAFETY: by contract; nothing overlaps with memory that is not yet anybody's.
        unsafe {
            ptr::copy_nonoverlapping(fixed.as_ptr(), to, FIXED);
            let (from, len) = (groups.as_ptr().cast::<u8>(), size_of_val(groups));
            ptr::copy_nonoverlapping(from, to.add(FIXED), len);
            if let Some(life) = note.life {
                to.add(FIXED + len).cast::<[u8; LIFE]>().write(life.to_ne_bytes());
            }
        }
    }
}

/// The note of an entry.
#[derive(Clone, Copy, Debug)]
pub struct NoteRef<'a>(&'a [u8]);

impl<'a> NoteRef<'a> {
    /// # Safety
    /// [`Draft::write`] wrote a note to `at`, which stays as it is during `'a`.
    pub(crate) unsafe fn at(at: *const u8) -> Self {
        // SAFETY: by contract; the fixed part says how many groups follow.
        unsafe {
            let fixed = Self(std::slice::from_raw_parts(at, FIXED));
            let life = if fixed.u32(24) & HAS_LIFE != 0 { LIFE } else { 0 };
            let tags = (fixed.u32(24) & !HAS_LIFE) as usize;
            let len = FIXED + tags * size_of::<u32>() + life;
            Self(std::slice::from_raw_parts(at, len))
        }
    }

    /// # Safety
    /// A note lies there that nobody else knows yet.
    pub(crate) unsafe fn set_epoch(at: *mut u8, epoch: u64) {
        let bytes = epoch.to_ne_bytes();
        // SAFETY: by contract; the epoch lies behind early window, cost and version.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at.add(EPOCH), bytes.len()) };
    }

    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    fn u32(self, at: usize) -> u32 {
        self.0[at..at + 4].try_into().map_or(0, u32::from_ne_bytes)
    }

    fn u64(self, at: usize) -> u64 {
        self.0[at..at + 8].try_into().map_or(0, u64::from_ne_bytes)
    }

    fn has_life(self) -> bool {
        self.u32(24) & HAS_LIFE != 0
    }

    /// Milliseconds that the entry lives from when it was stored or touched last, if that is its own.
    pub fn life(self) -> Option<u64> {
        self.has_life().then(|| self.u64(self.0.len() - LIFE))
    }

    /// All that it says, for a note that is to say the same.
    pub(crate) fn to_note(self) -> Note {
        Note {
            early: self.early(),
            cost: self.cost(),
            version: self.version(),
            epoch: Some(self.epoch()),
            tags: self.tags().collect(),
            life: self.life(),
            nature: Nature::Value,
        }
    }

    /// Milliseconds before the entry's deadline from which on it should be loaded anew.
    pub fn early(self) -> u32 {
        self.u32(0)
    }

    /// Milliseconds that loading it took.
    pub fn cost(self) -> u32 {
        self.u32(4)
    }

    /// Its version, if it has one.
    pub fn version(self) -> Option<u64> {
        Some(self.u64(8)).filter(|&version| version != NO_VERSION)
    }

    /// The count of invalidations when its value was read from the source.
    pub fn epoch(self) -> u64 {
        self.u64(EPOCH)
    }

    /// The groups of its tags.
    pub fn tags(self) -> impl Iterator<Item = u32> + use<'a> {
        let life = if self.has_life() { LIFE } else { 0 };
        let groups = self.0[FIXED..self.0.len() - life].chunks_exact(size_of::<u32>());
        groups.map(|group| group.try_into().map_or(0, u32::from_ne_bytes))
    }
}

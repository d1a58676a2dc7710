//! When entries end.

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
pub(super) fn end_after(deadline: u64, grace: u64) -> u64 {
    if deadline == 0 { 0 } else { deadline + grace }
}

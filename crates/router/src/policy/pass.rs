//! What a token leaves behind: from when to when it counts, and what it said.

/// By what somebody came who has a token.
#[derive(Debug)]
pub(crate) struct Pass {
    /// It counts from this time on, in Unix milliseconds, up to the other one.
    pub(super) from: i64,
    pub(crate) until: i64,
    /// The key that signed it.
    pub(super) key: [u8; 32],
    /// What it says, to be held against other rules.
    pub(super) payload: Box<[u8]>,
}

impl Pass {
    /// Whether it counts at this time.
    #[inline]
    pub(crate) fn counts(&self, now: i64) -> bool {
        self.from <= now && now < self.until
    }
}

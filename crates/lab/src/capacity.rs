//! What a cache may hold, in entries or in bytes.

/// What a cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// So many entries.
    Entries(u64),
    /// Values of so many bytes in all.
    Bytes(u64),
}

impl Capacity {
    pub(crate) fn most(self) -> u64 {
        match self {
            Self::Entries(most) | Self::Bytes(most) => most,
        }
    }
}

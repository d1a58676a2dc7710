//! The head of a value as `breakwater/redis` stores it: numbers in 64 bits, big endian.
//!
//! ```text
//! at  0  a mark, and the version of this form
//! at  2  the kind of value
//! at  3  when it was known, in microseconds of the store
//! at 11  until when it is fresh, in milliseconds of it
//! at 19  its version; NaN if it has none
//! at 27  what the store does not read
//! at 39  the generation in which it was known
//! at 47  and how far the clock of tags was
//! at 55  who wrote it
//! ```

/// What every value begins with.
const MAGIC: [u8; 2] = [0xb7, 2];
/// The kind of what remembers that a key was removed.
const TOMBSTONE: u8 = 15;

/// What is known of a value that is there.
pub(super) struct ValueHead {
    /// When it was known.
    pub(super) known: f64,
    pub(super) version: f64,
    /// Whether it remembers that the key was removed.
    pub(super) removed: bool,
}

impl ValueHead {
    /// The head of a value; `None` if it is none of ours.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(f64::from_be_bytes(*value.get(at..)?.first_chunk()?));
        if value.get(..2)? != MAGIC {
            return None;
        }
        Some(Self { known: number(3)?, version: number(19)?, removed: value[2] == TOMBSTONE })
    }
}

/// What remembers that a key was removed at a moment, by whom; with the version that it had.
pub(super) fn tombstone(moment: u64, version: f64, by: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.push(TOMBSTONE);
    for number in [moment as f64, 0.0, version] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&[0; 28]);
    out.extend_from_slice(by);
}

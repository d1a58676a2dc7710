//! Values as callers hand them over, and get them.

use super::bytes::copy_short;

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

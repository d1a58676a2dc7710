//! Many byte values in one answer.

use super::fail::Fail;
use super::value::{Js, Val};
use std::ptr;

/// Byte values of one answer, one after the other, each behind its length of 32 bits.
#[derive(Default)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    /// Adds a value.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Puts them into the array as one ArrayBuffer, if there are any.
    pub fn append_to<'s>(&self, js: Js<'s>, array: Val<'s>, at: usize) -> Result<(), Fail> {
        if self.0.is_empty() {
            return Ok(());
        }
        let (buffer, to) = js.array_buffer(self.0.len())?;
        // SAFETY: the buffer was just made with this length, and nothing else knows it.
        unsafe { ptr::copy_nonoverlapping(self.0.as_ptr(), to, self.0.len()) };
        js.put_at(array, at, buffer)
    }
}

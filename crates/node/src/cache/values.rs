//! Values, in and out: text, numbers and bytes in the encoding that V8 wants back.

use super::shared::Description;
use crate::env::Env;
use crate::js::format::{self, is_bytes};
use crate::js::{Fail, Js, Text, TextBuf, Val};
use breakwater_engine::Value;
use std::mem::MaybeUninit;

/// The codec's encoding may be a string.
pub const ACCEPT_TEXT: u8 = 1;
/// The codec's encoding may be a number.
pub const ACCEPT_NUMBER: u8 = 2;
/// The codec's encoding may be a Buffer or Uint8Array.
pub const ACCEPT_BYTES: u8 = 4;
/// The codec's bytes begin with a tag; [`raw_bytes`] knows which stand for bytes as they are.
pub const TAGGED: u8 = 8;

/// The bytes that a user stored, of what the codec made of them; `None` if it stored another thing.
/// src/codec/any.ts knows the tags as well: 0 of a Buffer, 1 of a Uint8Array.
pub fn raw_bytes<'a>(value: Value<'a>, description: &Description) -> Option<&'a [u8]> {
    if !is_bytes(value.format) || value.format >> 4 != description.codec_id {
        return None;
    }
    match value.bytes {
        bytes if description.accepts & TAGGED == 0 => Some(bytes),
        [0 | 1, bytes @ ..] => Some(bytes),
        _ => None,
    }
}

/// Room for a value on its way in.
pub struct ValueBuf {
    text: TextBuf<1024>,
    number: [u8; 8],
}

impl ValueBuf {
    /// Room for a value; none of it is touched before it is needed.
    #[inline]
    pub fn new() -> Self {
        Self { text: TextBuf::new(), number: [0; 8] }
    }

    /// Reads what a codec encoded. The result is stored before any JavaScript runs.
    #[inline]
    pub fn read(
        &mut self,
        js: Js<'_>,
        value: Val<'_>,
        description: &Description,
    ) -> Result<Value<'_>, Fail> {
        let codec = description.codec_id << 4;
        let accepts = |kind| description.accepts & kind != 0;
        if accepts(ACCEPT_TEXT) {
            match self.text.read(js, value, usize::MAX) {
                Text::OneByte(bytes) => {
                    return Ok(Value { format: codec | format::ONE_BYTE, bytes });
                }
                Text::TwoByte(bytes) => {
                    return Ok(Value { format: codec | format::TWO_BYTE, bytes });
                }
                Text::TooLong(_) | Text::Other => {}
            }
        }
        if accepts(ACCEPT_NUMBER)
            && let Some(n) = js.to_number(value)
        {
            self.number = n.to_ne_bytes();
            return Ok(Value { format: codec | format::NUMBER, bytes: &self.number });
        }
        if accepts(ACCEPT_BYTES) {
            // SAFETY: as this function's documentation demands, no JavaScript runs before the
            // engine has copied the bytes.
            if let Some(bytes) = unsafe { js.to_bytes(value) } {
                return Ok(Value { format: codec | format::BYTES, bytes });
            }
        }
        Err(Fail::value_type(&description.codec, js.type_name(value)))
    }

    /// Reads a negative of a kind that [`format::negative_kind`] names; `text` is an error's.
    pub fn read_negative(
        &mut self,
        js: Js<'_>,
        kind: u8,
        text: Val<'_>,
        description: &Description,
    ) -> Result<Value<'_>, Fail> {
        let codec = description.codec_id << 4;
        match kind {
            format::UNDEFINED | format::NULL => Ok(Value { format: codec | kind, bytes: &[] }),
            format::ERROR => match self.text.read(js, text, usize::MAX) {
                Text::OneByte(bytes) => Ok(Value { format: codec | format::ERROR, bytes }),
                Text::TwoByte(bytes) => Ok(Value { format: codec | format::TWO_BYTE_ERROR, bytes }),
                Text::TooLong(_) | Text::Other => Err(Fail::argument()),
            },
            _ => Err(Fail::argument()),
        }
    }
}

/// Bytes of a value that leave without allocating.
const INLINE: usize = 1024;

/// A value on its way out: copied while the entry is pinned, made a JavaScript value after that.
pub struct Copied {
    format: u8,
    len: usize,
    small: [MaybeUninit<u64>; INLINE / 8],
    large: Vec<u8>,
}

impl Copied {
    /// Room for a value; none of it is touched before it is needed.
    #[inline]
    pub fn new() -> Self {
        Self {
            format: 0,
            len: 0,
            small: [const { MaybeUninit::uninit() }; INLINE / 8],
            large: Vec::new(),
        }
    }

    /// Copies a value. Bytes go straight to where the facade takes them.
    #[inline(always)]
    pub fn copy(&mut self, value: Value<'_>, env: &Env) {
        self.format = value.format;
        self.len = value.bytes.len();
        if is_bytes(value.format) {
            env.leave(value.bytes);
        } else if self.len <= INLINE {
            let to = self.small.as_mut_ptr().cast();
            // SAFETY: there is room for INLINE bytes, which do not overlap with the entry's.
            unsafe { std::ptr::copy_nonoverlapping(value.bytes.as_ptr(), to, self.len) };
        } else {
            self.large = value.bytes.to_vec();
        }
    }

    /// The value for the facade: `true` for bytes that were left. Fails if another codec wrote it.
    #[inline(always)]
    pub fn to_js<'s>(&self, js: Js<'s>, description: &Description) -> Result<Val<'s>, Fail> {
        if self.format >> 4 != description.codec_id {
            return Err(Fail::codec());
        }
        if is_bytes(self.format) {
            return js.boolean(true);
        }
        let bytes = if self.len <= INLINE {
            // SAFETY: `copy` wrote `len` bytes.
            unsafe { std::slice::from_raw_parts(self.small.as_ptr().cast(), self.len) }
        } else {
            &self.large
        };
        format::to_js(js, self.format, bytes)
    }
}

//! Values, in and out: text, numbers and bytes in the encoding that V8 wants back.
//!
//! A value's format is its representation in the low half and its codec's number in the high half.

use crate::env::Env;
use crate::fail::Fail;
use crate::js::{Js, Val};
use crate::keys::to_number;
use crate::registry::Description;
use crate::text::{Text, TextBuf, to_units};
use breakwater_engine::Value;
use std::mem::MaybeUninit;

/// The codec's encoding may be a string.
pub const ACCEPT_TEXT: u8 = 1;
/// The codec's encoding may be a number.
pub const ACCEPT_NUMBER: u8 = 2;
/// The codec's encoding may be a Buffer or Uint8Array.
pub const ACCEPT_BYTES: u8 = 4;

/// A string, one byte a unit.
const ONE_BYTE: u8 = 0;
/// A string, two bytes (native order) a unit.
const TWO_BYTE: u8 = 1;
/// The eight bytes (native order) of a double.
const NUMBER: u8 = 2;
/// Bytes as they are.
const BYTES: u8 = 3;

/// Not values, but the knowledge that there is none: no other read than `look` meets them.
pub const UNDEFINED: u8 = 4;
/// The same of `null`.
pub const NULL: u8 = 5;
/// The text of the error that loading ended with, one byte a unit.
pub const ERROR: u8 = 6;
/// The same, two bytes a unit.
const TWO_BYTE_ERROR: u8 = 7;

/// The representation, without the codec's number.
#[inline]
fn representation(format: u8) -> u8 {
    format & 0xf
}

/// Whether a value of this format is bytes, which leave by [`Env::leave`] and not as a value.
#[inline]
pub fn is_bytes(format: u8) -> bool {
    representation(format) == BYTES
}

/// What the knowledge that there is no value is to JavaScript: 4 `undefined`, 5 `null`, 6 an error.
pub fn negative_kind(format: u8) -> u8 {
    representation(format).min(ERROR)
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
                Text::OneByte(bytes) => return Ok(Value { format: codec | ONE_BYTE, bytes }),
                Text::TwoByte(bytes) => return Ok(Value { format: codec | TWO_BYTE, bytes }),
                Text::TooLong(_) | Text::Other => {}
            }
        }
        if accepts(ACCEPT_NUMBER)
            && let Some(n) = js.to_number(value)
        {
            self.number = n.to_ne_bytes();
            return Ok(Value { format: codec | NUMBER, bytes: &self.number });
        }
        if accepts(ACCEPT_BYTES) {
            // SAFETY: as this function's documentation demands, no JavaScript runs before the
            // engine has copied the bytes.
            if let Some(bytes) = unsafe { js.to_bytes(value) } {
                return Ok(Value { format: codec | BYTES, bytes });
            }
        }
        Err(Fail::value_type(&description.codec, js.type_name(value)))
    }

    /// Reads a negative of a kind that [`negative_kind`] names; `text` is an error's.
    pub fn read_negative(
        &mut self,
        js: Js<'_>,
        kind: u8,
        text: Val<'_>,
        description: &Description,
    ) -> Result<Value<'_>, Fail> {
        let codec = description.codec_id << 4;
        match kind {
            UNDEFINED | NULL => Ok(Value { format: codec | kind, bytes: &[] }),
            ERROR => match self.text.read(js, text, usize::MAX) {
                Text::OneByte(bytes) => Ok(Value { format: codec | ERROR, bytes }),
                Text::TwoByte(bytes) => Ok(Value { format: codec | TWO_BYTE_ERROR, bytes }),
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

    /// The value for the facade: for bytes, how many were left. Fails if another codec wrote it.
    #[inline(always)]
    pub fn to_js<'s>(&self, js: Js<'s>, description: &Description) -> Result<Val<'s>, Fail> {
        if self.format >> 4 != description.codec_id {
            return Err(Fail::codec());
        }
        if is_bytes(self.format) {
            return js.number(self.len as f64);
        }
        let bytes = if self.len <= INLINE {
            // SAFETY: `copy` wrote `len` bytes.
            unsafe { std::slice::from_raw_parts(self.small.as_ptr().cast(), self.len) }
        } else {
            &self.large
        };
        to_js(js, self.format, bytes)
    }
}

/// The value as the codec encoded it.
#[inline]
pub fn to_js<'s>(js: Js<'s>, format: u8, bytes: &[u8]) -> Result<Val<'s>, Fail> {
    match representation(format) {
        ONE_BYTE | ERROR => js.one_byte(bytes),
        TWO_BYTE | TWO_BYTE_ERROR => js.two_byte(&to_units(bytes)),
        NUMBER => js.number(to_number(bytes)),
        UNDEFINED | NULL => js.undefined(),
        _ => js.buffer(bytes),
    }
}

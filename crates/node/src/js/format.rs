//! What a value's format says: its representation in the low half, its codec's number in the high
//! half.

use super::fail::Fail;
use super::keys::to_number;
use super::text::to_units;
use super::value::{Js, Val};

/// A string, one byte a unit.
pub const ONE_BYTE: u8 = 0;
/// A string, two bytes (native order) a unit.
pub const TWO_BYTE: u8 = 1;
/// The eight bytes (native order) of a double.
pub const NUMBER: u8 = 2;
/// Bytes as they are.
pub const BYTES: u8 = 3;

// 8 to 15 are free for more kinds of values.

/// Not values, but the knowledge that there is none: no other read than `look` meets them.
pub const UNDEFINED: u8 = 4;
/// The same of `null`.
pub const NULL: u8 = 5;
/// The text of the error that loading ended with, one byte a unit.
pub const ERROR: u8 = 6;
/// The same, two bytes a unit.
pub const TWO_BYTE_ERROR: u8 = 7;

/// The representation, without the codec's number.
#[inline]
pub fn representation(format: u8) -> u8 {
    format & 0xf
}

/// Whether a value of this format is bytes, which leave by `Env::leave` and not as a value.
#[inline]
pub fn is_bytes(format: u8) -> bool {
    representation(format) == BYTES
}

/// What the knowledge that there is no value is to JavaScript: 4 `undefined`, 5 `null`, 6 an error.
pub fn negative_kind(format: u8) -> u8 {
    representation(format).min(ERROR)
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

//! Keys, in and out: strings, numbers and bytes, kept apart by kind.

use super::fail::Fail;
use super::text::{Text, TextBuf, to_units};
use super::value::{Js, Val};
use breakwater_engine::{Key, KeyKind, MAX_KEY_LEN};

/// Room for one key.
pub struct KeyBuf {
    text: TextBuf<256>,
    other: Vec<u8>,
}

impl KeyBuf {
    /// Room for a key; none of it is touched before it is needed.
    #[inline]
    pub fn new() -> Self {
        Self { text: TextBuf::new(), other: Vec::new() }
    }

    /// Reads a key. Inlined, since the key would go through memory otherwise.
    #[inline(always)]
    pub fn read(&mut self, js: Js<'_>, value: Val<'_>) -> Result<Key<'_>, Fail> {
        match self.text.read(js, value, MAX_KEY_LEN) {
            Text::OneByte(bytes) => Ok(Key { kind: KeyKind::OneByte, bytes }),
            Text::TwoByte(bytes) => checked(KeyKind::TwoByte, bytes),
            Text::TooLong(len) => Err(Fail::key_too_long(len)),
            Text::Other => read_other(&mut self.other, js, value),
        }
    }
}

#[inline(never)]
fn read_other<'b>(out: &'b mut Vec<u8>, js: Js<'_>, value: Val<'_>) -> Result<Key<'b>, Fail> {
    if let Some(n) = js.to_number(value) {
        // One zero and one NaN, as in a Map.
        let n = match n {
            0.0 => 0.0,
            n if n.is_nan() => f64::NAN,
            n => n,
        };
        out.extend_from_slice(&n.to_ne_bytes());
        return Ok(Key { kind: KeyKind::Number, bytes: out });
    }
    // SAFETY: the bytes are copied at once.
    let bytes = unsafe { js.to_bytes(value) }.ok_or_else(|| Fail::key_type(js.type_name(value)))?;
    checked(KeyKind::Bytes, bytes)?;
    // A copy, since bytes that are shared could change between hashing and comparing.
    out.extend_from_slice(bytes);
    Ok(Key { kind: KeyKind::Bytes, bytes: out })
}

#[inline]
fn checked(kind: KeyKind, bytes: &[u8]) -> Result<Key<'_>, Fail> {
    if bytes.len() <= MAX_KEY_LEN {
        Ok(Key { kind, bytes })
    } else {
        Err(Fail::key_too_long(bytes.len()))
    }
}

/// The key as JavaScript gave it.
pub fn to_js<'s>(js: Js<'s>, kind: KeyKind, bytes: &[u8]) -> Result<Val<'s>, Fail> {
    match kind {
        KeyKind::OneByte => js.one_byte(bytes),
        KeyKind::TwoByte => js.two_byte(&to_units(bytes)),
        KeyKind::Number => js.number(to_number(bytes)),
        KeyKind::Bytes => js.buffer(bytes),
    }
}

/// The number that eight bytes spell; NaN for any other count.
#[inline]
pub fn to_number(bytes: &[u8]) -> f64 {
    bytes.try_into().map_or(f64::NAN, f64::from_ne_bytes)
}

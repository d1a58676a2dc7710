//! Strings in and out, losslessly: one byte a UTF-16 unit where that suffices, else two.
//!
//! UTF-16 is the only lossless reading: Latin-1 truncates units and UTF-8 merges lone surrogates,
//! and both would make different keys equal.

use crate::js::{Js, Val};
use napi_sys as sys;
use std::mem::MaybeUninit;
use std::ptr;

/// Room for a string: up to `N - 2` units are read without allocating.
pub struct TextBuf<const N: usize> {
    units: [MaybeUninit<u16>; N],
    bytes: [MaybeUninit<u8>; N],
    long_units: Vec<u16>,
    long_bytes: Vec<u8>,
}

/// What a [`TextBuf`] found.
pub enum Text<'b> {
    /// A string all of whose units are below 0x100, one byte each.
    OneByte(&'b [u8]),
    /// Any other string, two bytes (native order) a unit.
    TwoByte(&'b [u8]),
    /// A string of more than `max` units.
    TooLong(usize),
    /// Something else.
    Other,
}

impl<const N: usize> TextBuf<N> {
    /// Room for a string; none of it is touched before it is needed.
    #[inline]
    pub fn new() -> Self {
        Self {
            units: [const { MaybeUninit::uninit() }; N],
            bytes: [const { MaybeUninit::uninit() }; N],
            long_units: Vec::new(),
            long_bytes: Vec::new(),
        }
    }

    /// Reads a string of at most `max` units.
    #[inline(always)]
    pub fn read(&mut self, js: Js<'_>, value: Val<'_>, max: usize) -> Text<'_> {
        let mut len = 0;
        let at: *mut u16 = self.units.as_mut_ptr().cast();
        // SAFETY: the value belongs to an open scope; the buffer has room for N - 1 units and the
        // zero after them. Node-API writes nothing if the value is no string.
        let status =
            unsafe { sys::napi_get_value_string_utf16(js.raw(), value.raw(), at, N, &mut len) };
        if status != sys::Status::napi_ok {
            return Text::Other;
        }
        // A full buffer may mean that there is more.
        if len >= N - 1 {
            return self.read_long(js, value, max);
        }
        // SAFETY: Node-API wrote `len` units.
        let units = unsafe { std::slice::from_raw_parts(at.cast_const(), len) };
        if narrow(units, &mut self.bytes[..len]) {
            // SAFETY: `narrow` wrote `len` bytes.
            Text::OneByte(unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), len) })
        } else {
            Text::TwoByte(as_bytes(units))
        }
    }

    #[cold]
    fn read_long(&mut self, js: Js<'_>, value: Val<'_>, max: usize) -> Text<'_> {
        let mut len = 0;
        // SAFETY: the value is a string of an open scope; no buffer asks for the length alone.
        unsafe {
            let at = ptr::null_mut();
            sys::napi_get_value_string_utf16(js.raw(), value.raw(), at, 0, &mut len)
        };
        if len > max {
            return Text::TooLong(len);
        }
        self.long_units.reserve_exact(len + 1);
        let at = self.long_units.as_mut_ptr();
        // SAFETY: there is room for `len` units and the zero after them; `len` becomes the count
        // of those that were written.
        unsafe {
            sys::napi_get_value_string_utf16(js.raw(), value.raw(), at, len + 1, &mut len);
            self.long_units.set_len(len);
        }
        self.long_bytes.reserve_exact(len);
        if narrow(&self.long_units, &mut self.long_bytes.spare_capacity_mut()[..len]) {
            // SAFETY: `narrow` wrote `len` bytes.
            unsafe { self.long_bytes.set_len(len) };
            Text::OneByte(&self.long_bytes)
        } else {
            Text::TwoByte(as_bytes(&self.long_units))
        }
    }
}

/// Writes each unit's low byte to `out`; whether no unit had a high one. Has no branch, so that
/// the compiler makes vectors of it.
#[inline]
fn narrow(units: &[u16], out: &mut [MaybeUninit<u8>]) -> bool {
    let mut seen = 0;
    for (unit, byte) in units.iter().zip(out) {
        seen |= unit;
        byte.write(*unit as u8);
    }
    seen < 0x100
}

/// The units' bytes, in native order.
#[inline]
fn as_bytes(units: &[u16]) -> &[u8] {
    // SAFETY: any unit is two bytes, and bytes need no alignment.
    unsafe { std::slice::from_raw_parts(units.as_ptr().cast(), units.len() * 2) }
}

/// The units that `as_bytes` spelled.
pub fn to_units(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])).collect()
}

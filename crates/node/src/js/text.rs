//! Strings in and out, losslessly: one byte a UTF-16 unit where that suffices, else two.
//!
//! UTF-16 is the only lossless reading: Latin-1 truncates units and UTF-8 merges lone surrogates,
//! and both would make different keys equal.

use super::value::{Js, Val};
use napi_sys as sys;
use std::mem::MaybeUninit;
use std::ptr;
use step::Units;

/// Units that [`narrow`] takes in one step.
const LANES: usize = 8;

/// Room for a string: up to `N - LANES - 2` units are read without allocating.
pub struct TextBuf<const N: usize> {
    units: [MaybeUninit<u16>; N],
    bytes: [MaybeUninit<u8>; N],
    long: Option<Box<Long>>,
}

/// A string that did not fit.
#[derive(Default)]
struct Long {
    units: Vec<u16>,
    bytes: Vec<u8>,
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
    #[inline(always)]
    pub fn new() -> Self {
        Self {
            units: [const { MaybeUninit::uninit() }; N],
            bytes: [const { MaybeUninit::uninit() }; N],
            long: None,
        }
    }

    /// Reads a string of at most `max` units.
    #[inline(always)]
    pub fn read(&mut self, js: Js<'_>, value: Val<'_>, max: usize) -> Text<'_> {
        let mut len = 0;
        let room = N - LANES;
        let at: *mut u16 = self.units.as_mut_ptr().cast();
        // SAFETY: the value belongs to an open scope; the buffer has room for room - 1 units and
        // the zero after them. Node-API writes nothing if the value is no string.
        let status =
            unsafe { sys::napi_get_value_string_utf16(js.raw(), value.raw(), at, room, &mut len) };
        if status != sys::Status::napi_ok {
            return Text::Other;
        }
        // A full buffer may mean that there is more.
        if len >= room - 1 {
            return self.read_long(js, value, max);
        }
        self.units[len..len + LANES].fill(MaybeUninit::new(0));
        let steps = len.div_ceil(LANES);
        // SAFETY: Node-API wrote `len` units, and zeroes follow up to a whole step. `narrow` writes
        // as many bytes as it reads units, for which there is room.
        let one_byte = unsafe { narrow(at, self.bytes.as_mut_ptr().cast(), steps) };
        if one_byte {
            // SAFETY: `narrow` wrote at least `len` bytes.
            Text::OneByte(unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), len) })
        } else {
            // SAFETY: Node-API wrote `len` units.
            Text::TwoByte(as_bytes(unsafe { std::slice::from_raw_parts(at, len) }))
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
        let Long { units, bytes } = &mut **self.long.insert(Box::default());
        let steps = len.div_ceil(LANES);
        units.reserve_exact(steps * LANES + 1);
        bytes.reserve_exact(steps * LANES);
        // SAFETY: there is room for `len` units and the zero after them, and for whole steps;
        // `len` becomes the count of those that were written.
        let one_byte = unsafe {
            let at = units.as_mut_ptr();
            sys::napi_get_value_string_utf16(js.raw(), value.raw(), at, len + 1, &mut len);
            at.add(len).write_bytes(0, steps * LANES - len);
            units.set_len(len);
            narrow(at, bytes.as_mut_ptr(), len.div_ceil(LANES))
        };
        if one_byte {
            // SAFETY: `narrow` wrote at least `len` bytes.
            unsafe { bytes.set_len(len) };
            Text::OneByte(bytes)
        } else {
            Text::TwoByte(as_bytes(units))
        }
    }
}

/// Writes the low byte of each of `steps * LANES` units; whether no unit had a high one. A step is
/// of a fixed size, so that the compiler makes a vector of it and needs no code for the rest.
///
/// # Safety
/// So many units can be read, and so many bytes written.
#[inline(always)]
unsafe fn narrow(units: *const u16, bytes: *mut u8, steps: usize) -> bool {
    let mut seen = Units::default();
    for step in 0..steps {
        // SAFETY: as the caller promises.
        unsafe {
            let taken = Units::read(units.add(step * LANES));
            seen = seen.or(taken);
            bytes.add(step * LANES).cast::<u64>().write_unaligned(taken.low_bytes());
        }
    }
    seen.are_bytes()
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

/// One step of units: a vector where the compiler does not find the right instruction by itself.
#[cfg(target_arch = "x86_64")]
mod step {
    use super::LANES;
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi16, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
        _mm_packus_epi16, _mm_setzero_si128, _mm_srli_epi16,
    };
    use std::mem::transmute;

    #[derive(Clone, Copy)]
    pub struct Units(__m128i);

    impl Default for Units {
        fn default() -> Self {
            // SAFETY: SSE2 is part of x86-64, here and below.
            Self(unsafe { _mm_setzero_si128() })
        }
    }

    impl Units {
        /// # Safety
        /// So many units can be read.
        #[inline(always)]
        pub unsafe fn read(at: *const u16) -> Self {
            const { assert!(size_of::<__m128i>() == LANES * size_of::<u16>()) };
            // SAFETY: as the caller promises; any alignment will do.
            Self(unsafe { _mm_loadu_si128(at.cast()) })
        }

        #[inline(always)]
        pub fn or(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm_or_si128(self.0, other.0) })
        }

        /// The low bytes, if no unit has a high one.
        #[inline(always)]
        pub fn low_bytes(self) -> u64 {
            // SAFETY: see above; a vector is two words.
            let [low, _]: [u64; 2] = unsafe { transmute(_mm_packus_epi16(self.0, self.0)) };
            low
        }

        #[inline(always)]
        pub fn are_bytes(self) -> bool {
            // SAFETY: see above.
            unsafe {
                let high = _mm_srli_epi16::<8>(self.0);
                _mm_movemask_epi8(_mm_cmpeq_epi16(high, _mm_setzero_si128())) == 0xFFFF
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod step {
    use super::LANES;

    #[derive(Clone, Copy, Default)]
    pub struct Units([u16; LANES]);

    impl Units {
        /// # Safety
        /// So many units can be read.
        #[inline(always)]
        pub unsafe fn read(at: *const u16) -> Self {
            // SAFETY: as the caller promises.
            Self(unsafe { at.cast::<[u16; LANES]>().read_unaligned() })
        }

        #[inline(always)]
        pub fn or(self, other: Self) -> Self {
            Self(std::array::from_fn(|lane| self.0[lane] | other.0[lane]))
        }

        /// The low bytes, if no unit has a high one.
        #[inline(always)]
        pub fn low_bytes(self) -> u64 {
            u64::from_ne_bytes(self.0.map(|unit| unit as u8))
        }

        #[inline(always)]
        pub fn are_bytes(self) -> bool {
            self.0.iter().fold(0, |all, unit| all | unit) < 0x100
        }
    }
}

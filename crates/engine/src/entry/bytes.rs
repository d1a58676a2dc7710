//! Few bytes, copied and compared without a call.

use std::ptr;

/// Copies bytes, without a call where there are up to 64 of them.
///
/// # Safety
/// `to` may be written for as many bytes, and is no part of `from`.
#[inline]
pub(super) unsafe fn copy_short(from: &[u8], to: *mut u8) {
    const BLOCK: usize = size_of::<u128>();
    const WORD: usize = size_of::<u64>();
    let (len, from) = (from.len(), from.as_ptr());
    // SAFETY: by contract; no part ends behind the last byte.
    unsafe {
        // From both ends, in parts that overlap where they must.
        if len > 4 * BLOCK {
            ptr::copy_nonoverlapping(from, to, len);
        } else if len >= BLOCK {
            copy_part::<BLOCK>(from, to, 0);
            if len > 2 * BLOCK {
                copy_part::<BLOCK>(from, to, BLOCK);
                copy_part::<BLOCK>(from, to, len - 2 * BLOCK);
            }
            copy_part::<BLOCK>(from, to, len - BLOCK);
        } else if len >= WORD {
            copy_part::<WORD>(from, to, 0);
            copy_part::<WORD>(from, to, len - WORD);
        } else {
            (0..len).for_each(|at| *to.add(at) = *from.add(at));
        }
    }
}

/// Copies `N` bytes at this place, so few that it takes no call.
///
/// # Safety
/// They may be read there, and written, and do not overlap.
#[inline(always)]
unsafe fn copy_part<const N: usize>(from: *const u8, to: *mut u8, at: usize) {
    // SAFETY: by contract.
    unsafe { ptr::copy_nonoverlapping(from.add(at), to.add(at), N) };
}

/// Whether two keys are equal: most are short, and a call of `memcmp` costs more than they do.
#[inline(always)]
pub(super) fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    const WORD: usize = size_of::<u64>();
    let len = a.len();
    if len != b.len() {
        return false;
    }
    // Words from both ends, which overlap where they must.
    let word =
        |bytes: &[u8], at: usize| bytes[at..at + WORD].try_into().map_or(0, u64::from_ne_bytes);
    let differs = |at: usize| word(a, at) ^ word(b, at);
    let pair = |at: usize| differs(at) | differs(len - WORD - at);
    match len {
        0..WORD => a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0,
        WORD..=16 => pair(0) == 0,
        17..=32 => pair(0) | pair(WORD) == 0,
        33..=64 => pair(0) | pair(WORD) | pair(2 * WORD) | pair(3 * WORD) == 0,
        _ => a == b,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::entry::Value;

    #[test]
    fn values_of_all_lengths_are_copied_whole() {
        let bytes: Vec<u8> = (1..=100).collect();
        for len in 0..=100 {
            let mut to = [0; 101];
            Value::bytes(&bytes[..len]).copy_to(&mut to);
            assert_eq!((&to[..len], &to[len..]), (&bytes[..len], &[0; 101][len..]));
        }
    }

    #[test]
    fn keys_are_equal_if_all_their_bytes_are() {
        let bytes: Vec<u8> = (0..100).collect();
        for len in 0..=100 {
            let mut other = bytes[..len].to_vec();
            assert!(same_bytes(&bytes[..len], &other), "{len}");
            for at in 0..len {
                other[at] ^= 0x80;
                assert!(!same_bytes(&bytes[..len], &other), "{len} bytes, number {at} differs");
                other[at] ^= 0x80;
            }
            assert!(!same_bytes(&bytes[..len], &bytes[..(len + 1) % 100]), "{len}");
        }
    }
}

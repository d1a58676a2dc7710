//! Numbers as the protocol spells them.

/// The integer that `text` spells, if it is the one way to spell it: no sign but a minus, no leading
/// zero, no white space.
#[inline]
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    // Nineteen digits fit 64 bits without a sign.
    let mut value = 0u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// As [`integer`], after a plus as well, which a server may send.
pub fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'+', digits @ ..] => integer(digits).filter(|value| *value >= 0),
        text => integer(text),
    }
}

/// The number with a fraction that `text` spells, infinite ones and `nan` included.
pub fn double(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn only_the_one_spelling_of_an_integer_is_read() {
        for value in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            assert_eq!(integer(value.to_string().as_bytes()), Some(value));
        }
        for text in
            ["", "-", "-0", "01", "+1", " 1", "1 ", "1x", "9223372036854775808", "1.0", "0x1"]
        {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}

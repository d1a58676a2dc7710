//! `INCRBYFLOAT` computes in the 80-bit floats of x87 and prints 17 digits behind the point, so
//! that 0.1 + 0.2 is 0.3. The sums must not depend on the machine, hence software.

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round};

/// An 80-bit float, finite or infinite.
#[derive(Clone, Copy)]
pub(crate) struct LongDouble(X87DoubleExtended);

/// Digits behind the point that are printed before trailing zeros go.
const DIGITS: u32 = 17;
/// The longest text that is read, in bytes.
const MAX_TEXT: usize = 5 * 1024;

impl LongDouble {
    /// The number that `text` spells: decimal, hexadecimal or infinite.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() < MAX_TEXT)?;
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let value = magnitude(digits)?;
        Some(Self(if negative { -value } else { value }))
    }

    /// The sum, if it is finite.
    pub(crate) fn add(self, other: Self) -> Option<Self> {
        let sum = self.0.add_r(other.0, Round::NearestTiesToEven).value;
        sum.is_finite().then_some(Self(sum))
    }

    /// Appends a finite number, without an exponent and without trailing zeros.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let bits = self.0.to_bits();
        let mantissa = bits as u64;
        // The value is mantissa x 2^exponent; a subnormal has the exponent of the smallest normal.
        let exponent = ((bits >> 64) as i32 & 0x7fff).max(1) - 16_383 - 63;
        let start = out.len();
        if exponent >= 0 {
            write_shifted(mantissa, exponent as u32, out);
        } else {
            write_fraction(mantissa, exponent.unsigned_abs(), out);
        }
        if self.0.is_negative() && out[start..] != *b"0" {
            out.insert(start, b'-');
        }
    }
}

/// Reads a number without its sign.
fn magnitude(text: &str) -> Option<X87DoubleExtended> {
    if text.eq_ignore_ascii_case("inf") || text.eq_ignore_ascii_case("infinity") {
        return Some(X87DoubleExtended::INFINITY);
    }
    let hex = text.starts_with("0x") || text.starts_with("0X");
    // The library demands an exponent behind hexadecimal digits; C does not.
    let spelled = if hex && !text.contains(['p', 'P']) { format!("{text}p0") } else { text.into() };
    let (mantissa, exponent) = match spelled.find(if hex { ['p', 'P'] } else { ['e', 'E'] }) {
        Some(at) => spelled.split_at(at),
        None => (spelled.as_str(), ""),
    };
    let is_digit = |c: char| if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
    let digits = if hex { &mantissa[2..] } else { mantissa };
    let well_formed = digits.matches('.').count() <= 1
        && digits.chars().any(is_digit)
        && digits.chars().all(|c| c == '.' || is_digit(c));
    let sign = exponent.get(1..2).is_some_and(|sign| sign == "+" || sign == "-");
    let power = exponent.get(1 + usize::from(sign)..).unwrap_or_default();
    if !well_formed
        || (!exponent.is_empty() && power.is_empty())
        || !power.chars().all(|c| c.is_ascii_digit())
    {
        return None;
    }
    let value = X87DoubleExtended::from_str_r(&spelled, Round::NearestTiesToEven).ok()?.value;
    // Out of range both ways is refused, as strtold reports it.
    let nonzero = digits.chars().any(|c| c != '.' && c != '0');
    (value.is_finite() && (!value.is_zero() || !nonzero)).then_some(value)
}

/// Appends mantissa / 2^shift, rounded to [`DIGITS`] digits behind the point, ties to even.
fn write_fraction(mantissa: u64, shift: u32, out: &mut Vec<u8>) {
    const SCALE: u128 = 10u128.pow(DIGITS);
    let whole = mantissa.checked_shr(shift).unwrap_or(0);
    let fraction = u128::from(if shift < 64 { mantissa & ((1 << shift) - 1) } else { mantissa });
    // 64 bits times 57 bits: no overflow. Beyond 127 places the scaled fraction is below a half.
    let scaled = fraction * SCALE;
    let mut digits = scaled.checked_shr(shift).unwrap_or(0);
    if shift < 128 {
        let rest = scaled & ((1 << shift) - 1);
        let half = 1u128 << (shift - 1);
        digits += u128::from(rest > half || (rest == half && digits & 1 == 1));
    }
    let whole = u128::from(whole) + digits / SCALE;
    let text = format!("{whole}.{:017}", digits % SCALE);
    out.extend_from_slice(text.trim_end_matches('0').trim_end_matches('.').as_bytes());
}

/// Appends mantissa x 2^shift, all of its digits.
fn write_shifted(mantissa: u64, shift: u32, out: &mut Vec<u8>) {
    const BASE: u64 = 1_000_000_000;
    // Little-endian digits of base 10^9.
    let mut digits = vec![mantissa % BASE, mantissa / BASE % BASE, mantissa / BASE / BASE];
    let mut left = shift;
    while left > 0 {
        let step = left.min(32);
        let mut carry = 0;
        for digit in &mut digits {
            let value = (*digit << step) + carry;
            (*digit, carry) = (value % BASE, value / BASE);
        }
        while carry > 0 {
            digits.push(carry % BASE);
            carry /= BASE;
        }
        left -= step;
    }
    let text: String = digits.iter().rev().map(|digit| format!("{digit:09}")).collect();
    let text = text.trim_start_matches('0');
    out.extend_from_slice(if text.is_empty() { b"0" } else { text.as_bytes() });
}

#[cfg(test)]
mod tests {
    use super::LongDouble;

    fn sum(a: &str, b: &str) -> String {
        let [a, b] = [a, b].map(|text| LongDouble::parse(text.as_bytes()).unwrap());
        let mut out = vec![];
        a.add(b).unwrap().write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sums_are_those_of_80_bit_floats() {
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("10.5", "0.1"), "10.6");
        assert_eq!(sum("5.0e3", "2.0e2"), "5200");
        assert_eq!(sum("3", "1.000000000000005"), "4.000000000000005");
        assert_eq!(sum("1", "-1"), "0");
        assert_eq!(sum("-1e-30", "0"), "0");
        assert_eq!(sum("-1.5", "0"), "-1.5");
        assert_eq!(sum("0x10", "0x1p-1"), "16.5");
        assert_eq!(sum("1e25", "0"), "10000000000000000000000000");
        assert_eq!(sum("17179869184", "1.5"), "17179869185.5");
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in
            ["", " 1", "1 ", "nan", "abc", "1e", "1.2.3", "--1", "+-1", "0x", ".", "1e99999"]
        {
            assert!(LongDouble::parse(text.as_bytes()).is_none(), "{text}");
        }
        let infinite = LongDouble::parse(b"inf").unwrap();
        assert!(infinite.add(infinite).is_none());
    }
}

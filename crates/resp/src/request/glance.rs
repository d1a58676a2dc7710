//! A glance at a command that is read later: its second word, which mostly is its key.

use super::parser::short;

/// The second word of the command that `bytes` begin with, empty if it has none, and the length of the
/// command. Only of one that is all there, sent as an array of words of less than a hundred bytes; of
/// others, and of what is no command, nothing is said.
#[inline]
pub fn glance(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (words, mut at) = announced(bytes, 0, b'*')?;
    let mut second: &[u8] = &[];
    for word in 0..words {
        let (len, begin) = announced(bytes, at, b'$')?;
        if word == 1 {
            second = bytes.get(begin..begin + len)?;
        }
        at = begin + len + 2;
    }
    (at <= bytes.len()).then_some((second, at))
}

/// The number that the line at `at` has behind its mark, and where the next line begins.
#[inline]
fn announced(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let (first, rest) = bytes.get(at..)?.split_first()?;
    let (number, end) = short(rest)?;
    (*first == mark).then_some((number, at + 1 + end))
}

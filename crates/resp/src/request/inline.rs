//! Inline commands: one line of words, as somebody types them into a terminal.

use std::ops::Range;

/// The line's quotes do not pair up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// Splits `line` into words, quotes resolved: the words' bytes go to `text`, their places to
/// `words`. A NUL ends the line.
pub(super) fn split(
    line: &[u8],
    text: &mut Vec<u8>,
    words: &mut Vec<Range<usize>>,
) -> Result<(), Unbalanced> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut rest = line;
    loop {
        while let [b'\x0b' | b'\x0c' | b' ' | b'\t' | b'\r' | b'\n', tail @ ..] = rest {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let start = text.len();
        rest = word(rest, text)?;
        words.push(start..text.len());
    }
}

/// Reads one word; the bytes behind it.
fn word<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        match rest {
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(rest),
            [b'"', tail @ ..] => return closed(double_quoted(tail, text)?),
            [b'\'', tail @ ..] => return closed(single_quoted(tail, text)?),
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

/// Nothing but white space may follow a closing quote.
fn closed(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest {
        [] | [b' ' | b'\n' | b'\r' | b'\t' | b'\x0b' | b'\x0c', ..] => Ok(rest),
        _ => Err(Unbalanced),
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'"', tail @ ..] => return Ok(tail),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                text.push(hex(*high) << 4 | hex(*low));
                tail
            }
            [b'\\', byte, tail @ ..] => {
                text.push(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                text.push(*byte);
                tail
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'\'', tail @ ..] => return Ok(tail),
            [b'\\', b'\'', tail @ ..] => {
                text.push(b'\'');
                tail
            }
            [byte, tail @ ..] => {
                text.push(*byte);
                tail
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
        let (mut text, mut words) = (vec![], vec![]);
        split(line, &mut text, &mut words)?;
        Ok(words.into_iter().map(|range| text[range].to_vec()).collect())
    }

    #[test]
    fn quotes_hold_words_together() {
        let got = words(br#"  set "a b" 'c d'	"\x41\n\"" x"y z"  "#).unwrap();
        assert_eq!(got, [&b"set"[..], b"a b", b"c d", b"A\n\"", b"xy z"]);
        assert_eq!(words(br"'it\'s' '\n'").unwrap(), [&b"it's"[..], br"\n"]);
        assert_eq!(words(br#""" ''"#).unwrap(), [b"", b""]);
    }

    #[test]
    fn quotes_that_do_not_pair_up_are_refused() {
        for line in [&br#""a"#[..], b"'a", br#""a"b"#, b"'a'b", br#"a "b\""#] {
            assert_eq!(words(line), Err(Unbalanced), "{}", line.escape_ascii());
        }
    }
}

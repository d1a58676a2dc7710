//! The patterns of `KEYS` and `SCAN`: `*`, `?`, `[a-z]`, `[^a]`, and `\` before a byte as it is.

/// Whether `text` matches `pattern`; `fold` ignores the case of ASCII letters.
pub(crate) fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when what follows the last star does not match: one byte further. Earlier
    // stars need no second try, so the time is bounded by the product of the lengths.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            if rest.is_empty() {
                return true;
            }
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        match (text, pattern) {
            ([], []) => return true,
            ([byte, tail @ ..], [_, ..]) => {
                if let Some(rest) = one(pattern, *byte, fold) {
                    (pattern, text) = (rest, tail);
                    continue;
                }
            }
            _ => {}
        }
        match retry {
            Some((after, [_, tail @ ..])) => {
                retry = Some((after, tail));
                (pattern, text) = (after, tail);
            }
            _ => return false,
        }
    }
}

/// Matches one byte against the head of a pattern; the pattern behind that head.
fn one(pattern: &[u8], byte: u8, fold: bool) -> Option<&[u8]> {
    let same = |a: u8, b: u8| a == b || (fold && a.eq_ignore_ascii_case(&b));
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => class(rest, byte, fold),
        [b'\\', literal, rest @ ..] => same(*literal, byte).then_some(rest),
        [literal, rest @ ..] => same(*literal, byte).then_some(rest),
        [] => None,
    }
}

/// Matches one byte against a class, whose bracket was read; a class may lack its end.
fn class(pattern: &[u8], byte: u8, fold: bool) -> Option<&[u8]> {
    let lower = |byte: u8| if fold { byte.to_ascii_lowercase() } else { byte };
    let (wanted, mut pattern) = match pattern {
        [b'^', rest @ ..] => (false, rest),
        rest => (true, rest),
    };
    let mut found = false;
    loop {
        pattern = match pattern {
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => return (found == wanted).then_some(rest),
            [] => return (found == wanted).then_some(&[]),
            [low, b'-', high, rest @ ..] => {
                let (low, high) = (lower(*low.min(high)), lower(*low.max(high)));
                found |= (low..=high).contains(&lower(byte));
                rest
            }
            [literal, rest @ ..] => {
                found |= lower(*literal) == lower(byte);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeello", true),
            ("h*l*o", "hello", true),
            ("h*x", "hello", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hxllo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            (r"h\*llo", "h*llo", true),
            (r"h\*llo", "hxllo", false),
            (r"[\]]", "]", true),
            ("[a", "a", true),
            ("a*", "b", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("a**", "a", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), false), expected, "{pattern}");
        }
        assert!(matches(b"MAX*", b"maxmemory", true));
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let pattern = b"*a".repeat(1000);
        let text = [b"a".repeat(50_000), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &text, false));
    }
}

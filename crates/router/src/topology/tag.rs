//! Hash tags of Redis Cluster: which part of a key decides where it lives.

use memchr::memchr;

/// What is between the first `{` and the next `}`, if that is anything; else the whole key.
#[inline]
pub(crate) fn tag_of(key: &[u8]) -> &[u8] {
    let Some(open) = memchr(b'{', key) else { return key };
    let rest = &key[open + 1..];
    match memchr(b'}', rest) {
        Some(close) if close > 0 => &rest[..close],
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::tag_of;

    #[test]
    fn only_what_is_in_the_first_braces_counts() {
        for (key, tag) in [
            ("a", "a"),
            ("{a}b", "a"),
            ("x{a}b{c}", "a"),
            ("{}a", "{}a"),
            ("{a", "{a"),
            ("a}{", "a}{"),
            ("{{a}}", "{a"),
            ("}{a}", "a"),
        ] {
            assert_eq!(tag_of(key.as_bytes()), tag.as_bytes(), "{key}");
        }
    }
}

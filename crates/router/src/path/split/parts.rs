//! The parts of a request, one for each place where it has keys.

use crate::catalog::KeyWords;
use breakwater_resp::{Args, write_request};

/// What one place is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Portion<P> {
    pub(crate) place: P,
    pub(crate) request: Vec<u8>,
    /// Which of the request's keys it has, by their number.
    pub(crate) keys: Vec<usize>,
}

/// The request in parts, in the order in which their first keys stand. A key that is named twice is so
/// in its part, in the same order. `None` if the words do not come out even: the store says what is
/// wrong with them.
pub(crate) fn by_place<P: Copy + PartialEq>(
    args: Args<'_>,
    words: KeyWords,
    place: impl Fn(&[u8]) -> P,
) -> Option<Vec<Portion<P>>> {
    let end = args.len().checked_sub(words.tail).filter(|end| *end > 1)?;
    if !(end - 1).is_multiple_of(words.each) {
        return None;
    }
    let mut groups: Vec<(P, Vec<usize>)> = vec![];
    for key in 0..(end - 1) / words.each {
        let place = place(args.word(1 + key * words.each));
        match groups.iter_mut().find(|group| group.0 == place) {
            Some((_, keys)) => keys.push(key),
            None => groups.push((place, vec![key])),
        }
    }
    let portion = |(place, keys): (P, Vec<usize>)| {
        let own = |key: &usize| {
            let first = 1 + key * words.each;
            first..first + words.each
        };
        let at = std::iter::once(0).chain(keys.iter().flat_map(own)).chain(end..args.len());
        let chosen: Vec<&[u8]> = at.map(|at| args.word(at)).collect();
        let mut request = vec![];
        write_request(&mut request, &chosen);
        Portion { place, request, keys }
    };
    Some(groups.into_iter().map(portion).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakwater_resp::{Parsed, RequestParser};
    use proptest::prelude::*;

    fn parts(words: &[&str], by: KeyWords) -> Option<Vec<(usize, String, Vec<usize>)>> {
        let mut bytes = vec![];
        write_request(&mut bytes, words);
        let mut parser = RequestParser::default();
        assert!(matches!(parser.parse(&bytes, true), Parsed::Command(_)));
        let portions = by_place(parser.args(&bytes), by, |key| usize::from(key[0] % 2))?;
        let text = |bytes: &[u8]| {
            let mut parser = RequestParser::default();
            parser.parse(bytes, true);
            let words = parser.args(bytes).iter().map(String::from_utf8_lossy);
            words.collect::<Vec<_>>().join(" ")
        };
        let tell = |one: Portion<usize>| (one.place, text(&one.request), one.keys);
        Some(portions.into_iter().map(tell).collect())
    }

    #[test]
    fn each_place_is_asked_for_its_keys_with_what_belongs_to_them() {
        let of = |each, tail| KeyWords { each, tail };
        let told = |place: usize, text: &str, keys: &[usize]| (place, text.to_owned(), keys.into());
        assert_eq!(
            parts(&["MGET", "a", "b", "c", "a"], of(1, 0)).unwrap(),
            [told(1, "MGET a c a", &[0, 2, 3]), told(0, "MGET b", &[1])]
        );
        assert_eq!(
            parts(&["mset", "b", "1", "a", "2", "b", "3"], of(2, 0)).unwrap(),
            [told(0, "mset b 1 b 3", &[0, 2]), told(1, "mset a 2", &[1])]
        );
        assert_eq!(
            parts(&["JSON.MGET", "a", "b", "$"], of(1, 1)).unwrap(),
            [told(1, "JSON.MGET a $", &[0]), told(0, "JSON.MGET b $", &[1])]
        );
        assert_eq!(parts(&["mset", "a", "1", "b"], of(2, 0)), None);
        assert_eq!(parts(&["mget"], of(1, 0)), None);
    }

    proptest! {
        #[test]
        fn every_key_is_asked_for_once_and_where_it_is(
            keys in prop::collection::vec("[a-f]{1,3}", 1..40),
        ) {
            let words: Vec<_> = std::iter::once("DEL").chain(keys.iter().map(|key| &**key)).collect();
            let parts = parts(&words, KeyWords { each: 1, tail: 0 }).unwrap();
            let mut seen: Vec<_> = parts.iter().flat_map(|part| part.2.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..keys.len()).collect::<Vec<_>>());
            for (place, text, own) in parts {
                let named: Vec<_> = text.split(' ').skip(1).collect();
                let meant: Vec<_> = own.iter().map(|at| &*keys[*at]).collect();
                prop_assert!(named.iter().all(|key| usize::from(key.as_bytes()[0] % 2) == place));
                prop_assert_eq!(named, meant);
            }
        }
    }
}

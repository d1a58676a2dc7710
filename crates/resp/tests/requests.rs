//! A request that was built is parsed as it was, in whatever pieces it comes.

use breakwater_resp::{Parsed, RequestParser, Violation, glance, write_request};
use proptest::collection::vec;
use proptest::prelude::*;

/// The longest word that a parser may be told to take, at the least.
const LEAST: usize = 100;

/// All requests in bytes that come so many at a time, and what was wrong with the rest.
fn requests(bytes: &[u8], step: usize) -> (Vec<Vec<Vec<u8>>>, Option<Violation>) {
    bounded(bytes, step, usize::MAX)
}

/// The same of requests of words of so many bytes; of one with longer words, the length of the first.
fn bounded(bytes: &[u8], step: usize, most: usize) -> (Vec<Vec<Vec<u8>>>, Option<Violation>) {
    let (mut parser, mut start, mut found) = (RequestParser::default(), 0, vec![]);
    parser.bound(most);
    for end in (0..bytes.len()).step_by(step).map(|end| end + step) {
        loop {
            let rest = &bytes[start..end.min(bytes.len())];
            match parser.parse(rest, true) {
                Parsed::Partial => break,
                Parsed::Command(len) => {
                    found.push(parser.args(&rest[..len]).iter().map(<[u8]>::to_vec).collect());
                    start += len;
                }
                Parsed::Skipped(len) => {
                    start += len;
                    break;
                }
                Parsed::TooLong(len, word) => {
                    found.push(vec![word.to_string().into_bytes()]);
                    start += len;
                }
                Parsed::Invalid(violation) => return (found, Some(violation)),
            }
        }
    }
    (found, None)
}

fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..30), 1..6)
}

/// Bytes that often look like a request.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[*$]-?[0-9]{0,2}\r\n".prop_map(String::into_bytes),
        "[a-z\"' \\\\]{0,9}\r?\n".prop_map(String::into_bytes),
        words().prop_map(|words| {
            let mut out = vec![];
            write_request(&mut out, &words);
            out
        }),
        vec(any::<u8>(), 0..4),
        // What is passed over unseen.
        Just(b"*1\r-$4\r\nPING\r\n*2\r\n$3\r-GET\r\n$1\r\n\0--".to_vec()),
    ];
    vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_request_that_is_built_is_parsed_as_it_was(all in vec(words(), 1..5), step in 1usize..200) {
        let mut bytes = vec![];
        all.iter().for_each(|words| write_request(&mut bytes, words));
        prop_assert_eq!(requests(&bytes, step), (all.clone(), None));
        prop_assert_eq!(requests(&bytes, 1), (all, None));
    }

    #[test]
    fn any_bytes_are_understood_alike_in_any_pieces(bytes in noise(), step in 1usize..20) {
        let whole = requests(&bytes, bytes.len().max(1));
        prop_assert_eq!(requests(&bytes, step), whole);
    }

    #[test]
    fn a_request_of_any_spelling_is_handed_on_in_the_one_that_all_servers_read(
        bytes in noise(),
        step in 1usize..20,
    ) {
        let (mut parser, mut start) = (RequestParser::default(), 0);
        for end in (0..bytes.len()).step_by(step).map(|end| end + step) {
            while let rest = &bytes[start..end.min(bytes.len())]
                && let Parsed::Command(len) = parser.parse(rest, true)
            {
                let args = parser.args(&rest[..len]);
                if !args.is_empty() {
                    let mut plain = vec![];
                    write_request(&mut plain, &args.iter().collect::<Vec<_>>());
                    prop_assert_eq!(&*parser.spelled(&rest[..len]), plain);
                }
                start += len;
            }
        }
    }

    #[test]
    fn a_glance_sees_what_is_read(bytes in noise()) {
        if let Some((second, len)) = glance(&bytes) {
            let mut parser = RequestParser::default();
            prop_assert_eq!(parser.parse(&bytes, true), Parsed::Command(len));
            prop_assert_eq!(parser.args(&bytes[..len]).get(1).unwrap_or_default(), second);
        }
    }

    #[test]
    fn a_glance_sees_every_request_of_short_words(words in words()) {
        let mut bytes = vec![];
        write_request(&mut bytes, &words);
        let second = words.get(1).map_or(&[][..], Vec::as_slice);
        let seen = words.iter().all(|word| !word.is_empty()).then_some((second, bytes.len()));
        prop_assert!(seen.is_none() || glance(&bytes) == seen);
    }

    #[test]
    fn a_request_with_a_word_that_is_too_long_is_skipped_in_any_pieces_and_no_other(
        all in vec(vec(vec(any::<u8>(), 0..3 * LEAST), 1..6), 1..6),
        step in 1usize..400,
    ) {
        let mut bytes = vec![];
        all.iter().for_each(|words| write_request(&mut bytes, words));
        let taken = all.iter().map(|words| {
            let long = words.iter().find(|word| word.len() > LEAST);
            long.map_or(words.clone(), |word| vec![word.len().to_string().into_bytes()])
        });
        let taken: Vec<_> = taken.collect();
        prop_assert_eq!(bounded(&bytes, step, LEAST), (taken.clone(), None));
        prop_assert_eq!(bounded(&bytes, 1, LEAST), (taken, None));
    }

    #[test]
    fn inline_requests_are_bounded_as_others(lens in vec(1..3 * LEAST, 1..6), step in 1usize..400) {
        let line: Vec<_> = lens.iter().map(|len| "x".repeat(*len)).collect();
        let bytes = format!("{}\r\nPING\r\n", line.join(" ")).into_bytes();
        let long = lens.iter().find(|len| **len > LEAST);
        let first = match long {
            Some(len) => vec![len.to_string().into_bytes()],
            None => line.into_iter().map(String::into_bytes).collect(),
        };
        let all = vec![first, vec![b"PING".to_vec()]];
        prop_assert_eq!(bounded(&bytes, step, LEAST), (all, None));
    }
}

#[test]
fn what_is_skipped_is_kept_by_nobody() {
    let mut parser = RequestParser::default();
    parser.bound(LEAST);
    let head = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n";
    assert_eq!(parser.parse(head, true), Parsed::Skipped(head.len()));
    for _ in 0..10 {
        assert_eq!(parser.parse(&[b'*'; 100_000], true), Parsed::Skipped(100_000));
    }
    assert_eq!(parser.parse(b"\r", true), Parsed::Skipped(1));
    assert_eq!(parser.parse(b"\n*1", true), Parsed::TooLong(1, 1_000_000));
    assert_eq!(parser.parse(b"*1\r\n$4\r\nPING\r\n", true), Parsed::Command(14));
}

//! Bytes of a client, whole and in pieces: nothing panics, both are understood alike, and what was
//! understood is so again after it was built anew, which is how a store is told it. Run with `cargo +nightly fuzz run request` in
//! crates/resp.

#![no_main]

use breakwater_resp::{Parsed, RequestParser, Violation, write_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The first byte chooses where the bytes are cut and whether the client has authenticated.
    let [choice, bytes @ ..] = data else { return };
    let authenticated = choice & 1 == 0;
    let whole = requests(bytes, bytes.len().max(1), authenticated);
    let pieces = requests(bytes, usize::from(*choice >> 1).max(1), authenticated);
    assert_eq!(whole, pieces);
    let (words, _) = whole;
    let mut built = vec![];
    words.iter().for_each(|words| write_request(&mut built, words));
    assert_eq!(requests(&built, built.len().max(1), true), (words, None));
});

fn requests(
    bytes: &[u8],
    step: usize,
    authenticated: bool,
) -> (Vec<Vec<Vec<u8>>>, Option<Violation>) {
    let (mut parser, mut start, mut found) = (RequestParser::default(), 0, vec![]);
    // What has a word of more is told by its length.
    parser.bound(1024);
    let mut end = 0;
    while end < bytes.len() {
        end = (end + step).min(bytes.len());
        loop {
            let rest = &bytes[start..end];
            match parser.parse(rest, authenticated) {
                Parsed::Partial => break,
                Parsed::Command(len) => {
                    let words: Vec<_> = parser.args(&rest[..len]).iter().collect();
                    if !words.is_empty() {
                        let mut plain = vec![];
                        write_request(&mut plain, &words);
                        assert_eq!(*parser.spelled(&rest[..len]), plain);
                    }
                    let words = words.into_iter().map(<[u8]>::to_vec).collect();
                    found.push(words);
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

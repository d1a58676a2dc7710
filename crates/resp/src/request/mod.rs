//! Requests: what clients send.

mod args;
mod glance;
mod inline;
mod parser;
mod words;

pub use args::Args;
pub use glance::glance;
pub use parser::{Parsed, RequestParser, Violation};
pub use words::Words;

/// Appends a request of these words, the first of which is the command's name.
///
/// ```
/// let mut out = vec![];
/// breakwater_resp::write_request(&mut out, &["GET", "boat"]);
/// assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$4\r\nboat\r\n");
/// ```
pub fn write_request(out: &mut Vec<u8>, words: &[impl AsRef<[u8]>]) {
    let mut number = itoa::Buffer::new();
    let mut put = |parts: [&[u8]; 2]| {
        parts.into_iter().chain([&b"\r\n"[..]]).for_each(|part| out.extend_from_slice(part));
    };
    put([b"*", number.format(words.len()).as_bytes()]);
    for word in words {
        let word = word.as_ref();
        put([b"$", number.format(word.len()).as_bytes()]);
        put([word, b""]);
    }
}

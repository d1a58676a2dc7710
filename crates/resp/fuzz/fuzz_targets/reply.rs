//! Bytes of a server, whole and in pieces: nothing panics, both are understood alike, and what was
//! understood is so again after it was built anew. Run with `cargo +nightly fuzz run reply` in
//! crates/resp.

#![no_main]

use breakwater_resp::{Protocol, Reply, ReplyError, ReplyLimits, ReplyParser, ReplyWriter};
use libfuzzer_sys::fuzz_target;

const LIMITS: ReplyLimits = ReplyLimits { line: 256, frame: 1 << 16, depth: 12 };

fuzz_target!(|data: &[u8]| {
    // The first byte chooses where the bytes are cut.
    let [step, bytes @ ..] = data else { return };
    let whole = replies(bytes, bytes.len().max(1));
    let pieces = replies(bytes, usize::from(*step).max(1));
    assert_eq!(whole, pieces);
    for reply in whole.0 {
        let mut out = vec![];
        for protocol in [Protocol::Resp3, Protocol::Resp2] {
            out.clear();
            reply.write(&mut ReplyWriter::new(&mut out, protocol));
            let limits = ReplyLimits { line: 1 << 17, frame: 1 << 20, depth: 12 };
            let (again, len) = Reply::parse(&out, limits).unwrap().unwrap();
            assert_eq!(len, out.len());
            // Built again it is the same: nothing is lost on the second way.
            let mut twice = vec![];
            again.write(&mut ReplyWriter::new(&mut twice, protocol));
            assert_eq!(out, twice);
        }
    }
});

fn replies(bytes: &[u8], step: usize) -> (Vec<Reply<'_>>, Option<ReplyError>) {
    let (mut parser, mut start, mut found) = (ReplyParser::new(LIMITS), 0, vec![]);
    let mut end = 0;
    while end < bytes.len() {
        end = (end + step).min(bytes.len());
        loop {
            match parser.parse(&bytes[start..end]) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    let pushes = parser.pushes();
                    assert!(pushes.iter().all(|push| push.end < frame.len));
                    found.push(Reply::decode(&bytes[start..start + frame.len]).unwrap());
                    start += frame.len;
                }
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

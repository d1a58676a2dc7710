//! Bytes of a server to a connection that has asked for something: nothing panics, each request ends
//! once, memory is bounded. Run with `cargo +nightly fuzz run upstream` in crates/router.

#![no_main]

use breakwater_resp::{Kind, ReplyLimits, ReplyParser};
use breakwater_router::{Lost, Phase, Sink, Upstream, UpstreamOptions};
use libfuzzer_sys::fuzz_target;

/// How often each request ended.
struct Ends([u32; 8]);

impl Sink for Ends {
    fn connect(&mut self, _: u64) {}
    fn close(&mut self, _: u64) {}
    fn reply(&mut self, token: u64, kind: Kind, bytes: &[u8]) {
        self.0[token as usize] += 1;
        // What is handed on is one whole reply, and pushes are not in it.
        let mut parser = ReplyParser::default();
        let frame = parser.parse(bytes).unwrap().unwrap();
        assert_eq!((frame.len, frame.kind), (bytes.len(), kind));
        assert!(parser.pushes().is_empty());
    }
    fn lost(&mut self, token: u64, _: Lost) {
        self.0[token as usize] += 1;
    }
    fn push(&mut self, _: &[u8]) {}
    fn ready(&mut self) {}
    fn down(&mut self, _: Option<&[u8]>) {}
}

fuzz_target!(|data: &[u8]| {
    // The first byte chooses where the bytes are cut.
    let [step, bytes @ ..] = data else { return };
    let limits = ReplyLimits { line: 256, frame: 1 << 12, depth: 12 };
    let options = UpstreamOptions { limits, ..UpstreamOptions::default() };
    let (mut upstream, mut ends) = (Upstream::new(options, 1), Ends([0; 8]));
    upstream.wake(0, &mut ends);
    upstream.opened(1, 0, &mut ends);
    upstream.received(1, b"%0\r\n+PONG\r\n", 0, &mut ends);
    assert_eq!(upstream.phase(), Phase::Ready);
    for token in 0..8 {
        upstream.send(token, b"PING\r\n", 0).unwrap();
    }
    for piece in bytes.chunks(usize::from(*step).max(1)) {
        upstream.received(1, piece, 0, &mut ends);
    }
    upstream.end(0, &mut ends);
    assert_eq!(ends.0, [1; 8]);
});

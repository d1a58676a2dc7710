//! Bytes of a stranger, whole and in pieces: nothing panics, both are answered alike, memory is
//! bounded. Run with `cargo +nightly fuzz run session` in crates/router.

#![no_main]

use breakwater_engine::{Cache, Clock, Config};
use breakwater_router::{Limits, Next, Options, Output, Peer, Router, Rules, Session, Users};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const NOW: u64 = 1_700_000_000_000;
/// Tight ones, so that they are met.
fn limits() -> Limits {
    Limits { output: 4096, input: 1 << 20, clients: 10, batch: 3, ..Limits::default() }
}

fuzz_target!(|data: &[u8]| {
    // The first byte chooses whether a password is asked for and where the bytes are cut.
    let [choice, bytes @ ..] = data else { return };
    let whole = answer(*choice, bytes, bytes.len().max(1));
    let pieces = answer(*choice, bytes, usize::from(*choice >> 1).max(1));
    if !varies(bytes) {
        assert_eq!(whole, pieces);
    }
});

/// Whether a command may be in it whose reply depends on chance or on how the bytes were cut.
fn varies(bytes: &[u8]) -> bool {
    let bytes = bytes.to_ascii_lowercase();
    [&b"info"[..], b"list", b"randomkey", b"scan"]
        .iter()
        .any(|word| bytes.windows(word.len()).any(|window| window == *word))
}

fn answer(choice: u8, bytes: &[u8], step: usize) -> (Vec<u8>, bool) {
    let cache = Cache::new(Config {
        max_bytes: Some(1 << 20),
        shards: Some(1),
        clock: Clock::manual(),
        ..Config::default()
    });
    let users = if choice & 1 == 0 { Users::open() } else { Users::with_password(b"p") };
    let options = Options { rules: Rules { users, limits: limits(), ..Rules::default() }, ..Options::default() };
    let router = Arc::new(Router::new(Arc::new(cache.unwrap()), options, NOW));
    let mut session = Session::open(&router, Peer::default(), NOW).unwrap();
    let mut replies = vec![];
    for piece in bytes.chunks(step) {
        if feed(&mut session, piece, &mut replies) == Next::Close {
            return (replies, true);
        }
        assert!(session.buffered() <= bytes.len());
    }
    (replies, false)
}

/// Feeds a piece until nothing waits.
fn feed(session: &mut Session, piece: &[u8], replies: &mut Vec<u8>) -> Next {
    let mut output = Output::default();
    let mut next = session.feed(piece, NOW, &mut output);
    while next == Next::Resume {
        replies.append(&mut output.bytes);
        next = session.feed(b"", NOW, &mut output);
    }
    replies.append(&mut output.bytes);
    next
}

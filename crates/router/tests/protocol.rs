//! Bytes in any pieces: what is understood, what is refused, what is bounded.

mod support;

use breakwater_engine::Config;
use breakwater_router::{Limits, Next, Options, Rules, Users};
use proptest::prelude::*;
use support::{Node, command};

fn refused(bytes: &[u8]) -> String {
    let node = Node::open();
    let (reply, next) = node.connect().feed(bytes);
    assert_eq!(next, Next::Close, "{}", bytes[..bytes.len().min(40)].escape_ascii());
    String::from_utf8(reply).unwrap()
}

#[test]
fn what_breaks_the_protocol_is_refused_in_the_words_of_redis() {
    for (bytes, words) in [
        (&b"*x\r\n"[..], "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\nx\r\n", "expected '$', got 'x'"),
        (b"*1\r\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$a\r\n", "invalid bulk length"),
        (b"set a \"b\r\n", "unbalanced quotes in request"),
        (&[b'a'; 70_000], "too big inline request"),
        (&[b"*".to_vec(), vec![b'1'; 70_000]].concat(), "too big mbulk count string"),
        (&[b"*1\r\n$".to_vec(), vec![b'1'; 70_000]].concat(), "too big bulk count string"),
    ] {
        assert_eq!(refused(bytes), format!("-ERR Protocol error: {words}\r\n"));
    }
}

#[test]
fn commands_before_the_fault_are_answered_and_none_after_it() {
    let node = Node::open();
    let (reply, next) = node.connect().feed(b"PING\r\n*1\r\nx\r\nPING\r\n");
    assert_eq!(reply, b"+PONG\r\n-ERR Protocol error: expected '$', got 'x'\r\n");
    assert_eq!(next, Next::Close);
}

#[test]
fn a_stranger_may_send_little() {
    let users = Users::with_password(b"secret");
    let node = Node::new(
        Config::default(),
        Options { rules: Rules { users, ..Rules::default() }, ..Options::default() },
    );
    for (bytes, words) in [
        (&b"*11\r\n"[..], "unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
    ] {
        let (reply, next) = node.connect().feed(bytes);
        assert_eq!(reply, format!("-ERR Protocol error: {words}\r\n").as_bytes());
        assert_eq!(next, Next::Close);
    }
    // The same chunk may hold the password and then more than a stranger may send.
    let mut friend = node.connect();
    let large = vec![b'x'; 20_000];
    let bytes = [b"AUTH secret\r\n".to_vec(), command(&[b"SET", b"k", &large])].concat();
    assert_eq!(friend.feed(&bytes).0, b"+OK\r\n+OK\r\n");
}

#[test]
fn an_announced_length_reserves_nothing() {
    let node = Node::open();
    let mut client = node.connect();
    let (reply, next) = client.feed(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc");
    assert_eq!((reply.len(), next), (0, Next::Read));
    assert!(client.session.buffered() < 100);
}

#[test]
fn an_unfinished_command_is_bounded() {
    let limits = Limits { input: 10_000, ..Limits::default() };
    let node = Node::new(
        Config::default(),
        Options { rules: Rules { limits, ..Rules::default() }, ..Options::default() },
    );
    let mut client = node.connect();
    client.feed(b"*2\r\n$4\r\nECHO\r\n$9000000\r\n");
    let mut fed = 0;
    let (reply, next) = loop {
        let (reply, next) = client.feed(&[b'x'; 1000]);
        fed += 1000;
        if next != Next::Read {
            break (reply, next);
        }
        assert!(client.session.buffered() <= 10_000);
    };
    assert!(fed <= 10_000);
    assert_eq!(reply, b"-ERR Protocol error: too much unprocessed input\r\n");
    assert_eq!((next, client.session.buffered()), (Next::Close, 0));
}

#[test]
fn replies_that_nobody_takes_stop_the_commands_behind_them() {
    let limits = Limits { output: 1000, ..Limits::default() };
    let node = Node::new(
        Config::default(),
        Options { rules: Rules { limits, ..Rules::default() }, ..Options::default() },
    );
    let mut client = node.connect();
    client.feed(&command(&[b"SET", b"k", &[b'x'; 400]]));
    let (mut reply, mut next) = client.feed(&b"GET k\r\n".repeat(100));
    assert!(reply.len() < 2000);
    let mut batches = 1;
    while next == Next::Resume {
        let more = client.feed(b"");
        assert!(more.0.len() < 2000);
        reply.extend(more.0);
        next = more.1;
        batches += 1;
    }
    assert_eq!((next, client.session.buffered()), (Next::Read, 0));
    assert_eq!(reply.len(), 100 * (b"$400\r\n\r\n".len() + 400));
    assert!(batches > 10);
}

#[test]
fn a_post_of_a_browser_gets_nothing() {
    let node = Node::open();
    let (reply, next) = node.connect().feed(b"POST / HTTP/1.1\r\nSET k v\r\n\r\n");
    assert_eq!((reply, next), (vec![], Next::Close));
    assert_eq!(node.connect().send("GET k"), "$-1\r\n");
}

/// Words of commands, most of them good ones.
fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let key = prop::sample::select(vec![&b"a"[..], b"b", b"c"]);
    let value = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        key.clone().prop_map(|key| vec![b"GET".to_vec(), key.to_vec()]),
        (key.clone(), value.clone()).prop_map(|(key, value)| vec![
            b"SET".to_vec(),
            key.to_vec(),
            value
        ]),
        (key, value).prop_map(|(key, value)| vec![b"APPEND".to_vec(), key.to_vec(), value]),
        Just(vec![b"DBSIZE".to_vec()]),
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => words().prop_map(|words| command(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())),
        1 => "(GET|SET|PING|ECHO) [a-c ]{0,5}[\"']?[a-c ]{0,3}[\"']?\r?\n".prop_map(String::into_bytes),
        1 => Just(b"\r\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..30),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_replies(
        bytes in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let whole = {
            let node = Node::open();
            node.connect().feed(&bytes)
        };
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let node = Node::open();
        let mut client = node.connect();
        let (mut replies, mut next) = (vec![], Next::Read);
        for pair in places.windows(2) {
            let (reply, then) = client.feed(&bytes[pair[0]..pair[1]]);
            replies.extend(reply);
            next = then;
            if next == Next::Close {
                break;
            }
        }
        prop_assert_eq!(replies, whole.0);
        prop_assert_eq!(next, whole.1);
    }

    #[test]
    fn bytes_alone_never_break_anything(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let node = Node::open();
        node.connect().feed(&bytes);
    }
}

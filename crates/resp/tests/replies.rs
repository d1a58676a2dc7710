//! What was built is parsed as it was, in whatever pieces it comes; what is no reply is refused.

use breakwater_resp::{
    Frame, Kind, Protocol, Reply, ReplyError, ReplyLimits, ReplyParser, ReplyWriter,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn build(reply: &Reply<'_>, protocol: Protocol) -> Vec<u8> {
    let mut out = vec![];
    reply.write(&mut ReplyWriter::new(&mut out, protocol));
    out
}

fn parse(bytes: &[u8]) -> Result<Option<(Reply<'_>, usize)>, ReplyError> {
    Reply::parse(bytes, ReplyLimits::default())
}

fn parsed(bytes: &[u8]) -> Reply<'_> {
    let (reply, len) = parse(bytes).unwrap().unwrap();
    assert_eq!(len, bytes.len());
    reply
}

/// Bytes that live as long as a test.
fn leak(bytes: Vec<u8>) -> &'static [u8] {
    bytes.leak()
}

fn line() -> impl Strategy<Value = &'static [u8]> {
    let byte = any::<u8>().prop_filter("no line break", |byte| !b"\r\n".contains(byte));
    vec(byte, 0..20).prop_map(leak)
}

fn blob() -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), 0..40).prop_map(leak)
}

fn leaf() -> impl Strategy<Value = Reply<'static>> {
    prop_oneof![
        line().prop_map(Reply::Simple),
        line().prop_map(Reply::Error),
        any::<i64>().prop_map(Reply::Integer),
        blob().prop_map(|bytes| Reply::Bulk(bytes.into())),
        Just(Reply::Null),
        any::<bool>().prop_map(Reply::Boolean),
        any::<f64>().prop_map(|value| Reply::Double(leak(value.to_string().into()))),
        "-?[0-9]{1,40}".prop_map(|digits| Reply::BigNumber(leak(digits.into()))),
        blob().prop_map(Reply::BulkError),
        (any::<[u8; 3]>(), blob()).prop_map(|(format, text)| Reply::Verbatim(format, text)),
    ]
}

/// Anything but a push.
fn answer() -> impl Strategy<Value = Reply<'static>> {
    leaf().prop_recursive(5, 40, 6, |inner| {
        let pairs = || vec((inner.clone(), inner.clone()), 0..4);
        let plain = inner
            .clone()
            .prop_filter("one attribute", |reply| !matches!(reply, Reply::Attributed(..)));
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Reply::Array),
            vec(inner.clone(), 0..6).prop_map(Reply::Set),
            pairs().prop_map(Reply::Map),
            (vec((inner.clone(), inner.clone()), 1..3), plain)
                .prop_map(|(pairs, reply)| Reply::Attributed(pairs, reply.into())),
        ]
    })
}

fn any_reply() -> impl Strategy<Value = Reply<'static>> {
    prop_oneof![9 => answer(), 1 => vec(answer(), 1..4).prop_map(Reply::Push)]
}

fn kind(reply: &Reply<'_>) -> Kind {
    match reply {
        Reply::Simple(_) => Kind::Simple,
        Reply::Error(_) => Kind::Error,
        Reply::Integer(_) => Kind::Integer,
        Reply::Bulk(_) => Kind::Bulk,
        Reply::Null | Reply::NullArray => Kind::Null,
        Reply::Boolean(_) => Kind::Boolean,
        Reply::Double(_) => Kind::Double,
        Reply::BigNumber(_) => Kind::BigNumber,
        Reply::BulkError(_) => Kind::BulkError,
        Reply::Verbatim(..) => Kind::Verbatim,
        Reply::Array(_) => Kind::Array,
        Reply::Map(_) => Kind::Map,
        Reply::Set(_) => Kind::Set,
        Reply::Push(_) => Kind::Push,
        Reply::Attributed(_, reply) => kind(reply),
    }
}

/// What is left of a reply in RESP2.
fn in_resp2(reply: &Reply<'static>) -> Reply<'static> {
    let all = |all: &[Reply<'static>]| all.iter().map(in_resp2).collect();
    match reply {
        Reply::Boolean(value) => Reply::Integer((*value).into()),
        Reply::Double(text) | Reply::BigNumber(text) | Reply::Verbatim(_, text) => {
            Reply::Bulk((*text).into())
        }
        Reply::BulkError(text) => {
            let clean = text.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte });
            Reply::Error(leak(clean.collect()))
        }
        Reply::Array(replies) | Reply::Set(replies) | Reply::Push(replies) => {
            Reply::Array(all(replies))
        }
        Reply::Map(pairs) => {
            let flat = pairs.iter().flat_map(|(key, value)| [in_resp2(key), in_resp2(value)]);
            Reply::Array(flat.collect())
        }
        Reply::Attributed(_, reply) => in_resp2(reply),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn a_reply_that_is_built_is_parsed_as_it_was(reply in any_reply()) {
        let bytes = build(&reply, Protocol::Resp3);
        prop_assert_eq!(parsed(&bytes), reply);
    }

    #[test]
    fn resp2_gets_of_each_reply_what_it_has_a_type_for(reply in any_reply()) {
        let bytes = build(&reply, Protocol::Resp2);
        prop_assert_eq!(parsed(&bytes), in_resp2(&reply));
    }

    #[test]
    fn the_end_is_found_at_the_last_byte_wherever_the_pieces_end(
        replies in vec(any_reply(), 1..4),
        cuts in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let ends: Vec<_> = replies.iter().map(|reply| build(reply, Protocol::Resp3)).collect();
        let all = ends.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(all.len())).collect();
        cuts.extend([0, all.len()]);
        cuts.sort_unstable();
        // Byte by byte, in pieces, and at once.
        for steps in [(0..=all.len()).collect(), cuts, vec![all.len()]] {
            let (mut parser, mut start, mut found) = (ReplyParser::default(), 0, vec![]);
            for end in steps {
                while let Some(frame) = parser.parse(&all[start..end]).unwrap() {
                    start += frame.len;
                    found.push(frame);
                }
            }
            let expected = replies.iter().zip(&ends);
            let expected = expected.map(|(reply, bytes)| Frame {
                len: bytes.len(),
                kind: kind(reply),
            });
            prop_assert_eq!(&found, &expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_bytes_are_understood_alike_in_any_pieces(bytes in noise()) {
        let limits = ReplyLimits { line: 64, frame: 4096, depth: 5 };
        let whole = frames(&bytes, bytes.len().max(1), limits);
        for step in 1..4 {
            prop_assert_eq!(&frames(&bytes, step, limits), &whole);
        }
        let mut rest = &bytes[..];
        for frame in whole.0 {
            let reply = Reply::decode(&rest[..frame.len]).unwrap();
            prop_assert_eq!(kind(&reply), frame.kind);
            rest = &rest[frame.len..];
        }
    }
}

/// Bytes that often look like a reply.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "=[4-8]\r\n[a-z]{2,4}:?[a-z]{0,4}\r\n".prop_map(String::into_bytes),
        "[-+:$!=*%~>|;.,#_(][-?]?[0-9]{0,2}\r\n".prop_map(String::into_bytes),
        "[-+:$!=*%~>|;.,#_(]".prop_map(String::into_bytes),
        "(-?[0-9]{1,2}|[?tf]|-1|txt:a)\r\n".prop_map(String::into_bytes),
        any_reply().prop_map(|reply| build(&reply, Protocol::Resp3)),
        vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The frames in bytes that come so many at a time, and the error that ended them.
fn frames(bytes: &[u8], step: usize, limits: ReplyLimits) -> (Vec<Frame>, Option<ReplyError>) {
    let (mut parser, mut start, mut found) = (ReplyParser::new(limits), 0, vec![]);
    for end in (0..bytes.len()).step_by(step).map(|end| end + step).chain([bytes.len()]) {
        loop {
            match parser.parse(&bytes[start..end.min(bytes.len())]) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    start += frame.len;
                    found.push(frame);
                }
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

#[test]
fn what_redis_sends_is_read_as_it_is_meant() {
    let bulk = |text: &'static str| Reply::Bulk(text.as_bytes().into());
    for (bytes, expected) in [
        (&b"+OK\r\n"[..], Reply::Simple(b"OK")),
        (b"-MOVED 7 h:1\r\n", Reply::Error(b"MOVED 7 h:1")),
        (b":-42\r\n", Reply::Integer(-42)),
        (b":+42\r\n", Reply::Integer(42)),
        (b"$0\r\n\r\n", bulk("")),
        (b"$4\r\na\r\nb\r\n", bulk("a\r\nb")),
        (b"$-1\r\n", Reply::Null),
        (b"*-1\r\n", Reply::NullArray),
        (b"_\r\n", Reply::Null),
        (b"*0\r\n", Reply::Array(vec![])),
        (b"#f\r\n", Reply::Boolean(false)),
        (b",-inf\r\n", Reply::Double(b"-inf")),
        (b",nan\r\n", Reply::Double(b"nan")),
        (b",1.5e10\r\n", Reply::Double(b"1.5e10")),
        (b"(-12345678901234567890\r\n", Reply::BigNumber(b"-12345678901234567890")),
        (b"!5\r\nERR x\r\n", Reply::BulkError(b"ERR x")),
        (b"=7\r\nmkd:# a\r\n", Reply::Verbatim(*b"mkd", b"# a")),
        (
            b"%1\r\n+a\r\n*1\r\n:1\r\n",
            Reply::Map(vec![(Reply::Simple(b"a"), Reply::Array(vec![Reply::Integer(1)]))]),
        ),
        (
            b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
            Reply::Push(vec![bulk("invalidate"), Reply::Array(vec![bulk("k")])]),
        ),
        // Streamed: a string, an array, a map.
        (b"$?\r\n;2\r\nab\r\n;1\r\nc\r\n;0\r\n", bulk("abc")),
        (
            b"*?\r\n:1\r\n*?\r\n.\r\n.\r\n",
            Reply::Array(vec![Reply::Integer(1), Reply::Array(vec![])]),
        ),
        (b"%?\r\n+a\r\n:1\r\n.\r\n", Reply::Map(vec![(Reply::Simple(b"a"), Reply::Integer(1))])),
        // Attributes, without and within another reply.
        (
            b"|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n",
            Reply::Attributed(vec![(Reply::Simple(b"ttl"), Reply::Integer(9))], bulk("v").into()),
        ),
        (
            b"*2\r\n:1\r\n|1\r\n+a\r\n*1\r\n:2\r\n:3\r\n",
            Reply::Array(vec![
                Reply::Integer(1),
                Reply::Attributed(
                    vec![(Reply::Simple(b"a"), Reply::Array(vec![Reply::Integer(2)]))],
                    Reply::Integer(3).into(),
                ),
            ]),
        ),
        (b"|0\r\n:1\r\n", Reply::Integer(1)),
    ] {
        assert_eq!(parsed(bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_push_within_a_push_goes_with_it() {
    let inner = b">1\r\n+inner\r\n";
    let outer = [b">2\r\n+outer\r\n", &inner[..], b"+end\r\n"].concat();
    let bytes = [b"*2\r\n:1\r\n", &outer[..], inner, b":2\r\n"].concat();
    let mut parser = ReplyParser::default();
    assert_eq!(parser.parse(&bytes), Ok(Some(Frame { len: bytes.len(), kind: Kind::Array })));
    let pushes: Vec<_> = parser.pushes().iter().map(|range| &bytes[range.clone()]).collect();
    assert_eq!(pushes, [&outer[..], inner]);
}

#[test]
fn a_push_within_a_reply_is_no_part_of_it() {
    let push = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nb\r\n";
    let bytes = [b"*2\r\n$1\r\na\r\n", &push[..], b"|1\r\n:1\r\n:2\r\n", push, b"$-1\r\n"].concat();
    let mut parser = ReplyParser::default();
    let frame = parser.parse(&bytes).unwrap().unwrap();
    assert_eq!(frame, Frame { len: bytes.len(), kind: Kind::Array });
    let pushes: Vec<_> = parser.pushes().iter().map(|range| &bytes[range.clone()]).collect();
    assert_eq!(pushes, [push, push]);
    let attributed =
        Reply::Attributed(vec![(Reply::Integer(1), Reply::Integer(2))], Reply::Null.into());
    assert_eq!(parsed(&bytes), Reply::Array(vec![Reply::Bulk(b"a"[..].into()), attributed]));
    // The next reply has none.
    parser.parse(b"+OK\r\n").unwrap();
    assert!(parser.pushes().is_empty());
}

#[test]
fn what_is_no_reply_is_refused() {
    let deep = b"*1\r\n".repeat(65);
    let long = [b"+".to_vec(), vec![b'x'; 1 << 21]].concat();
    for (bytes, expected) in [
        (&b"x"[..], None),
        (b"x\r\n", Some(ReplyError::Kind(b'x'))),
        (b"\r\n", Some(ReplyError::Kind(b'\r'))),
        (b"+OK\rx", Some(ReplyError::Line(b'+'))),
        (b":x\r\n", Some(ReplyError::Line(b':'))),
        (b":9223372036854775808\r\n", Some(ReplyError::Line(b':'))),
        (b":+-1\r\n", Some(ReplyError::Line(b':'))),
        (b"#x\r\n", Some(ReplyError::Line(b'#'))),
        (b"_x\r\n", Some(ReplyError::Line(b'_'))),
        (b",x\r\n", Some(ReplyError::Line(b','))),
        (b"(-\r\n", Some(ReplyError::Line(b'('))),
        (b"$-2\r\n", Some(ReplyError::Line(b'$'))),
        (b"!-1\r\n", Some(ReplyError::Line(b'!'))),
        (b"=3\r\nabc\r\n", Some(ReplyError::Line(b'='))),
        (b"=5\r\nabcde\r\n", Some(ReplyError::Line(b'='))),
        (b"$1\r\nabc", Some(ReplyError::End)),
        (b"%-1\r\n", Some(ReplyError::Line(b'%'))),
        (b">0\r\n", Some(ReplyError::Line(b'>'))),
        (b">?\r\n", Some(ReplyError::Line(b'>'))),
        (b"|-1\r\n", Some(ReplyError::Line(b'|'))),
        (b".\r\n", Some(ReplyError::Kind(b'.'))),
        (b";1\r\n", Some(ReplyError::Kind(b';'))),
        (b"$?\r\n:1\r\n", Some(ReplyError::Kind(b':'))),
        (b"%?\r\n:1\r\n.\r\n", Some(ReplyError::Kind(b'.'))),
        (b"*?\r\n|1\r\n:1\r\n:1\r\n.\r\n", Some(ReplyError::Kind(b'.'))),
        (b"*?\r\n|0\r\n.\r\n", Some(ReplyError::Kind(b'.'))),
        (b"*?\r\n|0\r\n>1\r\n:1\r\n.\r\n", Some(ReplyError::Kind(b'.'))),
        (b"$1099511627776\r\n", Some(ReplyError::Large)),
        (b"*9223372036854775807\r\n", Some(ReplyError::Large)),
        (b"%9223372036854775807\r\n", Some(ReplyError::Large)),
        (&deep, Some(ReplyError::Deep)),
        (&long, Some(ReplyError::LongLine)),
    ] {
        let shown = bytes[..bytes.len().min(40)].escape_ascii();
        match expected {
            Some(error) => assert_eq!(parse(bytes), Err(error), "{shown}"),
            None => assert_eq!(parse(bytes), Ok(None), "{shown}"),
        }
    }
}

#[test]
fn a_reply_of_many_parts_is_bounded_as_a_whole() {
    let limits = ReplyLimits { frame: 100, ..ReplyLimits::default() };
    let bytes = [b"*30\r\n".to_vec(), b"$2\r\nab\r\n".repeat(30)].concat();
    assert_eq!(ReplyParser::new(limits).parse(&bytes), Err(ReplyError::Large));
    assert_eq!(ReplyParser::new(limits).parse(b"$95\r\n"), Err(ReplyError::Large));
    assert_eq!(ReplyParser::new(limits).parse(b"$93\r\n"), Ok(None));
}

#[test]
fn an_error_is_known_by_its_first_word() {
    assert_eq!(parsed(b"-MOVED 7 h:1\r\n").error_code(), Some(&b"MOVED"[..]));
    assert_eq!(parsed(b"!9\r\nLOADING x\r\n").error_code(), Some(&b"LOADING"[..]));
    assert_eq!(parsed(b"+OK\r\n").error_code(), None);
}

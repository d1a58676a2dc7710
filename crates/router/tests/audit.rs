//! What is noted of refusals and of orders: who, what and why, and never a value or a secret.

mod fronting;
mod support;

use breakwater_engine::Config;
use breakwater_router::{
    AuditKeys, Options, Output, Peer, Permissions, Quota, RefusalReason, Relay, Rules, Session,
    User, Users,
};
use std::num::NonZeroU64;
use support::{Node, START};

fn rules(keys: AuditKeys) -> Rules {
    let one = NonZeroU64::new(1);
    let ada = User::by_rules("ada", ">sesame ~a:* +@all -@dangerous").unwrap();
    let chief = User::new("chief", Some(b"of all"), Permissions::all());
    let slow = User::new("slow", Some(b"molasses"), Permissions::all()).limited(Quota {
        requests: one,
        connections: Some(1),
        ..Quota::default()
    });
    Rules { users: Users::new(vec![ada, chief, slow]), audit: Some(keys), ..Rules::default() }
}

fn node(keys: AuditKeys) -> Node {
    Node::new(Config::default(), Options { rules: rules(keys), ..Options::default() })
}

/// The lines, without what is the same in all.
fn lines(node: &Node) -> Vec<String> {
    let told = r#""time":1700000000000,"#;
    let place = r#""address":"10.0.0.1:5000","#;
    let lines = node.router.take_audit(START).into_iter();
    lines
        .map(|line| {
            assert!(serde_json::from_str::<serde_json::Value>(&line).unwrap().is_object());
            line.replace(told, "").replace(&format!(r#","time":{START}"#), "").replace(place, "")
        })
        .collect()
}

#[test]
fn a_refusal_tells_who_was_refused_what_and_why() {
    let node = node(AuditKeys::Shown);
    let mut client = node.connect();
    client.send("GET a:1");
    client.send("AUTH ada wrong");
    client.send("AUTH nobody sesame");
    client.send("AUTH sesame");
    client.send("HELLO 3 AUTH chief sesame");
    client.send("AUTH ada sesame");
    client.send("GET b:1");
    client.send("MSET a:1 value b:2 value");
    client.send("CONFIG GET maxmemory");
    client.send("sesame ada");
    let id = client.session.id();
    let got = lines(&node);
    let expected = [
        r#""command":"get","event":"refused","keys":["a:1"],"reason":"unauthenticated","user":null"#,
        r#""command":"auth","event":"refused","reason":"password","user":"ada""#,
        r#""command":"auth","event":"refused","reason":"password","user":null"#,
        r#""command":"auth","event":"refused","reason":"password","user":null"#,
        r#""command":"hello","event":"refused","reason":"password","user":"chief""#,
        r#""command":"get","event":"refused","keys":["b:1"],"reason":"permission","user":"ada""#,
        r#""command":"mset","event":"refused","keys":["a:1","b:2"],"reason":"permission","user":"ada""#,
        r#""command":"config|get","event":"refused","reason":"permission","user":"ada""#,
    ];
    let expected: Vec<_> =
        expected.iter().map(|rest| format!(r#"{{"client":{id},{rest}}}"#)).collect();
    assert_eq!(got, expected);
    assert!(lines(&node).is_empty());
}

#[test]
fn a_limit_that_is_reached_is_noted_as_well() {
    let node = node(AuditKeys::Shown);
    let (mut client, mut other) = (node.connect(), node.connect());
    client.send("AUTH slow molasses");
    client.send("GET a");
    client.send("GET a");
    other.send("AUTH slow molasses");
    let got = lines(&node);
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[0].contains(r#""keys":["a"],"reason":"requests","user":"slow""#), "{got:?}");
    assert!(got[1].contains(r#""command":"auth","event":"refused","reason":"connections""#));
}

#[test]
fn orders_are_noted_by_the_node_and_in_front_of_a_store_once_each() {
    let node = node(AuditKeys::Shown);
    let mut client = node.connect();
    client.send("AUTH chief of");
    lines(&node);
    let mut output = Output::default();
    client.session.feed(&support::command(&[b"AUTH", b"chief", b"of all"]), START, &mut output);
    client.send("CLIENT LIST");
    client.send("FLUSHALL");
    client.send("SET a:1 value");
    client.send("GET a:1");
    let got = lines(&node);
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[0].contains(r#""command":"client|list","event":"admin","user":"chief""#));
    assert!(got[1].contains(r#""command":"flushall","event":"admin","user":"chief""#));

    let router = fronting::router(Config::default(), rules(AuditKeys::Shown), START, 0);
    let mut relay = Relay::new(&router).unwrap();
    relay.wake(1);
    let mut session = Session::open(&router, Peer::default(), START).unwrap();
    let requests: [&[&[u8]]; 4] = [
        &[b"AUTH", b"chief", b"of all"],
        &[b"CLIENT", b"LIST"],
        &[b"CONFIG", b"SET", b"requirepass", b"hunter2"],
        &[b"SET", b"a:1", b"value"],
    ];
    for words in requests {
        session.feed_through(&support::command(words), START, &mut output, Some(&mut relay));
        session.feed_through(b"", START, &mut output, Some(&mut relay));
    }
    let got = router.take_audit(START);
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[0].contains(r#""command":"client|list","event":"admin""#), "{got:?}");
    assert!(got[1].contains(r#""command":"config|set","event":"admin""#), "{got:?}");
    assert!(!got.concat().contains("hunter2"));
}

#[test]
fn names_of_keys_are_bounded_and_escaped_hashed_or_left_out() {
    let long = [b"k".repeat(100_000), b"\"\r\n\xff{}".to_vec()].concat();
    let odd: &[u8] = b"b:\"\r\n\xff\x00";
    for keys in [AuditKeys::Shown, AuditKeys::Hashed, AuditKeys::Omitted] {
        let node = node(keys);
        let mut client = node.connect();
        client.send("AUTH ada sesame");
        client.feed(&support::command(&[b"GET", &long]));
        client.feed(&support::command(&[b"GET", odd]));
        let many: Vec<&[u8]> = [&b"DEL"[..]].into_iter().chain([odd; 100]).collect();
        client.feed(&support::command(&many));
        let got = node.router.take_audit(START);
        assert_eq!(got.len(), 3);
        for line in &got {
            assert!(line.len() < 2_000 && !line.contains(['\r', '\n', '\0']), "{line}");
            let names = serde_json::from_str::<serde_json::Value>(line).unwrap()["keys"].clone();
            match (keys, names.as_array()) {
                (AuditKeys::Omitted, names) => assert!(names.is_none()),
                (AuditKeys::Shown, Some(names)) => assert!((1..=8).contains(&names.len())),
                (AuditKeys::Hashed, Some(names)) => {
                    assert!(names.iter().all(|name| name.as_str().unwrap().len() == 16));
                }
                (_, None) => panic!("{line}"),
            }
        }
    }
}

#[test]
fn a_flood_of_refusals_is_cut_short_counted_and_takes_no_room_of_orders() {
    let node = node(AuditKeys::Shown);
    let mut client = node.connect();
    for _ in 0..50 {
        client.send(&"GET a\r\n".repeat(200));
    }
    let mut chief = node.connect();
    chief.feed(&support::command(&[b"AUTH", b"chief", b"of all"]));
    chief.send("CLIENT LIST");
    let got = lines(&node);
    assert_eq!(got.len(), 1_002);
    assert!(got[1_000].contains("client|list"));
    assert_eq!(got[1_001], r#"{"count":9000,"event":"dropped"}"#);
    assert_eq!(node.router.refusals()[RefusalReason::Unauthenticated as usize], 10_000);
}

#[test]
fn nothing_is_noted_that_nobody_asked_for() {
    let rules = Rules { audit: None, ..rules(AuditKeys::Shown) };
    let node = Node::new(Config::default(), Options { rules, ..Options::default() });
    node.connect().send("GET a\r\nCLIENT LIST");
    assert!(lines(&node).is_empty());
    assert_eq!(Node::open().connect().send("CLIENT ID"), ":1\r\n");
    assert!(node.router.take_audit(START).is_empty());
}

//! Clients and the store behind them: who may do what, who sees whom, when keys end.

mod support;

use breakwater_engine::Config;
use breakwater_engine::Policy;
use breakwater_router::{
    Limits, Next, Options, Output, Peer, Permissions, Rules, Session, User, Users,
};
use support::{Node, START, command};

#[test]
fn a_key_lives_up_to_and_including_its_last_millisecond() {
    let node = Node::open();
    let mut client = node.connect();
    client.send("SET k v PX 100");
    assert_eq!(client.send("PTTL k"), ":100\r\n");
    assert_eq!(client.send("PEXPIRETIME k"), format!(":{}\r\n", START + 100));
    node.clock.advance(100);
    assert_eq!(client.send("GET k"), "$1\r\nv\r\n");
    assert_eq!(client.send("PTTL k"), ":0\r\n");
    node.clock.advance(1);
    assert_eq!(client.send("GET k"), "$-1\r\n");
    assert_eq!(client.send("PTTL k"), ":-2\r\n");
}

#[test]
fn a_wall_clock_that_is_set_anew_shortens_no_life() {
    let node = Node::open();
    let mut client = node.connect();
    client.send("SET k v EX 100");
    let mut output = Output::default();
    // An hour back, as a correction of the system's time does it.
    client.session.feed(b"TTL k\r\n", START - 3_600_000, &mut output);
    assert_eq!(output.bytes, b":100\r\n");
}

#[test]
fn a_stranger_gets_no_further_than_authentication() {
    let users = Users::with_password(b"secret");
    let node = Node::new(
        Config::default(),
        Options { rules: Rules { users, ..Rules::default() }, ..Options::default() },
    );
    let mut client = node.connect();
    assert_eq!(client.send("GET k"), "-NOAUTH Authentication required.\r\n");
    assert!(client.send("HELLO 3").starts_with("-NOAUTH HELLO must be called"));
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    assert_eq!(client.send("AUTH wrong"), wrong);
    assert_eq!(client.send("AUTH nobody secret"), wrong);
    assert!(client.send("HELLO 3 AUTH default secret SETNAME me").starts_with("%7\r\n"));
    assert_eq!(client.send("GET k"), "_\r\n");
    assert_eq!(client.send("RESET"), "+RESET\r\n");
    assert_eq!(client.send("GET k"), "-NOAUTH Authentication required.\r\n");
}

#[test]
fn a_user_does_what_it_is_permitted() {
    let users = Users::new(vec![
        User::new("reader", Some(b"r"), Permissions::READ),
        User::new("writer", Some(b"w"), Permissions::READ | Permissions::WRITE),
        User::new("chief", Some(b"c"), Permissions::all()),
    ]);
    let node = Node::new(
        Config::default(),
        Options { rules: Rules { users, ..Rules::default() }, ..Options::default() },
    );
    let mut client = node.connect();
    let denied =
        |name| format!("-NOPERM this user has no permissions to run the '{name}' command\r\n");
    assert_eq!(client.send("AUTH reader r"), "+OK\r\n");
    assert_eq!(client.send("GET k"), "$-1\r\n");
    assert_eq!(client.send("SET k v"), denied("set"));
    assert_eq!(client.send("CLIENT LIST"), denied("client|list"));
    assert_eq!(client.send("CLIENT ID"), ":1\r\n");
    assert_eq!(client.send("AUTH writer w"), "+OK\r\n");
    assert_eq!(client.send("SET k v"), "+OK\r\n");
    assert_eq!(client.send("FLUSHALL"), denied("flushall"));
    assert_eq!(client.send("AUTH chief c"), "+OK\r\n");
    assert_eq!(client.send("FLUSHALL"), "+OK\r\n");
}

#[test]
fn a_killed_client_runs_nothing_more() {
    let node = Node::open();
    let (mut killer, mut victim) = (node.connect(), node.connect());
    victim.send("CLIENT SETNAME victim");
    let mut output = Output::default();
    killer.session.feed(b"CLIENT KILL ID 2\r\n", node.now(), &mut output);
    assert_eq!((output.bytes, output.kills), (b":1\r\n".to_vec(), vec![2]));
    assert_eq!(victim.feed(b"SET k v\r\n"), (vec![], Next::Close));
    assert_eq!(killer.send("GET k"), "$-1\r\n");
    drop(victim);
    assert!(!killer.send("CLIENT LIST").contains("victim"));
    // One that ends itself gets its reply first.
    let (reply, next) = killer.feed(b"CLIENT KILL ID 1 SKIPME no\r\n");
    assert_eq!((reply, next), (b":1\r\n".to_vec(), Next::Close));
}

#[test]
fn clients_beyond_the_limit_are_turned_away() {
    let limits = Limits { clients: 1, ..Limits::default() };
    let node = Node::new(
        Config::default(),
        Options { rules: Rules { limits, ..Rules::default() }, ..Options::default() },
    );
    let first = node.connect();
    let refusal = Session::open(&node.router, Peer::default(), START).err();
    assert_eq!(refusal.as_deref(), Some(&b"-ERR max number of clients reached\r\n"[..]));
    drop(first);
    node.connect();
    assert_eq!(node.router.counts().refused, 1);
}

#[test]
fn databases_are_apart() {
    let node = Node::open();
    let mut client = node.connect();
    client.send("MSET a 0 b 0");
    client.send("SELECT 1");
    assert_eq!(client.send("DBSIZE"), ":0\r\n");
    client.send("SET a 1");
    assert_eq!(client.send("COPY a c DB 0"), ":1\r\n");
    assert_eq!(client.send("KEYS *"), "*1\r\n$1\r\na\r\n");
    assert_eq!(client.send("FLUSHDB"), "+OK\r\n");
    client.send("SELECT 0");
    assert_eq!(client.send("DBSIZE"), ":3\r\n");
    assert_eq!(client.send("GET c"), "$1\r\n1\r\n");
}

#[test]
fn the_count_of_keys_follows_every_way_to_come_and_go() {
    let node = Node::open();
    let mut client = node.connect();
    client.send("MSET a 1 b 2 c 3 d 4 e 5");
    client.send("SET a 2");
    client.send("INCR f");
    client.send("GETDEL b");
    client.send("DEL c nothing");
    client.send("PEXPIRE d 5");
    client.send("EXPIRE e -1");
    client.send("RENAME a z");
    assert_eq!(client.send("DBSIZE"), ":3\r\n");
    node.clock.advance(10);
    // Written over, an expired entry is not counted twice.
    client.send("SET d 1");
    assert_eq!(client.send("DBSIZE"), ":3\r\n");
    client.send("SET g 1 PX 1");
    node.clock.advance(10);
    node.router.cache().maintain();
    assert_eq!(client.send("GET g"), "$-1\r\n");
    assert_eq!(client.send("KEYS *"), "*3\r\n$1\r\nd\r\n$1\r\nf\r\n$1\r\nz\r\n");
    client.send("FLUSHALL");
    assert_eq!(client.send("DBSIZE"), ":0\r\n");
}

#[test]
fn a_full_store_that_evicts_nothing_refuses_writes_and_keeps_reading() {
    let config = Config { max_bytes: Some(1 << 20), policy: Policy::None, ..Config::default() };
    let node = Node::new(config, Options::default());
    let mut client = node.connect();
    client.feed(&command(&[b"SET", b"kept", b"value"]));
    let mut refusal = vec![];
    for n in 0..2000 {
        let key = format!("key:{n}");
        let (reply, _) = client.feed(&command(&[b"SET", key.as_bytes(), &[b'x'; 1000]]));
        if reply != b"+OK\r\n" {
            refusal = reply;
            break;
        }
    }
    assert_eq!(refusal, b"-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_eq!(client.send("GET kept"), "$5\r\nvalue\r\n");
    assert_eq!(client.send("CONFIG GET maxmemory"), "*2\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n");
}

#[test]
fn a_key_too_long_for_the_store_is_absent_and_cannot_be_written() {
    let node = Node::open();
    let mut client = node.connect();
    let key = vec![b'k'; 65_535];
    assert_eq!(client.feed(&command(&[b"GET", &key])).0, b"$-1\r\n");
    assert_eq!(client.feed(&command(&[b"DEL", &key])).0, b":0\r\n");
    assert_eq!(client.feed(&command(&[b"EXPIRE", &key, b"10"])).0, b":0\r\n");
    let refusal = b"-ERR key is too long: at most 65534 bytes\r\n";
    for words in [&[&b"SET"[..], &key, b"v"][..], &[b"INCR", &key], &[b"MSET", &key, b"v"]] {
        assert_eq!(client.feed(&command(words)).0, refusal);
    }
    assert_eq!(client.feed(&command(&[b"SET", &key[1..], b"v"])).0, b"+OK\r\n");
}

#[test]
fn increments_of_many_threads_are_all_counted() {
    let node = Node::open();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = node.connect();
                for _ in 0..500 {
                    client.send("INCR n");
                    client.send("APPEND log x");
                }
            });
        }
    });
    let mut client = node.connect();
    assert_eq!(client.send("GET n"), "$4\r\n2000\r\n");
    assert_eq!(client.send("STRLEN log"), ":2000\r\n");
}

#[test]
fn of_two_clients_that_set_the_same_keys_if_absent_one_does() {
    for _ in 0..50 {
        let node = Node::open();
        let replies: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    let node = &node;
                    scope.spawn(move || node.connect().send(&format!("MSETNX a {n} b {n} c {n}")))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(replies.iter().filter(|reply| *reply == ":1\r\n").count(), 1);
        let values = node.connect().send("MGET a b c");
        let one = values.lines().nth(2).unwrap().to_owned();
        assert_eq!(values, format!("*3\r\n$1\r\n{one}\r\n$1\r\n{one}\r\n$1\r\n{one}\r\n"));
    }
}

//! Limits of users: what goes beyond is refused and does nothing, whichever connection it comes by.

mod fronting;
mod support;

use breakwater_engine::{Cache, Clock, Config};
use breakwater_router::{
    Delivery, Limits, Next, Options, Output, Peer, Permissions, Quota, RefusalReason, Relay,
    Router, Rules, Session, User, Users,
};
use std::num::NonZeroU64;
use std::sync::Arc;
use support::{Client, Node, START};

const OK: &str = "+OK\r\n";

fn quota() -> Quota {
    Quota::default()
}

fn a_second(count: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(count)
}

fn rules(quota: Quota) -> Rules {
    let user = |name: &str| User::new(name, Some(name.as_bytes()), Permissions::all());
    let users = vec![user("ada").limited(quota), user("bob")];
    Rules { users: Users::new(users), ..Rules::default() }
}

fn node(quota: Quota) -> Node {
    Node::new(Config::default(), Options { rules: rules(quota), ..Options::default() })
}

fn logged_in<'a>(node: &'a Node, name: &str) -> Client<'a> {
    let mut client = node.connect();
    assert_eq!(client.send(&format!("AUTH {name} {name}")), OK);
    client
}

fn refused(node: &Node, refusal: RefusalReason) -> u64 {
    node.router.refusals()[refusal as usize]
}

#[test]
fn all_connections_of_a_user_share_its_requests_a_second_and_nobody_else_does() {
    let node = node(Quota { requests: a_second(10), ..quota() });
    let (mut one, mut two) = (logged_in(&node, "ada"), logged_in(&node, "ada"));
    let mut other = logged_in(&node, "bob");
    for number in 0..10 {
        let client = if number % 3 == 0 { &mut one } else { &mut two };
        assert_eq!(client.send(&format!("SET key {number}")), OK);
    }
    let said = "-LIMIT requests: this user may make 10 requests a second, try again in 100 ms\r\n";
    for client in [&mut one, &mut two] {
        assert_eq!(client.send("SET key never"), said);
        assert_eq!(client.send("GET key"), said);
        // Who it is and that it leaves it may say all the same.
        assert_eq!(client.send("AUTH ada ada"), OK);
    }
    assert_eq!(other.send("GET key"), "$1\r\n9\r\n");
    assert_eq!(refused(&node, RefusalReason::Requests), 4);
    node.clock.advance(99);
    assert!(one.send("GET key").starts_with("-LIMIT requests:"));
    node.clock.advance(1);
    assert_eq!(two.send("GET key"), "$1\r\n9\r\n");
    assert!(one.send("GET key").starts_with("-LIMIT requests:"));
    // A pause brings one second's worth, however long it is.
    node.clock.advance(3_600_000);
    let said = one.send(&"GET key\r\n".repeat(12));
    assert_eq!(said.matches("$1\r\n9\r\n").count(), 10);
}

#[test]
fn who_has_used_more_bytes_than_came_is_refused_until_they_have() {
    let node = node(Quota { bytes: a_second(1_000), ..quota() });
    let mut client = logged_in(&node, "ada");
    // What is begun is done: the reply is paid for by what comes.
    assert_eq!(client.send(&format!("SET key {}", "v".repeat(900))), OK);
    assert!(client.send("GET key").ends_with("v\r\n"));
    let said = client.send("GET key");
    assert!(said.starts_with("-LIMIT bytes: this user may send and receive 1000 bytes"), "{said}");
    node.clock.advance(1_500);
    assert!(client.send("GET key").ends_with("v\r\n"));
    assert_eq!(refused(&node, RefusalReason::Bytes), 1);
}

#[test]
fn a_user_has_no_more_connections_than_it_may_and_one_that_goes_makes_room() {
    let node = node(Quota { connections: Some(2), ..quota() });
    let one = logged_in(&node, "ada");
    let mut two = logged_in(&node, "ada");
    let mut three = node.connect();
    let said = "-LIMIT connections: this user may have 2 connections at once\r\n";
    assert_eq!(three.send("AUTH ada ada"), said);
    assert!(three.send("GET key").starts_with("-NOAUTH"));
    assert!(three.send("HELLO 3 AUTH ada ada").starts_with(said));
    // Once in, one may say so again.
    assert_eq!(two.send("AUTH ada ada"), OK);
    drop(one);
    assert_eq!(three.send("AUTH ada ada"), OK);
    // Who turns into somebody else makes room as well.
    let mut four = node.connect();
    assert_eq!(four.send("AUTH ada ada"), said);
    assert_eq!(two.send("AUTH bob bob"), OK);
    assert_eq!(four.send("AUTH ada ada"), OK);
    assert_eq!(refused(&node, RefusalReason::Connections), 3);
}

#[test]
fn a_default_user_that_has_its_connections_is_turned_away_at_the_door() {
    let user = User::new("default", None, Permissions::all());
    let users = vec![user.limited(Quota { connections: Some(1), ..quota() })];
    let rules = Rules { users: Users::new(users), ..Rules::default() };
    let node = Node::new(Config::default(), Options { rules, ..Options::default() });
    let first = node.connect();
    for _ in 0..3 {
        let turned = Session::open(&node.router, Peer::default(), START).err().unwrap();
        assert!(turned.starts_with(b"-LIMIT connections:"), "{}", turned.escape_ascii());
        assert_eq!(node.router.counts().clients, 1);
    }
    drop(first);
    assert_eq!(node.connect().send("PING"), "+PONG\r\n");
}

#[test]
fn a_reload_keeps_what_was_used_and_counts_by_the_new_limits_at_once() {
    let node = node(Quota { requests: a_second(10), connections: Some(1), ..quota() });
    let mut client = logged_in(&node, "ada");
    for _ in 0..10 {
        client.send("PING");
    }
    assert!(client.send("PING").starts_with("-LIMIT requests: this user may make 10 "));
    node.router
        .reload(rules(Quota { requests: a_second(5), connections: Some(1), ..quota() }), START);
    assert!(client.send("PING").starts_with("-LIMIT requests: this user may make 5 "));
    assert!(node.connect().send("AUTH ada ada").starts_with("-LIMIT connections:"));
    node.router.reload(rules(quota()), START);
    assert_eq!(client.send("PING"), "+PONG\r\n");
    assert_eq!(logged_in(&node, "ada").send("PING"), "+PONG\r\n");
    // Limits that come later find those who are there.
    node.router.reload(rules(Quota { connections: Some(1), ..quota() }), START);
    assert_eq!(client.send("PING"), "+PONG\r\n");
    assert!(node.connect().send("AUTH ada ada").starts_with("-LIMIT connections:"));
}

#[test]
fn a_silenced_client_is_not_told_of_a_limit_either() {
    let node = node(Quota { requests: a_second(1), ..quota() });
    let mut client = logged_in(&node, "ada");
    assert_eq!(client.send("CLIENT REPLY OFF\r\nPING\r\nPING"), "");
    assert_eq!(refused(&node, RefusalReason::Requests), 2);
}

/// A node in front of a store that answers when the test says so.
struct World {
    router: Arc<Router>,
    relay: Relay,
    clock: Clock,
    /// Replies whose clients have not taken them.
    deliveries: Vec<Delivery>,
}

impl World {
    fn new(quota: Quota) -> Self {
        Self::by(rules(quota))
    }

    fn by(rules: Rules) -> Self {
        let clock = Clock::manual();
        let config = Config { clock: clock.clone(), ..Config::default() };
        let router = fronting::router(config, rules, 0, 0);
        let mut relay = Relay::new(&router).unwrap();
        relay.wake(1);
        Self { router, relay, clock, deliveries: vec![] }
    }

    fn connect(&mut self) -> Session {
        let mut session = Session::open(&self.router, Peer::default(), 0).unwrap();
        assert_eq!(self.feed(&mut session, "AUTH ada ada\r\n"), OK);
        session
    }

    fn feed(&mut self, session: &mut Session, text: &str) -> String {
        let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let lines = text.lines().map(words).collect::<Vec<Vec<_>>>();
        let bytes = lines.iter().flat_map(|words| {
            support::command(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
        });
        let bytes: Vec<_> = bytes.collect();
        let mut output = Output::default();
        let now = self.clock.now();
        let next = session.feed_through(&bytes, now, &mut output, Some(&mut self.relay));
        assert_ne!(next, Next::Close);
        String::from_utf8_lossy(&output.bytes).into_owned()
    }

    /// The store answers what it was sent; what the client gets.
    fn answer(&mut self, session: &mut Session) -> String {
        let mut said = vec![];
        loop {
            for id in self.relay.opens() {
                self.relay.connected(id);
            }
            let touched = self.relay.touched();
            for id in &touched {
                let sent = self.relay.output(*id).map(std::mem::take).unwrap_or_default();
                let requests = String::from_utf8(sent).unwrap();
                let hello = requests.contains("HELLO");
                let replies = requests.matches('*').count() - usize::from(hello);
                let greeting = if hello { "%1\r\n+version\r\n+7.0.15\r\n" } else { "" };
                let replies = [greeting, &OK.repeat(replies)].concat();
                self.relay.receive(*id, replies.as_bytes());
            }
            let deliveries = self.relay.deliveries();
            let idle = touched.is_empty() && deliveries.is_empty();
            self.deliveries.extend(deliveries);
            if idle {
                let id = session.id();
                for delivery in self.deliveries.extract_if(.., |one| one.client == id) {
                    session.deliver(&delivery, &mut said);
                }
                return String::from_utf8(said).unwrap();
            }
        }
    }
}

#[test]
fn requests_in_flight_are_counted_over_all_connections_until_they_are_answered() {
    let mut world = World::new(Quota { in_flight: Some(3), ..quota() });
    let (mut one, mut two) = (world.connect(), world.connect());
    world.answer(&mut one);
    assert_eq!(world.feed(&mut one, "SET a 1\r\nSET b 2\r\n"), "");
    // Its own reply waits behind those of the two, as any other.
    assert_eq!(world.feed(&mut two, "SET c 3\r\n"), "");
    let said = "-LIMIT inflight: this user may have 3 requests in flight at once\r\n";
    assert_eq!(world.feed(&mut one, "SET d 4\r\n"), "");
    assert_eq!(world.answer(&mut one), [OK, OK, said].concat());
    assert_eq!(world.answer(&mut two), OK);
    assert_eq!(world.feed(&mut one, "SET e 5\r\nSET f 6\r\nSET g 7\r\n"), "");
    assert_eq!(world.answer(&mut one), [OK, OK, OK].concat());
    // Who leaves takes with it what it had in flight.
    assert_eq!(world.feed(&mut two, "SET h 8\r\nSET i 9\r\nSET j 10\r\n"), "");
    drop(two);
    assert_eq!(world.feed(&mut one, "SET k 11\r\n"), "");
    assert_eq!(world.answer(&mut one), OK);
}

#[test]
fn a_transaction_of_which_a_part_is_beyond_the_limit_fails_as_a_whole() {
    let mut world = World::new(Quota { requests: a_second(3), ..quota() });
    let mut client = world.connect();
    let said = world.feed(&mut client, "MULTI\r\nSET a 1\r\nSET b 2\r\nSET c 3\r\nEXEC\r\n");
    let said = said + &world.answer(&mut client);
    let lines: Vec<_> = said.split("\r\n").collect();
    assert_eq!(lines[..3], ["+OK", "+QUEUED", "+QUEUED"]);
    assert!(lines[3].starts_with("-LIMIT requests:"), "{said}");
    assert!(lines[4].starts_with("-EXECABORT"), "{said}");
    world.clock.advance(1_000);
    // It is over.
    assert_eq!(world.feed(&mut client, "SET a 1\r\n"), "");
    assert_eq!(world.answer(&mut client), OK);
}

#[test]
fn a_request_that_has_to_wait_is_counted_once() {
    let mut world = World::new(Quota { requests: a_second(4), ..quota() });
    let mut client = world.connect();
    // A blocking command keeps the next one waiting, which is looked at again and again.
    assert_eq!(world.feed(&mut client, "BLPOP list 0\r\nSET a 1\r\n"), "");
    for _ in 0..10 {
        assert_eq!(world.feed(&mut client, ""), "");
    }
    let said = world.answer(&mut client) + &world.feed(&mut client, "SET b 2\r\nSET c 3\r\n");
    let said = said + &world.answer(&mut client);
    assert!(!said.contains("LIMIT"), "{said}");
    let said = world.feed(&mut client, "SET d 4\r\n") + &world.answer(&mut client);
    assert!(said.contains("LIMIT"), "{said}");
}

#[test]
fn threads_that_share_a_user_share_its_limit_to_the_last_request() {
    let clock = Clock::manual();
    let cache = Cache::new(Config { clock: clock.clone(), ..Config::default() }).unwrap();
    let rules = rules(Quota { requests: a_second(1_000), ..quota() });
    let options = Options { rules, ..Options::default() };
    let router = Arc::new(Router::new(Arc::new(cache), options, START));
    let served: usize = std::thread::scope(|scope| {
        let ask = || {
            let mut session = Session::open(&router, Peer::default(), START).unwrap();
            let mut output = Output::default();
            session.feed(b"AUTH ada ada\r\n", START, &mut output);
            for _ in 0..500 {
                session.feed(b"PING\r\n", START, &mut output);
            }
            String::from_utf8(output.bytes).unwrap().matches("+PONG").count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(served, 1_000);
    assert_eq!(router.refusals()[RefusalReason::Requests as usize], 1_000);
}

#[test]
fn nothing_is_refused_to_those_without_limits() {
    let node = Node::open();
    let said = node.connect().send(&"PING\r\n".repeat(500));
    assert_eq!(said.matches("+PONG").count(), 500);
    assert_eq!(node.router.refusals(), [0; RefusalReason::ALL.len()]);
}

/// No argument may have more than 1,000 bytes.
fn short_values() -> Rules {
    Rules { limits: Limits { value: 1_000, ..Limits::default() }, ..rules(quota()) }
}

fn too_long(len: usize) -> String {
    format!("-LIMIT value: an argument may have 1000 bytes, and this one has {len}\r\n")
}

#[test]
fn a_command_with_a_long_value_is_refused_and_the_rest_of_the_pipeline_goes_on() {
    let node =
        Node::new(Config::default(), Options { rules: short_values(), ..Options::default() });
    let mut client = logged_in(&node, "bob");
    let (fits, long) = ("v".repeat(1_000), "v".repeat(1_001));
    let pipeline = format!("SET a {fits}\r\nSET b {long}\r\nGET b\r\nSTRLEN a");
    let said = [OK, &too_long(1_001), "$-1\r\n", ":1000\r\n"].concat();
    assert_eq!(client.send(&pipeline), said, "written as lines");
    let words: [&[&[u8]]; 3] =
        [&[b"SET", b"b", long.as_bytes(), b"EX", b"9"], &[b"GET", b"b"], &[b"STRLEN", b"a"]];
    let bytes: Vec<u8> = words.iter().flat_map(|words| support::command(words)).collect();
    let said = [too_long(1_001).as_str(), "$-1\r\n", ":1000\r\n"].concat();
    for step in [1, 7, 500, bytes.len()] {
        let said_now = bytes.chunks(step).flat_map(|chunk| client.feed(chunk).0).collect();
        assert_eq!(String::from_utf8(said_now).unwrap(), said, "in pieces of {step}");
    }
    assert_eq!(refused(&node, RefusalReason::Value), 5);
    assert_eq!(client.send(&format!("CLIENT REPLY SKIP\r\nSET b {long}\r\nEXISTS b")), ":0\r\n");
}

#[test]
fn a_long_value_is_kept_by_nobody_while_it_comes() {
    let node =
        Node::new(Config::default(), Options { rules: short_values(), ..Options::default() });
    let mut client = logged_in(&node, "bob");
    let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", 100 << 20);
    assert_eq!(client.feed(head.as_bytes()).1, Next::Read);
    let piece = vec![b'v'; 1 << 20];
    for _ in 0..100 {
        assert_eq!(client.feed(&piece), (vec![], Next::Read));
        assert_eq!(client.session.buffered(), 0);
    }
    assert_eq!(client.send(""), too_long(100 << 20));
    assert_eq!(client.send("EXISTS k"), ":0\r\n");
}

#[test]
fn another_bound_on_values_counts_from_the_next_command_on() {
    let node =
        Node::new(Config::default(), Options { rules: rules(quota()), ..Options::default() });
    let mut client = logged_in(&node, "bob");
    let long = "v".repeat(2_000);
    assert_eq!(client.send(&format!("SET k {long}")), OK);
    node.router.reload(short_values(), START);
    assert_eq!(client.send(&format!("SET k {long}")), too_long(2_000));
    assert_eq!(client.send("STRLEN k"), ":2000\r\n");
}

#[test]
fn a_long_value_never_reaches_the_store_and_is_refused_in_its_order() {
    let mut world = World::by(short_values());
    let mut client = world.connect();
    world.answer(&mut client);
    let long = "v".repeat(5_000);
    let said = world.feed(&mut client, &format!("SET a 1\r\nSET b {long}\r\nSET c 3\r\n"));
    assert_eq!(said, "");
    let sent = world.answer(&mut client);
    assert_eq!(sent, [OK, &too_long(5_000), OK].concat());
    let said = world.feed(&mut client, &format!("MULTI\r\nSET a 1\r\nSET b {long}\r\nEXEC\r\n"));
    let said = said + &world.answer(&mut client);
    let lines: Vec<_> = said.split("\r\n").collect();
    assert_eq!(lines[..3], ["+OK", "+QUEUED", too_long(5_000).trim_end()]);
    assert!(lines[3].starts_with("-EXECABORT"), "{said}");
}

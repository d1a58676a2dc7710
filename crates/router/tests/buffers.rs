//! The ledger of what waits: it is exact, and at its bound the client with most of it is cut.

mod support;

use breakwater_engine::Config;
use breakwater_router::{Limits, Options, Output, Permissions, Quota, Rules, User, Users};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Client, Node, START};

fn node(buffers: u64) -> Node {
    let limits = Limits { buffers, ..Limits::default() };
    Node::new(
        Config::default(),
        Options { rules: Rules { limits, ..Rules::default() }, ..Options::default() },
    )
}

/// Has a client wait with so many bytes in its session, and so many outside; who is cut for it.
fn wait(client: &mut Client<'_>, inside: usize, outside: usize) -> Vec<u64> {
    let mut output = Output::default();
    client.session.hold(&vec![b'x'; inside], &mut output, None);
    client.session.charge(outside, &mut output.kills);
    output.kills
}

#[test]
fn at_the_bound_the_client_with_most_waiting_is_cut_whoever_reaches_it() {
    let node = node(1000);
    let (mut small, mut greedy, mut last) = (node.connect(), node.connect(), node.connect());
    assert!(wait(&mut small, 100, 100).is_empty());
    assert!(wait(&mut greedy, 100, 500).is_empty());
    assert_eq!(node.router.buffers().used, 800);
    assert_eq!(wait(&mut last, 0, 201), [greedy.session.id()]);
    // It is not gone yet, and nobody else is cut in its place.
    assert!(wait(&mut last, 0, 300).is_empty());
    assert_eq!((node.router.buffers().used, node.router.buffers().cut), (1100, 1));
    drop(greedy);
    assert_eq!(node.router.buffers().used, 500);
    assert_eq!(wait(&mut small, 0, 900), [small.session.id()], "who is greediest may be who asks");
}

#[test]
fn a_client_that_asks_not_to_be_chosen_is_not() {
    let node = node(1000);
    let (mut spared, mut other) = (node.connect(), node.connect());
    assert_eq!(spared.send("CLIENT NO-EVICT ON"), "+OK\r\n");
    assert!(wait(&mut spared, 0, 900).is_empty());
    assert_eq!(wait(&mut other, 0, 101), [other.session.id()]);
    drop(other);
    assert!(wait(&mut spared, 0, 5000).is_empty(), "there is nobody else");
}

#[test]
fn another_bound_counts_from_the_next_byte_on() {
    let node = node(1000);
    let (mut one, mut other) = (node.connect(), node.connect());
    assert!(wait(&mut one, 0, 500).is_empty());
    let limits = Limits { buffers: 100, ..Limits::default() };
    node.router.reload(Rules { limits, ..Rules::default() }, START);
    assert_eq!(node.router.buffers().most, 100);
    assert_eq!(wait(&mut other, 0, 1), [one.session.id()]);
}

/// Of all connections of `ada` together, so many bytes may wait.
fn by_user(most: u64) -> Rules {
    let user = |name: &str| User::new(name, Some(name.as_bytes()), Permissions::all());
    let ada = user("ada").limited(Quota { buffered: Some(most), ..Quota::default() });
    Rules { users: Users::new(vec![ada, user("bob")]), ..Rules::default() }
}

fn logged_in<'a>(node: &'a Node, name: &str) -> Client<'a> {
    let mut client = node.connect();
    assert_eq!(client.send(&format!("AUTH {name} {name}")), "+OK\r\n");
    client
}

#[test]
fn at_the_bound_of_a_user_its_greediest_connection_is_cut_and_nobody_elses() {
    let node = Node::new(Config::default(), Options { rules: by_user(1000), ..Options::default() });
    let [mut small, mut greedy, mut last] = ["ada"; 3].map(|name| logged_in(&node, name));
    let mut other = logged_in(&node, "bob");
    assert_eq!(greedy.send("CLIENT NO-EVICT ON"), "+OK\r\n", "which is no way round it");
    assert!(wait(&mut other, 5_000, 50_000).is_empty());
    assert!(wait(&mut small, 100, 100).is_empty());
    assert!(wait(&mut greedy, 100, 500).is_empty());
    assert!(wait(&mut last, 0, 200).is_empty(), "as many as may");
    assert_eq!(wait(&mut last, 0, 301), [greedy.session.id()]);
    // It is not gone yet, and nobody else is cut in its place.
    assert!(wait(&mut last, 0, 800).is_empty());
    assert_eq!((node.router.buffers().cut, node.router.buffers().cut_by_user), (0, 1));
    drop(greedy);
    assert_eq!(wait(&mut small, 0, 900), [small.session.id()], "who is greediest may be who asks");
    drop((small, last));
    // What has waited of those who are gone waits no more.
    let mut new = logged_in(&node, "ada");
    assert!(wait(&mut new, 0, 1_000).is_empty());
    assert_eq!(node.router.buffers().used, 56_000);
}

#[test]
fn another_bound_of_a_user_counts_from_the_next_byte_on() {
    let node = Node::new(Config::default(), Options { rules: by_user(1000), ..Options::default() });
    let (mut one, mut other) = (logged_in(&node, "ada"), logged_in(&node, "ada"));
    assert!(wait(&mut one, 0, 500).is_empty());
    node.router.reload(by_user(100), START);
    assert_eq!(other.send("PING"), "+PONG\r\n");
    assert_eq!(wait(&mut other, 0, 1), [one.session.id()]);
}

proptest! {
    #[test]
    fn what_is_charged_is_what_waits_and_nothing_is_left_of_those_who_have_gone(
        steps in vec((0..4usize, 0..300usize), 1..80),
    ) {
        let node = node(500);
        let mut clients: Vec<_> = (0..4).map(|_| Some((node.connect(), 0))).collect();
        for (at, bytes) in steps {
            let mut kills = vec![];
            match &mut clients[at] {
                gone @ None => *gone = Some((node.connect(), 0)),
                Some((client, outside)) => {
                    *outside = bytes;
                    client.session.charge(bytes, &mut kills);
                }
            }
            let ids = |(client, _): &(Client<'_>, usize)| client.session.id();
            for one in &mut clients {
                if one.as_ref().is_some_and(|one| kills.contains(&ids(one))) {
                    *one = None;
                }
            }
            let waits: usize = clients.iter().flatten().map(|(_, outside)| *outside).sum();
            prop_assert_eq!(node.router.buffers().used, waits as u64);
            prop_assert!(waits <= 500, "{} wait", waits);
        }
        clients.clear();
        prop_assert_eq!(node.router.buffers().used, 0);
    }
}

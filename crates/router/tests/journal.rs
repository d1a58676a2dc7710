//! What is noted of clients that come and leave: who, how much and why, bounded, and nothing unless asked.

mod support;

use breakwater_engine::Config;
use breakwater_router::{Options, Permissions, Rules, User, Users};
use serde_json::Value;
use support::Node;

fn node(journal: bool) -> Node {
    let ada = User::new("ada", Some(b"sesame"), Permissions::all());
    let rules = Rules { users: Users::new(vec![ada]), journal, ..Rules::default() };
    Node::new(Config::default(), Options { rules, ..Options::default() })
}

fn lines(node: &Node) -> Vec<Value> {
    let lines = node.router.take_journal().into_iter();
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

#[test]
fn a_client_that_leaves_is_noted_with_its_user_its_requests_and_why() {
    let node = node(true);
    let ends: [(&[&str], &str); 4] = [
        (&["AUTH ada sesame", "SET secret-key value", "GET secret-key"], "client"),
        (&["AUTH ada sesame", "QUIT"], "closed"),
        (&["AUTH ada sesame", "*1\r\nsecret\r\n"], "protocol"),
        (&["AUTH ada wrong"], "client"),
    ];
    for (commands, cause) in ends {
        let mut client = node.connect();
        for command in commands {
            client.send(command);
        }
        let id = client.session.id();
        drop(client);
        let lines = lines(&node);
        assert_eq!(lines.len(), 2, "{lines:?}");
        let [opened, closed] = [&lines[0], &lines[1]];
        assert_eq!(opened["event"], "connection_opened");
        assert_eq!(opened["client"], id);
        assert_eq!(opened["address"], "10.0.0.1:5000");
        assert_eq!(closed["event"], "connection_closed");
        assert_eq!(closed["client"], id);
        assert_eq!(closed["cause"], cause);
        let known = !commands[0].ends_with("wrong");
        assert_eq!(closed["user"], if known { "ada".into() } else { Value::Null });
        let broken = u64::from(cause == "protocol");
        assert_eq!(closed["requests"], commands.len() as u64 - broken);
        let sent: usize = commands.iter().map(|command| command.len() + 2).sum();
        assert_eq!(closed["received"], sent as u64);
        let text = format!("{lines:?}");
        assert!(!text.contains("secret") && !text.contains("sesame"), "{text}");
    }
}

#[test]
fn a_client_that_the_node_ends_is_noted_with_why() {
    let node = node(true);
    let [mut killed, mut killer, mut drained] = [node.connect(), node.connect(), node.connect()];
    let [mut slow, mut makes_room] = [node.connect(), node.connect()];
    killer.send("AUTH ada sesame");
    killer.send(&format!("CLIENT KILL ID {}", killed.session.id()));
    killed.send("PING");
    drained.session.drains();
    slow.session.lags();
    makes_room.session.makes_room();
    drop((killed, drained, slow, makes_room));
    let causes: Vec<_> =
        lines(&node).iter().filter_map(|line| line["cause"].as_str().map(String::from)).collect();
    assert_eq!(causes, ["killed", "drain", "slow", "descriptors"]);
}

#[test]
fn a_flood_of_connections_is_cut_short_and_counted_and_none_is_noted_unasked() {
    let flooded = node(true);
    for _ in 0..2_000 {
        flooded.connect();
    }
    let got = lines(&flooded);
    assert_eq!(got.len(), 1_001);
    assert_eq!(got[1_000]["event"], "left_out");
    assert_eq!(got[1_000]["count"], 3_000);

    let quiet = node(false);
    drop(quiet.connect());
    assert!(quiet.router.take_journal().is_empty());
}

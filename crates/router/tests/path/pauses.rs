//! `CLIENT PAUSE` and `UNPAUSE`, of which all threads of the node are to know, and what becomes of clients
//! that block.

use super::{runs, world};
use breakwater_resp::Protocol::{Resp2, Resp3};

/// Longer than a request may wait for the store.
const LONG: u64 = 10_000;

#[test]
fn what_a_pause_holds_up_waits_for_its_end_however_long_that_is_and_in_its_order() {
    for all in [false, true] {
        let mut world = world(2);
        let clients: Vec<_> = (0..6).map(|at| world.connect(at % 2, Resp3)).collect();
        clients.iter().for_each(|client| drop(world.ask(*client, "GET warm")));
        let mode = if all { "ALL" } else { "WRITE" };
        assert_eq!(world.ask(clients[0], &format!("CLIENT PAUSE {LONG} {mode}")), "+OK\r\n");
        world.server.runs.clear();
        for &client in &clients {
            world.send(client, &format!("SET k{client} v\r\nGET k{client}\r\nDEL k\r\nSET k w"));
        }
        for _ in 0..9 {
            world.settle();
            world.clock.advance(LONG / 10);
        }
        world.settle();
        assert_eq!(runs(&world, "set"), 0, "{mode}");
        assert!(clients.iter().all(|client| world.clients[*client].heard().is_empty()), "{mode}");
        world.clock.advance(LONG / 10);
        world.settle();
        for &client in &clients {
            assert_eq!(
                world.clients[client].heard(),
                format!("+OK\r\n$1\r\nv\r\n:{}\r\n+OK\r\n", 1),
                "{mode}"
            );
        }
        assert_eq!(runs(&world, "set"), 12);
    }
}

#[test]
fn reads_go_on_in_a_pause_of_writes_and_all_go_on_once_it_is_ended_by_any_thread() {
    let mut world = world(2);
    let (one, other) = (world.connect(0, Resp3), world.connect(1, Resp3));
    world.server.set("k", Some("old"), None);
    world.ask(one, "SET other v");
    // Of two pauses the longer and the stricter one holds.
    for pause in ["60000 WRITE", "1 WRITE"] {
        assert_eq!(world.ask(one, &format!("CLIENT PAUSE {pause}")), "+OK\r\n");
    }
    world.send(one, "SET k new");
    world.settle();
    assert_eq!(world.ask(other, "GET k"), "$3\r\nold\r\n");
    world.send(other, "MGET k k\r\nDEL other\r\nGET k");
    world.settle();
    assert_eq!(world.clients[other].heard(), "*2\r\n$3\r\nold\r\n$3\r\nold\r\n");
    assert_eq!(world.clients[one].heard(), "");
    let admin = world.connect(1, Resp3);
    assert_eq!(world.ask(admin, "CLIENT UNPAUSE"), "+OK\r\n");
    world.settle();
    assert_eq!(world.clients[one].heard(), "+OK\r\n");
    assert_eq!(runs(&world, "del"), 1);
}

#[test]
fn what_a_pause_holds_up_after_the_store_was_silent_has_all_its_time() {
    // The second waits in the session: what a script says in RESP2 comes over another connection.
    for silent in ["SET a 1", "EVAL s 1 a\r\nSET a 1"] {
        let mut world = world(1);
        let (one, other) = (world.connect(0, Resp2), world.connect(0, Resp3));
        world.ask(one, "GET warm");
        world.send(one, silent);
        for _ in 0..25 {
            world.pass(100);
        }
        world.settle();
        let failed = world.clients[one].heard();
        let late = failed.matches("-ERR the store").count();
        assert_eq!(late, silent.lines().count(), "{failed}");
        assert_eq!(world.ask(other, "CLIENT PAUSE 1 WRITE"), "+OK\r\n");
        world.send(one, "SET k v\r\nSET k w");
        assert_eq!(world.clients[one].heard(), "", "{silent}");
        world.pass(1);
        world.settle();
        assert_eq!(world.clients[one].heard(), "+OK\r\n+OK\r\n", "{silent}");
    }
}

#[test]
fn what_is_sent_behind_the_killing_of_a_client_that_blocks_is_not_given_to_it() {
    for protocol in [Resp2, Resp3] {
        for relay in [0, 1] {
            let mut world = world(2);
            let (waits, killer) = (world.connect(0, Resp2), world.connect(relay, protocol));
            let id = world.ask(waits, "CLIENT ID");
            let id = id.trim_matches([':', '\r', '\n']);
            world.ask(killer, "GET warm");
            world.send(waits, "BLPOP list 0");
            world.settle();
            assert_eq!(runs(&world, "blpop"), 1);
            // Nobody has told the store yet that the connection is gone: it would give away what comes.
            world.send(killer, &format!("CLIENT KILL ID {id}\r\nRPUSH list kept"));
            world.settle();
            assert_eq!(world.clients[killer].heard(), ":1\r\n:1\r\n");
            let kept = world.server.lists.get("list").map_or(0, Vec::len);
            assert_eq!(kept, 1, "{protocol:?} of thread {relay}");
        }
    }
}

#[test]
fn a_client_that_blocks_is_unblocked_by_another_one_and_takes_nothing_any_more() {
    let mut world = world(2);
    let (waits, other) = (world.connect(0, Resp2), world.connect(1, Resp3));
    let id = world.ask(waits, "CLIENT ID");
    let id = id.trim_matches([':', '\r', '\n']);
    world.send(waits, "BLPOP list 0");
    world.settle();
    assert_eq!(world.ask(other, &format!("CLIENT UNBLOCK {id}")), ":1\r\n");
    assert_eq!(world.clients[waits].heard(), "*-1\r\n");
    assert_eq!(world.ask(other, "RPUSH list kept"), ":1\r\n");
    assert_eq!(world.server.lists["list"], ["kept"]);
}

#[test]
fn a_client_that_is_killed_as_soon_as_it_blocks_takes_nothing_any_more() {
    for protocol in [Resp2, Resp3] {
        let mut world = world(1);
        let (waits, killer) = (world.connect(0, protocol), world.connect(0, Resp3));
        let id = world.ask(waits, "CLIENT ID");
        let id = id.trim_matches([':', '\r', '\n']);
        world.ask(killer, "GET warm");
        let shared = world.open.clone();
        world.send(waits, "BLPOP list 0");
        while !world.opening.is_empty() {
            world.open(0);
        }
        let own: Vec<_> =
            world.open.iter().filter(|line| !shared.contains(line)).copied().collect();
        for line in &own {
            world.forward(*line);
            world.back(*line, usize::MAX);
        }
        // The store has it, and nothing that it says of it has arrived.
        own.iter().for_each(|line| world.forward(*line));
        assert_eq!(runs(&world, "blpop"), 1);
        world.send(killer, &format!("CLIENT KILL ID {id}\r\nRPUSH list kept"));
        world.settle();
        assert_eq!(world.clients[killer].heard(), ":1\r\n:1\r\n");
        assert_eq!(world.server.lists["list"], ["kept"]);
    }
}

//! Pipelines of a client whose reads another thread makes: which may share what, and what each sees.

use super::world::World;
use super::{runs, world};
use breakwater_resp::Protocol::{self, Resp2, Resp3};

/// Two threads, connected: one leads a read of `k`, which has "old"; its client, and one of the other.
fn led_elsewhere(protocol: Protocol) -> (World, usize, usize) {
    let mut world = world(2);
    let (leader, client) = (world.connect(0, Resp3), world.connect(1, protocol));
    world.ask(leader, "GET warm");
    world.ask(client, "SET other v");
    world.ask(client, "GET colder");
    world.server.set("k", Some("old"), None);
    world.server.runs.clear();
    (world, leader, client)
}

/// What is on the connections of a thread arrives, and what the store says to it.
fn arrive(world: &mut World, relay: usize) {
    for line in world.open.clone().into_iter().filter(|line| line.0 == relay) {
        world.forward(line);
        world.back(line, usize::MAX);
    }
}

#[test]
fn reads_behind_reads_of_their_client_share_the_read_that_another_thread_leads() {
    for protocol in [Resp2, Resp3] {
        let (mut world, leader, client) = led_elsewhere(protocol);
        world.send(leader, "GET k");
        world.send(client, "GET k\r\nGET k\r\nGET k");
        world.settle();
        assert_eq!(world.clients[client].heard(), "$3\r\nold\r\n".repeat(3));
        assert_eq!(runs(&world, "get"), 1, "{protocol:?}");
        // Behind one that is owed, memory answers what it has.
        world.send(client, "GET cold\r\nGET k\r\nGET k");
        world.settle();
        assert_eq!(runs(&world, "get"), 2, "{protocol:?}");
        let counts = world.router.route_counts().remove(0).1;
        assert_eq!((counts.passed, counts.joined, counts.hits), (0, 3, 2));
    }
}

#[test]
fn a_read_behind_a_change_of_its_client_sees_it_whichever_thread_leads() {
    for protocol in [Resp2, Resp3] {
        let (mut world, leader, client) = led_elsewhere(protocol);
        world.send(client, "SET k new");
        // It begins behind the change, and is done before it.
        world.send(leader, "GET k");
        world.send(client, "GET k\r\nSTRLEN k\r\nGET k");
        arrive(&mut world, 0);
        world.settle();
        let said = "+OK\r\n$3\r\nnew\r\n:3\r\n$3\r\nnew\r\n";
        assert_eq!(world.clients[client].heard(), said, "{protocol:?}");
        assert_eq!(world.clients[leader].heard(), "$3\r\nold\r\n");
    }
}

#[test]
fn a_change_behind_a_read_of_its_client_is_not_seen_by_it_whichever_thread_leads() {
    for protocol in [Resp2, Resp3] {
        let (mut world, leader, client) = led_elsewhere(protocol);
        world.send(leader, "GET k");
        world.send(client, "GET k\r\nGET k\r\nSET k new\r\nGET k");
        // The other thread's read is done last.
        (0..4).for_each(|_| arrive(&mut world, 1));
        world.settle();
        let said = "$3\r\nold\r\n$3\r\nold\r\n+OK\r\n$3\r\nnew\r\n";
        assert_eq!(world.clients[client].heard(), said, "{protocol:?}");
    }
}

//! Drivers with real sockets.

mod node;

use breakwater_engine::{Cache, Config};
use breakwater_net::Settings;
use breakwater_router::{Options, Router};
use node::{Node, expect};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

fn start(count: usize, settings: Settings) -> Node {
    let cache = Cache::new(Config { max_bytes: Some(64 << 20), ..Config::default() }).unwrap();
    let router = Arc::new(Router::new(Arc::new(cache), Options::default(), 0));
    Node::start(&router, count, settings)
}

#[test]
fn a_turn_that_ends_early_forgets_nothing() {
    // No time at all: every turn does one thing and comes back for the rest.
    let node = start(1, Settings { budget: Duration::ZERO });
    let mut clients: Vec<_> = (0..32).map(|_| node.connect()).collect();
    for client in &mut clients {
        client.write_all("PING\r\n".repeat(3000).as_bytes()).unwrap();
    }
    for client in &mut clients {
        expect(client, &"+PONG\r\n".repeat(3000));
    }
    node.stop();
}

#[test]
fn the_end_of_a_client_is_seen_although_it_was_told_with_its_last_bytes() {
    let node = start(1, Settings::default());
    for _ in 0..200 {
        let mut client = node.connect();
        client.write_all(b"PING\r\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut received = vec![];
        client.read_to_end(&mut received).unwrap();
        assert_eq!(received, b"+PONG\r\n");
    }
    node.stop();
}

#[test]
fn a_client_is_killed_by_another_driver() {
    let node = start(4, Settings::default());
    let mut clients: Vec<_> = (0..24).map(|_| node.connect()).collect();
    let mut ids = vec![];
    for client in &mut clients {
        client.write_all(b"CLIENT ID\r\n").unwrap();
        let mut line = [0; 16];
        let count = client.read(&mut line).unwrap();
        ids.push(String::from_utf8_lossy(&line[1..count - 2]).into_owned());
    }
    let (killer, victims) = clients.split_first_mut().unwrap();
    for id in &ids[1..] {
        killer.write_all(format!("CLIENT KILL ID {id}\r\n").as_bytes()).unwrap();
        expect(killer, ":1\r\n");
    }
    for victim in victims {
        assert_eq!(victim.read(&mut [0; 16]).unwrap_or(0), 0);
    }
    node.stop();
}

#[test]
fn a_drain_ends_clients_that_say_nothing_and_answers_those_that_did() {
    let node = start(2, Settings::default());
    let mut silent = node.connect();
    let mut busy = node.connect();
    busy.write_all(&b"PING\r\n".repeat(100)).unwrap();
    expect(&mut busy, "+PONG\r\n");
    silent.write_all(b"PING\r\n").unwrap();
    expect(&mut silent, "+PONG\r\n");
    let threads = thread::spawn(move || node.stop());
    expect(&mut busy, &"+PONG\r\n".repeat(99));
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);
    assert_eq!(busy.read(&mut [0; 16]).unwrap(), 0);
    threads.join().unwrap();
}

#[test]
fn replies_of_any_size_arrive_whole_at_a_client_that_reads_slowly() {
    let node = start(1, Settings::default());
    let mut client = node.connect();
    let value = "v".repeat(3_000_000);
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len());
    client.write_all(set.as_bytes()).unwrap();
    expect(&mut client, "+OK\r\n");
    client.write_all(&b"GET k\r\n".repeat(5)).unwrap();
    thread::sleep(Duration::from_millis(50));
    for _ in 0..5 {
        expect(&mut client, &format!("${}\r\n{value}\r\n", value.len()));
    }
    node.stop();
}

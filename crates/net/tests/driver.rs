//! Drivers with real sockets.

mod node;

use breakwater_engine::{Cache, Config};
use breakwater_net::{Driver, Entrance, Group, Listening, Settings};
use breakwater_router::{Options, Router};
use node::{Node, expect};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

fn router() -> Arc<Router> {
    let cache = Cache::new(Config { max_bytes: Some(64 << 20), ..Config::default() }).unwrap();
    Arc::new(Router::new(Arc::new(cache), Options::default(), 0))
}

fn start(count: usize, settings: Settings) -> Node {
    Node::start(&router(), count, settings)
}

/// A driver that is turned by the test itself, and a client that it serves.
fn turned_by_hand() -> (Driver, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nonblocking(true).unwrap();
    let entrance = Entrance { on: Listening::Tcp(listener), secure: false, proxied: false };
    let group = Arc::new(Group::default());
    let mut driver = Driver::new(router(), &group, vec![entrance], Settings::default()).unwrap();
    ask(&mut driver, &mut client, b"PING\r\n");
    (driver, client)
}

/// Has a client send something, and turns the driver until it has the reply.
fn ask(driver: &mut Driver, client: &mut TcpStream, bytes: &[u8]) {
    client.write_all(bytes).unwrap();
    let mut received = [0; 7];
    while client.read(&mut received).is_err() {
        driver.wait(Duration::from_millis(1)).unwrap();
    }
    assert_eq!(&received, b"+PONG\r\n");
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
fn a_drain_disconnects_a_client_that_speaks_in_its_next_pause() {
    let (mut driver, mut client) = turned_by_hand();
    driver.drain(usize::MAX, Duration::from_secs(3600));
    // Each turn looks at it once at the most, and each has a request: it makes no pause.
    for _ in 0..15 {
        thread::sleep(Duration::from_millis(5));
        ask(&mut driver, &mut client, b"PING\r\n");
    }
    while !driver.is_drained() {
        driver.wait(Duration::from_millis(1)).unwrap();
        if let Ok(0) = client.read(&mut [0]) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn a_drain_waits_for_a_client_that_never_pauses_as_long_as_is_due_to_it_and_no_longer() {
    let (mut driver, mut client) = turned_by_hand();
    driver.drain(usize::MAX, Duration::from_secs(3600));
    let mut turns = 0;
    while client.read(&mut [0; 7]).map_or(true, |count| count > 0) {
        client.write_all(b"PING\r\n").unwrap();
        driver.wait(Duration::from_millis(1)).unwrap();
        turns += 1;
    }
    // It is looked at 20 times, once in a turn at the most.
    assert!(turns > 20, "{turns}");
}

#[test]
fn a_drain_waits_for_the_end_of_a_request_that_has_begun() {
    let (mut driver, mut client) = turned_by_hand();
    client.write_all(b"PI").unwrap();
    driver.wait(Duration::from_millis(1)).unwrap();
    driver.drain(usize::MAX, Duration::from_secs(3600));
    // Longer than a pause is waited for.
    let until = Instant::now() + Duration::from_millis(300);
    while Instant::now() < until {
        driver.wait(Duration::from_millis(1)).unwrap();
    }
    ask(&mut driver, &mut client, b"NG\r\n");
    while client.read(&mut [0]).is_err() {
        driver.wait(Duration::from_millis(1)).unwrap();
    }
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

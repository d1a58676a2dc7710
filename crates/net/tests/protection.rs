//! Real sockets: clients that do not read, and those that come all at once.

mod node;

use breakwater_engine::{Cache, Config};
use breakwater_net::Settings;
use breakwater_router::{Limits, Options, Router, Rules};
use node::{Node, expect};
use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

fn router(limits: Limits) -> Arc<Router> {
    let cache = Cache::new(Config { max_bytes: Some(256 << 20), ..Config::default() }).unwrap();
    let rules = Rules { limits, ..Rules::default() };
    Arc::new(Router::new(Arc::new(cache), Options { rules, ..Options::default() }, 0))
}

#[test]
fn of_clients_that_do_not_read_the_greediest_are_cut_and_everybody_else_is_served() {
    let router = router(Limits { buffers: 24 << 20, ..Limits::default() });
    let node = Node::start(&router, 2, Settings::default());
    let mut honest = node.connect();
    let value = "v".repeat(16 << 20);
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len());
    honest.write_all(set.as_bytes()).unwrap();
    expect(&mut honest, "+OK\r\n");
    // Each has a reply of 16 MB waiting, less the few that its socket holds.
    let mut deaf: Vec<_> = (0..8).map(|_| node.connect()).collect();
    for client in &mut deaf {
        client.write_all(b"GET k\r\n").unwrap();
    }
    while router.buffers().cut < 5 {
        honest.write_all(b"PING\r\n").unwrap();
        expect(&mut honest, "+PONG\r\n");
    }
    // Those that are left get all of it.
    let whole = deaf.iter_mut().filter_map(|client| {
        let mut reply = vec![0; value.len() + 12];
        client.read_exact(&mut reply).ok()
    });
    let whole = whole.count();
    assert!((1..=3).contains(&whole), "{whole} of 8 were served");
    drop(deaf);
    while router.buffers().used > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    honest.write_all(b"PING\r\n").unwrap();
    expect(&mut honest, "+PONG\r\n");
    node.stop();
}

#[test]
fn connections_beyond_their_rate_wait_and_are_all_let_in() {
    let router = router(Limits { accepts: 20, ..Limits::default() });
    let node = Node::start(&router, 1, Settings::default());
    let mut clients: Vec<_> = (0..30).map(|_| node.connect()).collect();
    for client in &mut clients {
        client.write_all(b"PING\r\n").unwrap();
    }
    for client in &mut clients {
        expect(client, "+PONG\r\n");
    }
    let crowding = router.sight().crowding;
    assert!(crowding.held_back_by_rate > 0 && crowding.held_back_by_handshakes == 0);
    node.stop();
}

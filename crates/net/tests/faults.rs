//! Panics: a listener of the cache that fails on command stands for a bug of the core. Each costs what
//! `src/driver/faults.rs` says and nothing else.

mod node;

use breakwater_engine::{Cache, Config, EntryRef, Reason, RemovalListener};
use breakwater_net::{Cost, Settings};
use breakwater_resp::{Parsed, RequestParser};
use breakwater_router::{Options, Router, StoreAddress};
use node::{Node, expect};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Panics when something is removed, once it is armed.
#[derive(Default)]
struct Bug(AtomicBool);

impl RemovalListener for Bug {
    fn removed(&self, _: EntryRef<'_>, _: Reason) {
        assert!(!self.0.swap(false, Ordering::SeqCst), "the bug");
    }
}

fn router(upstream: Option<StoreAddress>) -> (Arc<Router>, Arc<Bug>) {
    let (cache, bug) = (Cache::new(Config::default()).unwrap(), Arc::new(Bug::default()));
    cache.listen(bug.clone());
    let options = Options { upstream, ..Options::default() };
    (Arc::new(Router::new(Arc::new(cache), options, 0)), bug)
}

/// Asks, and gives the reply; nothing, if the connection ended.
fn ask(client: &mut TcpStream, line: &str) -> String {
    let sent = client.write_all(format!("{line}\r\n").as_bytes());
    let mut reply = [0; 64];
    let count = sent.and_then(|()| client.read(&mut reply)).unwrap_or(0);
    String::from_utf8_lossy(&reply[..count]).into_owned()
}

#[test]
fn a_panic_in_a_command_costs_its_client_the_connection_and_nobody_else_anything() {
    let (router, bug) = router(None);
    let node = Node::start(&router, 1, Settings::default());
    let (mut one, mut other) = (node.connect(), node.connect());
    expect_ok(&mut one, "SET k v");
    expect_ok(&mut other, "SET l v");
    bug.0.store(true, Ordering::SeqCst);
    assert_eq!(ask(&mut one, "DEL k"), "", "its connection ends");
    let faults = node.faults();
    assert_eq!((faults.len(), faults[0].cost, &*faults[0].why), (1, Cost::Connection, "the bug"));
    assert_eq!(router.counts().faults, 1);
    assert_eq!(ask(&mut other, "GET l"), "$1\r\nv\r\n");
    assert_eq!(ask(&mut node.connect(), "GET l"), "$1\r\nv\r\n");
    node.stop();
}

fn expect_ok(client: &mut TcpStream, line: &str) {
    client.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    expect(client, "+OK\r\n");
}

/// A store with one value, and its connections, over which it may tell of a change.
struct Store {
    address: StoreAddress,
    lines: Arc<Mutex<Vec<TcpStream>>>,
}

impl Store {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = StoreAddress {
            host: "127.0.0.1".into(),
            port: listener.local_addr().unwrap().port(),
            unix: false,
            tls: false,
            user: None,
            password: None,
        };
        let lines: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let all = lines.clone();
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                all.lock().unwrap().push(socket.try_clone().unwrap());
                thread::spawn(move || answer(socket));
            }
        });
        Self { address, lines }
    }

    /// Tells the node of a change, over the first connection that hears of it.
    fn tell(&self) {
        for line in &mut *self.lines.lock().unwrap() {
            let _ = line.write_all(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
        }
    }
}

fn answer(mut socket: TcpStream) {
    let (mut parser, mut input, mut chunk) = (RequestParser::default(), vec![], [0; 4096]);
    loop {
        let Ok(count @ 1..) = socket.read(&mut chunk) else { return };
        input.extend_from_slice(&chunk[..count]);
        while let Parsed::Command(len) = parser.parse(&input, true) {
            let reply: &[u8] = match &parser.args(&input[..len]).word(0).to_ascii_lowercase()[..] {
                b"hello" => b"%0\r\n",
                b"get" => b"$1\r\nv\r\n",
                b"pttl" => b":-1\r\n",
                b"ping" => b"+PONG\r\n",
                _ => b"+OK\r\n",
            };
            input.drain(..len);
            if socket.write_all(reply).is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_panic_outside_of_a_client_costs_a_thread_its_connections_and_it_serves_on() {
    let store = Store::start();
    let (router, bug) = router(Some(store.address.clone()));
    // Two nodes in one process, so that it is known which thread has which clients.
    let (node, other) = (
        Node::start(&router, 1, Settings::default()),
        Node::start(&router, 1, Settings::default()),
    );
    let mut clients: Vec<_> = (0..8).map(|_| node.connect()).collect();
    for client in &mut clients {
        assert_eq!(ask(client, "GET k"), "$1\r\nv\r\n");
    }
    let mut spared = other.connect();
    assert_eq!(ask(&mut spared, "ECHO hello"), "$5\r\nhello\r\n");
    bug.0.store(true, Ordering::SeqCst);
    store.tell();
    let faults = node.faults();
    assert_eq!((faults.len(), faults[0].cost, &*faults[0].why), (1, Cost::Thread, "the bug"));
    for client in &mut clients {
        assert_eq!(ask(client, "PING"), "", "its connection has ended");
    }
    // Others notice nothing, and who comes is served, by both.
    assert_eq!(ask(&mut spared, "GET k"), "$1\r\nv\r\n");
    for node in [&node, &other] {
        let mut client = node.connect();
        assert_eq!(ask(&mut client, "GET k"), "$1\r\nv\r\n");
        assert_eq!(ask(&mut client, "SET k w"), "+OK\r\n");
    }
    assert_eq!(router.counts().faults, 1);
    node.stop();
    other.stop();
}

//! A process whose descriptors run out: nobody waits for one that may never come.
#![cfg(unix)]

mod node;

use breakwater_engine::{Cache, Config};
use breakwater_net::Settings;
use breakwater_router::{Options, Router};
use node::{Node, expect};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const WORDS: &str = "-ERR max number of clients reached\r\n";

/// The limit of the process, which its tests change one after the other.
static LIMIT: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    LIMIT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn limit(most: u64) {
    let limit = Rlimit { current: Some(most), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
}

fn router() -> Arc<Router> {
    let cache = Cache::new(Config::default()).unwrap();
    Arc::new(Router::new(Arc::new(cache), Options::default(), 0))
}

/// Opens files until none is free of the numbers below this one.
fn fill(below: i32) -> Vec<File> {
    let mut files: Vec<File> = vec![];
    while files.last().is_none_or(|last| last.as_raw_fd() < below) {
        files.push(File::open("/dev/null").unwrap());
    }
    files
}

fn asks(client: &mut TcpStream) {
    client.write_all(b"PING\r\n").unwrap();
}

/// All that a client gets until the node hangs up; a reset may have cost it the words.
fn heard(client: &mut TcpStream) -> String {
    let mut heard = vec![];
    if let Err(error) = client.read_to_end(&mut heard) {
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "it waits for ever");
    }
    String::from_utf8(heard).unwrap()
}

/// The first byte of the answer to a client who is served.
fn first_of(mut client: TcpStream) -> Option<u8> {
    let mut first = [0; 1];
    // A client that is turned away may hear of it before it asks.
    let _ = client.write_all(b"PING\r\n");
    let read = client.read(&mut first).is_ok_and(|read| read == 1);
    (read && first != *b"-").then_some(first[0])
}

#[test]
fn the_last_descriptors_are_no_clients_and_whoever_would_have_one_is_told_so() {
    let _alone = alone();
    limit(256);
    let router = router();
    let node = Node::start(&router, 1, Settings::default());
    // Clients may have the numbers up to 223.
    let files = fill(210);
    let mut served: Vec<TcpStream> = vec![];
    let mut refused = 0;
    for _ in 0..12 {
        let mut client = node.connect();
        let mut first = [0; 1];
        // A client that is turned away may hear of it before it asks.
        let _ = client.write_all(b"PING\r\n");
        match client.read(&mut first) {
            Ok(1) if first == *b"+" => {
                expect(&mut client, "PONG\r\n");
                served.push(client);
            }
            Ok(1) => {
                assert_eq!(heard(&mut client), WORDS[1..]);
                refused += 1;
            }
            _ => refused += 1,
        }
    }
    assert!(!served.is_empty() && refused > 0, "{} served", served.len());
    assert_eq!(router.counts().refused, refused);
    // Others find room, and those are served who were.
    let others = fill(240);
    for client in &mut served {
        asks(client);
        expect(client, "+PONG\r\n");
    }
    drop((files, others));
    limit(1024);
    node.stop();
}

#[test]
fn what_others_keep_of_the_last_descriptors_is_made_up_for_by_clients_who_leave() {
    let _alone = alone();
    limit(256);
    let router = router();
    let node = Node::start(&router, 1, Settings::default());
    // As threads that are started anew while clients fill the node: the new ones begin with the last numbers,
    // and the old ones leave low ones to whoever comes.
    let old: Vec<File> = (0..16).map(|_| File::open("/dev/null").unwrap()).collect();
    let clients = fill(222);
    assert_eq!(first_of(node.connect()), None, "the node is full");
    let new = fill(244);
    drop(old);
    for _ in 0..3 {
        assert_eq!(first_of(node.connect()), None, "a client has what others need");
    }
    drop(clients);
    assert_eq!(first_of(node.connect()), Some(b'+'));
    drop(new);
    limit(1024);
    node.stop();
}

#[test]
fn without_any_descriptor_one_client_goes_so_that_all_who_wait_hear_of_it() {
    let _alone = alone();
    limit(1024);
    let low = fill(100);
    let router = router();
    // What it keeps to spare has a number above the limit to come.
    let node = Node::start(&router, 1, Settings::default());
    let mut first = node.connect();
    asks(&mut first);
    expect(&mut first, "+PONG\r\n");
    let socket = |_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let waiting: Vec<Socket> = (0..20).map(socket).collect();
    drop(low);
    let mut served: Vec<TcpStream> = (0..5).map(|_| node.connect()).collect();
    for client in &mut served {
        asks(client);
        expect(client, "+PONG\r\n");
    }
    let files = fill(90);
    limit(60);
    for socket in waiting {
        socket.connect(&node.address().into()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let said = heard(&mut TcpStream::from(std::os::fd::OwnedFd::from(socket)));
        assert!(said == WORDS || said.is_empty(), "{said}");
    }
    let lost = served.iter_mut().filter_map(|client| {
        client.write_all(b"PING\r\n").ok()?;
        client.read_exact(&mut [0; 7]).ok()
    });
    assert_eq!(lost.count(), 4, "one has gone");
    assert_eq!(router.counts().refused, 20);
    drop(files);
    limit(1024);
    node.stop();
}

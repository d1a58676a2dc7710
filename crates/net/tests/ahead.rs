//! A driver that has received what a client sent before the client's turn comes.

use breakwater_engine::{Cache, Config};
use breakwater_net::{Driver, Entrance, Listening, Settings};
use breakwater_router::{Options, Router};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A driver that is turned by hand, and the address that it is reached at.
fn driver(router: &Arc<Router>) -> (Driver, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let on = Listening::Tcp(listener.try_clone().unwrap());
    let entrances = vec![Entrance { on, secure: false, proxied: false }];
    let settings = Settings { budget: Duration::from_secs(60) };
    (Driver::new(router.clone(), &Arc::default(), entrances, settings).unwrap(), listener)
}

/// So many clients, and their numbers.
fn connect(driver: &mut Driver, listener: &TcpListener, count: usize) -> Vec<(TcpStream, String)> {
    let connect = |_| {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client.write_all(b"CLIENT ID\r\n").unwrap();
        driver.turn();
        let mut line = [0; 16];
        let length = client.read(&mut line).unwrap();
        (client, String::from_utf8_lossy(&line[1..length - 2]).into_owned())
    };
    (0..count).map(connect).collect()
}

fn expect(client: &mut TcpStream, reply: &str) {
    let mut received = vec![0; reply.len()];
    client.read_exact(&mut received).unwrap();
    assert_eq!(String::from_utf8_lossy(&received), reply);
}

fn router() -> Arc<Router> {
    let cache = Cache::new(Config::default()).unwrap();
    Arc::new(Router::new(Arc::new(cache), Options::default(), 0))
}

#[test]
fn who_is_killed_by_the_client_before_it_runs_nothing_of_what_it_had_sent() {
    let router = router();
    let (mut driver, listener) = driver(&router);
    let mut clients = connect(&mut driver, &listener, 3);
    let victim = clients[1].1.clone();
    clients[0].0.write_all(format!("CLIENT KILL ID {victim}\r\n").as_bytes()).unwrap();
    clients[1].0.write_all(b"SET of:the:victim 1\r\n").unwrap();
    clients[2].0.write_all(b"SET of:another 1\r\n").unwrap();
    driver.turn();
    driver.turn();
    expect(&mut clients[0].0, ":1\r\n");
    expect(&mut clients[2].0, "+OK\r\n");
    assert_eq!(clients[1].0.read(&mut [0; 16]).unwrap_or(0), 0);
    clients[0].0.write_all(b"EXISTS of:the:victim\r\nEXISTS of:another\r\n").unwrap();
    driver.turn();
    expect(&mut clients[0].0, ":0\r\n:1\r\n");
}

#[test]
fn each_of_many_clients_of_one_turn_gets_the_replies_to_what_it_sent() {
    let router = router();
    let (mut driver, listener) = driver(&router);
    let mut clients = connect(&mut driver, &listener, 40);
    for round in 0..3 {
        for (at, (client, _)) in clients.iter_mut().enumerate() {
            client
                .write_all(format!("SET key:{at} {round}\r\nGET key:{at}\r\n").as_bytes())
                .unwrap();
        }
        driver.turn();
        for (client, _) in &mut clients {
            expect(client, &format!("+OK\r\n$1\r\n{round}\r\n"));
        }
        for (at, (client, _)) in clients.iter_mut().enumerate() {
            let other = (at * 7 + 3) % 40;
            client.write_all(format!("APPEND key:{other} -{at}\r\n").as_bytes()).unwrap();
        }
        driver.turn();
        for (client, _) in &mut clients {
            let mut length = [0; 8];
            assert!(client.read(&mut length).unwrap() > 0);
        }
        for (at, (client, _)) in clients.iter_mut().enumerate() {
            let other = (at * 7 + 3) % 40;
            client.write_all(format!("GET key:{other}\r\n").as_bytes()).unwrap();
        }
        driver.turn();
        for (at, (client, _)) in clients.iter_mut().enumerate() {
            let value = format!("{round}-{at}");
            expect(client, &format!("${}\r\n{value}\r\n", value.len()));
        }
    }
}

//! A node with real sockets, whose drivers are turned by threads of the test instead of event loops.

use breakwater_net::{Driver, Entrance, Fault, Group, Listening, Settings};
use breakwater_router::Router;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A node whose drivers share one listener, each turned by a thread of its own until it is stopped.
pub struct Node {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    faults: Arc<Mutex<Vec<Fault>>>,
}

impl Node {
    pub fn start(router: &Arc<Router>, count: usize, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let faults = Arc::new(Mutex::new(vec![]));
        let group = Arc::new(Group::default());
        let start = |_| {
            let (router, group, stop) = (router.clone(), group.clone(), stop.clone());
            let (listener, faults) = (listener.try_clone().unwrap(), faults.clone());
            thread::spawn(move || {
                let on = Listening::Tcp(listener);
                let entrances = vec![Entrance { on, secure: false, proxied: false }];
                let mut driver = Driver::new(router, &group, entrances, settings).unwrap();
                let mut told = false;
                while !driver.is_drained() {
                    if stop.load(Ordering::Relaxed) && !told {
                        told = true;
                        driver.drain(usize::MAX, Duration::from_secs(1));
                    }
                    driver.wait(Duration::from_millis(5)).unwrap();
                    faults.lock().unwrap().extend(driver.faults());
                }
            })
        };
        let threads = (0..count).map(start).collect();
        Self { address, stop, threads, faults }
    }

    #[allow(dead_code, reason = "most tests connect by `connect`")]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client
    }

    /// The panics that were told, once there are any.
    #[allow(dead_code, reason = "not every test has faults")]
    pub fn faults(&self) -> Vec<Fault> {
        loop {
            let faults = std::mem::take(&mut *self.faults.lock().unwrap());
            if !faults.is_empty() {
                return faults;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Drains every driver and waits for its end.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

pub fn expect(client: &mut TcpStream, reply: &str) {
    let mut received = vec![0; reply.len()];
    client.read_exact(&mut received).unwrap();
    assert_eq!(String::from_utf8_lossy(&received), reply);
}

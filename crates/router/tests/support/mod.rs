//! A client without a socket: what it sends, what it gets.

use breakwater_engine::{Cache, Clock, Config};
use breakwater_router::{Next, Options, Output, Peer, Router, Session};
use std::sync::Arc;

/// Unix milliseconds at which every test begins.
pub const START: u64 = 1_700_000_000_000;

/// A router whose time the test moves.
pub struct Node {
    pub router: Arc<Router>,
    pub clock: Clock,
}

impl Node {
    pub fn new(config: Config, options: Options) -> Self {
        let clock = Clock::manual();
        let cache = Cache::new(Config { clock: clock.clone(), ..config }).unwrap();
        let router = Arc::new(Router::new(Arc::new(cache), options, START));
        Self { router, clock }
    }

    #[allow(dead_code, reason = "not every test has usual options")]
    pub fn open() -> Self {
        Self::new(Config::default(), Options::default())
    }

    pub fn now(&self) -> u64 {
        START + self.clock.now()
    }

    pub fn connect(&self) -> Client<'_> {
        let peer = Peer {
            address: "10.0.0.1:5000".into(),
            local: "10.0.0.2:6380".into(),
            certificate: None,
        };
        let session = Session::open(&self.router, peer, self.now()).unwrap();
        Client { node: self, session }
    }
}

/// One connection to it.
pub struct Client<'a> {
    pub node: &'a Node,
    pub session: Session,
}

impl Client<'_> {
    /// Sends bytes; the replies and what comes next.
    pub fn feed(&mut self, bytes: &[u8]) -> (Vec<u8>, Next) {
        let mut output = Output::default();
        let next = self.session.feed(bytes, self.node.now(), &mut output);
        (output.bytes, next)
    }

    /// Sends one line; the replies as text.
    pub fn send(&mut self, line: &str) -> String {
        let (bytes, _) = self.feed(format!("{line}\r\n").as_bytes());
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A command as clients send it.
#[allow(dead_code, reason = "not every test has values of any bytes")]
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

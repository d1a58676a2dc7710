//! Two relays of one node, a store, and the network between them, of which the test says what moves
//! and when. No socket, no clock but the test's.

use super::fronting::router;
use super::server::{Line, Server};
use breakwater_engine::{Clock, Config};
use breakwater_resp::{Parsed, Protocol, ReplyParser, RequestParser};
use breakwater_router::{
    ClientId, Letter, Next, Output, Peer, Relay, Router, Routes, Rules, Session,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

pub const START: u64 = 1_700_000_000_000;

/// A client of the node.
pub struct Client {
    pub relay: usize,
    session: Session,
    awaits: bool,
    parser: ReplyParser,
    bytes: Vec<u8>,
    /// Replies that have come.
    pub replies: VecDeque<Vec<u8>>,
    /// Whether its connection was ended.
    pub ended: bool,
}

impl Client {
    /// All that has come, one behind the other.
    pub fn heard(&mut self) -> String {
        self.replies.drain(..).map(|reply| String::from_utf8(reply).unwrap()).collect()
    }
}

impl Client {
    /// Bytes of replies that wait behind those that are owed.
    pub fn kept(&self) -> usize {
        self.session.kept()
    }
}

/// All there is.
pub struct World {
    pub router: Arc<Router>,
    pub clock: Clock,
    pub relays: Vec<Relay>,
    pub server: Server,
    pub clients: Vec<Client>,
    ids: HashMap<ClientId, usize>,
    /// Connections that are being made, and those that are.
    pub opening: Vec<Line>,
    pub open: Vec<Line>,
    /// What is on its way to the server.
    pub to_server: BTreeMap<Line, Vec<u8>>,
    pub letters: Vec<Letter>,
}

impl World {
    pub fn new(relays: usize, routes: Routes) -> Self {
        let clock = Clock::manual();
        let grace = routes.grace();
        let config = Config { clock: clock.clone(), grace, ..Config::default() };
        let router = router(config, Rules { routes, ..Rules::default() }, START);
        Self {
            relays: (0..relays).map(|_| Relay::new(&router).unwrap()).collect(),
            router,
            clock,
            server: Server::default(),
            clients: vec![],
            ids: HashMap::new(),
            opening: vec![],
            open: vec![],
            to_server: BTreeMap::new(),
            letters: vec![],
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// A client of a relay.
    pub fn connect(&mut self, relay: usize, protocol: Protocol) -> usize {
        let session = Session::open(&self.router, Peer::default(), START).unwrap();
        let at = self.clients.len();
        self.ids.insert(session.id(), at);
        let (parser, bytes, replies) = (ReplyParser::default(), vec![], VecDeque::new());
        let (awaits, ended) = (false, false);
        self.clients.push(Client { relay, session, awaits, parser, bytes, replies, ended });
        if protocol == Protocol::Resp3 {
            self.send(at, "HELLO 3");
            self.clients[at].replies.pop_front().unwrap();
        }
        at
    }

    /// A client sends a line.
    pub fn send(&mut self, client: usize, line: &str) {
        self.feed(client, format!("{line}\r\n").as_bytes());
        self.settle_node();
    }

    /// A client goes.
    pub fn leave(&mut self, client: usize) {
        let Client { relay, session, .. } = &mut self.clients[client];
        session.end(&mut self.relays[*relay]);
        self.settle_node();
    }

    /// A thread ends, with its clients and its connections.
    pub fn end_thread(&mut self, relay: usize) {
        self.letters.extend(self.relays[relay].leave());
        let lines: Vec<_> = self.open.iter().filter(|line| line.0 == relay).copied().collect();
        for line in lines {
            self.to_server.remove(&line);
            self.server.hang_up(line);
        }
        self.open.retain(|line| line.0 != relay);
        self.opening.retain(|line| line.0 != relay);
        let number = self.relays[relay].number();
        self.letters.retain(|letter| letter.to != number);
    }

    /// Sends, lets everything arrive, and gives the reply.
    pub fn ask(&mut self, client: usize, line: &str) -> String {
        self.send(client, line);
        self.settle();
        let reply = self.clients[client].replies.pop_front().expect("a reply");
        String::from_utf8(reply).unwrap()
    }

    fn feed(&mut self, client: usize, bytes: &[u8]) {
        let now = START + self.now();
        let Client { relay, session, awaits, .. } = &mut self.clients[client];
        let mut output = Output::default();
        let next = if *awaits {
            session.hold(bytes, &mut output)
        } else {
            session.feed_through(bytes, now, &mut output, Some(&mut self.relays[*relay]))
        };
        let more = next == Next::Resume && !*awaits;
        *awaits |= next == Next::Await;
        assert_ne!(next, Next::Close);
        self.take(client, &output.bytes);
        if more {
            self.feed(client, &[]);
        }
    }

    fn take(&mut self, client: usize, bytes: &[u8]) {
        let Client { parser, bytes: kept, replies, .. } = &mut self.clients[client];
        kept.extend(bytes);
        while let Some(frame) = parser.parse(kept).expect("replies are well-formed") {
            replies.push_back(kept.drain(..frame.len).collect());
        }
    }

    /// Has the relays' wishes done, but moves nothing on the network.
    pub fn settle_node(&mut self) {
        for at in 0..self.relays.len() {
            self.relays[at].wake(self.clock.now());
            loop {
                let relay = &mut self.relays[at];
                for id in relay.closes() {
                    self.opening.retain(|line| *line != (at, id));
                    self.open.retain(|line| *line != (at, id));
                    self.to_server.remove(&(at, id));
                    self.server.hang_up((at, id));
                }
                self.opening.extend(relay.opens().into_iter().map(|id| (at, id)));
                for id in relay.touched() {
                    if let Some(output) = relay.output(id) {
                        self.to_server.entry((at, id)).or_default().append(output);
                    }
                }
                self.letters.extend(relay.letters());
                let deliveries = relay.deliveries();
                if deliveries.is_empty() {
                    relay.settle();
                    break;
                }
                for delivery in deliveries {
                    let client = self.ids[&delivery.client];
                    let mut out = vec![];
                    self.clients[client].session.deliver(&delivery, &mut out);
                    self.take(client, &out);
                    self.clients[client].ended |= delivery.ends;
                    if std::mem::take(&mut self.clients[client].awaits) {
                        self.feed(client, &[]);
                    }
                }
            }
        }
    }

    /// A connection that was asked for is there.
    pub fn open(&mut self, at: usize) {
        if self.opening.is_empty() {
            return;
        }
        let line = self.opening.remove(at % self.opening.len());
        self.open.push(line);
        self.relays[line.0].connected(line.1);
        self.settle_node();
    }

    /// What is on its way to the server arrives, and is done.
    pub fn forward(&mut self, line: Line) {
        let bytes = self.to_server.remove(&line).unwrap_or_default();
        let mut parser = RequestParser::default();
        let (mut used, now) = (0, self.now());
        while let Parsed::Command(len) = parser.parse(&bytes[used..], true) {
            let args = parser.args(&bytes[used..used + len]);
            self.server.run(line, args, now);
            used += len;
        }
        assert_eq!(used, bytes.len(), "whole requests are written");
    }

    /// So many bytes of the server arrive.
    pub fn back(&mut self, line: Line, count: usize) {
        let Some(sent) = self.server.sent.get_mut(&line) else { return };
        let count = count.min(sent.len());
        let bytes: Vec<u8> = sent.drain(..count).collect();
        self.relays[line.0].receive(line.1, &bytes);
        self.settle_node();
    }

    /// A connection is cut: what is on its way is lost.
    pub fn cut(&mut self, at: usize) {
        if self.open.is_empty() {
            return;
        }
        let line = self.open.remove(at % self.open.len());
        self.to_server.remove(&line);
        self.server.hang_up(line);
        self.relays[line.0].lost(line.1, "it was cut");
        self.settle_node();
    }

    /// A thread ends, and with it its connections.
    pub fn end(&mut self, relay: usize) {
        let letters = self.relays[relay].leave();
        self.letters.extend(letters);
        let lines: Vec<_> = self.open.extract_if(.., |line| line.0 == relay).collect();
        for line in lines {
            self.to_server.remove(&line);
            self.server.hang_up(line);
        }
    }

    /// One letter arrives.
    pub fn post(&mut self) {
        if self.letters.is_empty() {
            return;
        }
        let letter = self.letters.remove(0);
        if let Some(relay) = self.relays.iter_mut().find(|relay| relay.number() == letter.to) {
            relay.read_letter(letter);
        }
        self.settle_node();
    }

    pub fn pass(&mut self, ms: u64) {
        self.clock.advance(ms);
        self.settle_node();
    }

    /// Everything arrives.
    pub fn settle(&mut self) {
        for _ in 0..20 {
            self.settle_node();
            while !self.opening.is_empty() {
                self.open(0);
            }
            for line in self.open.clone() {
                self.forward(line);
            }
            for line in self.open.clone() {
                self.back(line, usize::MAX);
            }
            while !self.letters.is_empty() {
                self.post();
            }
        }
    }
}

//! Two relays of one node, a store, and the network between them, of which the test says what moves
//! and when. No socket, no clock but the test's.

use super::fronting::router;
use super::server::{Line, Server};
use breakwater_engine::{Clock, Config};
use breakwater_resp::{Parsed, Protocol, ReplyParser, RequestParser};
use breakwater_router::{
    ClientId, HookCaller, Letter, Next, Output, Peer, Relay, Router, Routes, Rules, Ruling, Session,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
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
    /// Who is asked about commands, if anybody is.
    pub hooks: Option<Box<dyn HookCaller>>,
    ids: HashMap<ClientId, usize>,
    /// Connections that are being made, and those that are.
    pub opening: Vec<Line>,
    pub open: Vec<Line>,
    /// What is on its way to the server.
    pub to_server: BTreeMap<Line, Vec<u8>>,
    pub letters: Vec<Letter>,
    /// What the server has answered, and how many of its bytes have to arrive until that is known.
    answered: Vec<(Line, String, usize)>,
    /// Relays whose threads have ended, and those that their connections are on their way to.
    over: BTreeSet<usize>,
    handed: Vec<(usize, u64)>,
}

/// The requests in bytes, each as a line.
fn requests(bytes: &[u8]) -> Vec<String> {
    let (mut parser, mut used, mut all) = (RequestParser::default(), 0, vec![]);
    while let Parsed::Command(len) = parser.parse(&bytes[used..], true) {
        let args = parser.args(&bytes[used..used + len]);
        let words: Vec<_> = args.iter().map(String::from_utf8_lossy).collect();
        all.push(words.join(" "));
        used += len;
    }
    all
}

/// The relay of a thread to which letters arrive.
fn relay(router: &Arc<Router>) -> Relay {
    let relay = Relay::new(router).unwrap();
    relay.is_reached();
    relay
}

impl World {
    pub fn new(relays: usize, routes: Routes) -> Self {
        Self::by(relays, Rules { routes, ..Rules::default() })
    }

    /// One that goes by these rules.
    pub fn by(relays: usize, rules: Rules) -> Self {
        Self::seeded(relays, rules, 0)
    }

    /// The same, which draws its lots from a seed.
    pub fn seeded(relays: usize, rules: Rules, seed: u64) -> Self {
        let clock = Clock::manual();
        let grace = rules.routes.grace();
        let config = Config { clock: clock.clone(), grace, ..Config::default() };
        let router = router(config, rules, START, seed);
        Self {
            relays: (0..relays).map(|_| relay(&router)).collect(),
            router,
            clock,
            server: Server::default(),
            clients: vec![],
            hooks: None,
            ids: HashMap::new(),
            opening: vec![],
            open: vec![],
            to_server: BTreeMap::new(),
            letters: vec![],
            answered: vec![],
            over: BTreeSet::new(),
            handed: vec![],
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Another thread begins: its relay.
    pub fn begin_thread(&mut self) -> usize {
        self.relays.push(relay(&self.router));
        self.relays.len() - 1
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

    /// A hook answers a question of a client later; whether that waited for it.
    pub fn answer(&mut self, client: usize, number: u64, ruling: Ruling) -> bool {
        let heard = self.clients[client].session.answer(number, ruling);
        if heard {
            self.clients[client].awaits = false;
            self.feed(client, &[]);
            self.settle_node();
        }
        heard
    }

    /// A client goes.
    pub fn leave(&mut self, client: usize) {
        let Client { relay, session, .. } = &mut self.clients[client];
        session.end(&mut self.relays[*relay]);
        self.settle_node();
    }

    /// A thread ends, with its clients and with the connections that it does not hand on.
    pub fn end_thread(&mut self, relay: usize) {
        let letters = self.relays[relay].leave();
        self.over.insert(relay);
        let mut kept = vec![];
        for letter in letters {
            if !letter.connections().is_empty() {
                self.handed.push((relay, letter.to));
                kept.extend(letter.connections().iter().map(|id| (relay, *id)));
            }
            self.letters.push(letter);
        }
        // What it had to write is written: the last exchange of a driver is behind it.
        for line in self.lines_of(relay) {
            if !kept.contains(&line) {
                self.drop_line(line);
            }
        }
        let number = self.relays[relay].number();
        for letter in self.letters.extract_if(.., |letter| letter.to == number).collect::<Vec<_>>()
        {
            self.lose_letter(&letter);
        }
    }

    fn lines_of(&self, relay: usize) -> Vec<Line> {
        let lines = self.open.iter().chain(&self.opening);
        lines.filter(|line| line.0 == relay).copied().collect()
    }

    fn drop_line(&mut self, line: Line) {
        self.open.retain(|other| *other != line);
        self.opening.retain(|other| *other != line);
        self.to_server.remove(&line);
        self.server.hang_up(line);
    }

    /// Who hands connections on to a relay.
    fn giver_to(&mut self, to: u64) -> Option<usize> {
        let at = self.handed.iter().position(|(_, heir)| *heir == to)?;
        Some(self.handed.remove(at).0)
    }

    /// A letter meets nobody, and the sockets that go with it are closed.
    fn lose_letter(&mut self, letter: &Letter) {
        if !letter.connections().is_empty()
            && let Some(giver) = self.giver_to(letter.to)
        {
            self.lines_of(giver).into_iter().for_each(|line| self.drop_line(line));
        }
    }

    /// A relay reads a letter, and has the sockets that come with it.
    fn read(&mut self, at: usize, letter: Letter) {
        let theirs = letter.connections().to_vec();
        let giver = if theirs.is_empty() { None } else { self.giver_to(letter.to) };
        let ours = self.relays[at].read_letter(letter);
        let Some(giver) = giver else { return };
        for (id, new) in theirs.into_iter().zip(ours) {
            let (from, to) = ((giver, id), (at, new));
            let known = self.open.iter_mut().chain(&mut self.opening).find(|line| **line == from);
            match known {
                Some(line) => {
                    *line = to;
                    if let Some(bytes) = self.to_server.remove(&from) {
                        self.to_server.insert(to, bytes);
                    }
                    self.server.rename(from, to);
                }
                None => self.relays[at].lost(new, "its socket is not open"),
            }
        }
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
            session.hold(bytes, &mut output, Some(&self.relays[*relay]))
        } else {
            let relay = Some(&mut self.relays[*relay]);
            session.feed_past(bytes, now, &mut output, relay, self.hooks.as_deref_mut())
        };
        let more = next == Next::Resume && !*awaits;
        *awaits |= next == Next::Await;
        let killed = self.hooks.is_some() && next == Next::Close;
        assert!(killed || next != Next::Close);
        self.clients[client].ended |= killed;
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
            if !self.over.contains(&at) {
                self.relays[at].wake(self.clock.now());
            }
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
        let ready = |line: &&Line| !self.over.contains(&line.0);
        let lines: Vec<_> = self.opening.iter().filter(ready).copied().collect();
        let Some(&line) = lines.get(at % lines.len().max(1)) else { return };
        self.opening.retain(|other| *other != line);
        self.open.push(line);
        self.relays[line.0].connected(line.1);
        self.settle_node();
    }

    /// No connection that is asked for is made.
    pub fn refuse_all(&mut self) {
        while let Some(line) = self.opening.pop() {
            self.to_server.remove(&line);
            self.relays[line.0].lost(line.1, "refused");
            self.settle_node();
        }
    }

    /// What is on its way to the server arrives, and is done.
    pub fn forward(&mut self, line: Line) {
        let bytes = self.to_server.remove(&line).unwrap_or_default();
        let mut parser = RequestParser::default();
        let (mut used, now) = (0, self.now());
        while let Parsed::Command(len) = parser.parse(&bytes[used..], true) {
            let args = parser.args(&bytes[used..used + len]);
            self.server.run(line, args, now);
            let words: Vec<_> = args.iter().map(String::from_utf8_lossy).collect();
            let ahead = self.server.sent.get(&line).map_or(0, Vec::len);
            self.answered.push((line, words.join(" "), ahead));
            used += len;
        }
        assert_eq!(used, bytes.len(), "whole requests are written");
    }

    /// As [`World::forward`], on one of the lines that are open.
    pub fn forward_some(&mut self, line: usize) {
        if let Some(&line) = self.open.get(line % self.open.len().max(1)) {
            self.forward(line);
        }
    }

    /// As [`World::back`], on one of the lines that are open.
    pub fn back_some(&mut self, line: usize, count: usize) {
        if let Some(&line) = self.open.get(line % self.open.len().max(1)) {
            self.back(line, count);
        }
    }

    /// So many bytes of the server arrive.
    pub fn back(&mut self, line: Line, count: usize) {
        if self.over.contains(&line.0) {
            return;
        }
        let Some(sent) = self.server.sent.get_mut(&line) else { return };
        let count = count.min(sent.len());
        let bytes: Vec<u8> = sent.drain(..count).collect();
        self.answered.retain_mut(|(of, _, ahead)| {
            *ahead -= if *of == line { count.min(*ahead) } else { 0 };
            *ahead > 0
        });
        self.relays[line.0].receive(line.1, &bytes);
        self.settle_node();
    }

    /// How often the server is being asked this: that is written, and no answer has arrived.
    pub fn asks(&self, line: &str) -> usize {
        let written = self.to_server.values().flat_map(|bytes| requests(bytes));
        let answered = self.answered.iter().map(|(_, request, _)| request.clone());
        written.chain(answered).filter(|request| request == line).count()
    }

    /// A connection is cut: what is on its way is lost.
    pub fn cut(&mut self, at: usize) {
        if self.open.is_empty() {
            return;
        }
        let line = self.open[at % self.open.len()];
        self.drop_line(line);
        if !self.over.contains(&line.0) {
            self.relays[line.0].lost(line.1, "it was cut");
        }
        self.settle_node();
    }

    /// One letter arrives.
    pub fn post(&mut self) {
        if self.letters.is_empty() {
            return;
        }
        let letter = self.letters.remove(0);
        match self.relays.iter().position(|relay| relay.number() == letter.to) {
            Some(at) if !self.over.contains(&at) => self.read(at, letter),
            _ => self.lose_letter(&letter),
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
            while self.opening.iter().any(|line| !self.over.contains(&line.0)) {
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

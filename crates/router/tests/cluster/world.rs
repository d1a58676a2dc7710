//! Clients, threads of a node, a cluster, and the network between them, of which a case says what moves
//! and when. No socket, no clock but the test's.

use super::client::{Ask, Client, Floors, keys};
use super::nodes::{Cluster, NODES, PORT, SHARDS, slot};
use super::wires::{Exchanged, Line, Wires};
use breakwater_engine::{Cache, Clock, Config};
use breakwater_resp::Protocol;
use breakwater_router::{
    ClusterOptions, Mode, Options, Peer, ReadFrom, Relay, Route, Router, Routes, Rules, Session,
    StoreAddress,
};
use std::sync::Arc;

const START: u64 = 1_700_000_000_000;
pub const CLIENTS: usize = 4;
/// How long, in milliseconds, anything may wait once the cluster is well.
const PATIENCE: u64 = 60_000;

/// Something that happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub enum Step {
    Ask(u8, Vec<Ask>),
    /// A connection is made, or cannot be.
    Open(u8),
    Refuse(u8),
    /// What was written arrives at a server; so many bytes of a server arrive.
    Forward(u8),
    Back(u8, u16),
    Cut(u8),
    Post,
    Pass(u16),
    /// Everything arrives.
    Arrive,
    /// A slot begins to move to a shard, goes on with a key, or has moved.
    Begin(u8, u8),
    MoveKey(u8),
    Finish(u8),
    /// A server is told what is so.
    Learn(u8),
    Replicate(u8),
    FailOver(u8),
    Part(u8),
    Kill(u8),
    Revive(u8),
    /// Somebody writes past the node.
    Write(u8),
    /// A client leaves; a thread ends.
    Leave(u8),
    End(u8),
}

impl<'a> arbitrary::Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let (kind, at) = (bytes.int_in_range(0..=63)?, bytes.arbitrary()?);
        Ok(match kind {
            0..=15 => {
                let count = bytes.int_in_range(1..=6)?;
                Self::Ask(at, (0..count).map(|_| bytes.arbitrary()).collect::<Result<_, _>>()?)
            }
            16..=18 => Self::Open(at),
            19..=25 => Self::Forward(at),
            26..=27 => Self::Back(at, u16::from(bytes.arbitrary::<u8>()?)),
            28..=34 => Self::Back(at, u16::MAX),
            35..=36 => Self::Post,
            37..=38 => Self::Pass(u16::from(at)),
            39..=42 => Self::Arrive,
            43..=46 => Self::Begin(at, bytes.arbitrary()?),
            47..=48 => Self::MoveKey(at),
            49..=50 => Self::Finish(at),
            51..=53 => Self::Learn(at),
            54..=55 => Self::Replicate(at),
            56 => Self::FailOver(at),
            57 => Self::Write(at),
            58 => Self::Cut(at),
            59 => Self::Part(at),
            60 => Self::Kill(at),
            61 => Self::Revive(at),
            62 => Self::Refuse(at),
            _ => match bytes.arbitrary()? {
                true => Self::Leave(at),
                false => Self::End(at),
            },
        })
    }
}

impl Step {
    /// Whether it may cost a reply, or the time that the node waits for one.
    pub fn is_harmful(&self) -> bool {
        use Step::*;
        matches!(self, Cut(_) | Part(_) | Kill(_) | Refuse(_) | End(_) | Leave(_) | Pass(_))
    }
}

#[derive(arbitrary::Arbitrary, Clone, Copy, Debug)]
pub struct Setup {
    pub two: bool,
    pub remembers: bool,
    pub replicas: bool,
}

pub struct World {
    router: Arc<Router>,
    clock: Clock,
    relays: Vec<Relay>,
    pub clients: Vec<Client>,
    pub cluster: Cluster,
    wires: Wires,
    floors: Floors,
}

impl World {
    pub fn new(setup: Setup) -> Self {
        let clock = Clock::manual();
        let read_from = if setup.replicas { ReadFrom::PreferReplica } else { ReadFrom::Primary };
        let mode = if setup.remembers { Mode::On } else { Mode::Off };
        let negative_ttl = 1_000_000;
        let route = Route { admission: false, mode, read_from, negative_ttl, ..Route::default() };
        let seed = StoreAddress {
            host: "n".into(),
            port: PORT,
            unix: false,
            tls: false,
            user: None,
            password: None,
        };
        let other = StoreAddress { port: PORT + 1, ..seed.clone() };
        let seeds = vec![seed.clone(), other];
        let options = Options {
            upstream: Some(seed),
            cluster: Some(ClusterOptions { seeds, ..ClusterOptions::default() }),
            rules: Rules { routes: Routes::new(vec![route]), ..Rules::default() },
            ..Options::default()
        };
        let config = Config { clock: clock.clone(), shards: Some(1), ..Config::default() };
        let cache = Arc::new(Cache::new(config).unwrap());
        let router = Arc::new(Router::new(cache, options, START));
        router.met(b"%2\r\n+server\r\n+redis\r\n+version\r\n+7.0.15\r\n");
        let relays = (0..1 + usize::from(setup.two)).map(|_| Relay::new(&router).unwrap());
        let mut world = Self {
            clock,
            relays: relays.collect(),
            clients: vec![],
            cluster: Cluster::new(),
            wires: Wires::default(),
            floors: Floors::new(),
            router,
        };
        for at in 0..CLIENTS {
            let client = world.connect(at);
            world.clients.push(client);
        }
        world.settle();
        world
    }

    fn now(&self) -> u64 {
        START + self.clock.now()
    }

    fn connect(&mut self, at: usize) -> Client {
        let now = self.now();
        let relay = at % self.relays.len();
        let session = Session::open(&self.router, Peer::default(), now).unwrap();
        let mut client = Client::new(relay, session);
        let protocol = if at.is_multiple_of(2) { Protocol::Resp2 } else { Protocol::Resp3 };
        client.greet(protocol, now, &mut self.relays[relay]);
        client
    }

    pub fn take(&mut self, step: &Step) {
        let choose = |at: u8, count: usize| usize::from(at) % count.max(1);
        let line = |lines: &[Line], at: u8| lines.get(choose(at, lines.len())).copied();
        let tag = |at: u8| slot(&keys(at << 2)[0]);
        let replica = |at: u8| SHARDS + choose(at, NODES - SHARDS);
        match step {
            Step::Ask(at, asks) => self.ask(choose(*at, CLIENTS), asks),
            Step::Open(at) => self.opened(line(&self.wires.opening, *at), true),
            Step::Refuse(at) => self.opened(line(&self.wires.opening, *at), false),
            Step::Forward(at) => self.forward(line(&self.wires.open, *at)),
            Step::Back(at, count) => self.back(line(&self.wires.open, *at), usize::from(*count)),
            Step::Cut(at) => self.cut(line(&self.wires.open, *at)),
            Step::Post => self.post(),
            Step::Pass(ms) => self.clock.advance(u64::from(*ms)),
            Step::Arrive => self.arrive(),
            Step::Begin(at, to) => self.cluster.begin_move(tag(*at), choose(*to, SHARDS)),
            Step::MoveKey(at) => drop(self.cluster.move_key(tag(*at))),
            Step::Finish(at) => self.cluster.finish_move(tag(*at)),
            Step::Learn(at) => self.cluster.learn(choose(*at, NODES)),
            Step::Replicate(at) => {
                self.cluster.replicate(replica(*at));
                self.cluster.replicate(choose(*at, NODES));
            }
            Step::FailOver(at) => self.cluster.fail_over(choose(*at, SHARDS)),
            Step::Part(at) => self.cluster.part(choose(*at, SHARDS)),
            Step::Kill(at) => {
                for line in self.cluster.kill(choose(*at, NODES)) {
                    self.cut(Some(line));
                }
            }
            Step::Revive(at) => self.cluster.revive(choose(*at, NODES)),
            Step::Write(at) => {
                let mark = format!("0.{}", self.cluster.past.values().map(Vec::len).sum::<usize>());
                self.cluster.write(&keys(*at)[0], &mark);
            }
            Step::Leave(at) => self.clients[choose(*at, CLIENTS)].over = true,
            Step::End(at) => self.end_thread(choose(*at, self.relays.len())),
        }
        self.settle();
        self.check();
    }

    pub fn ask(&mut self, at: usize, asks: &[Ask]) {
        let now = self.now();
        let client = &mut self.clients[at];
        let bytes = client.ask(asks, &self.floors);
        let relay = &mut self.relays[client.relay];
        relay.wake(self.clock.now());
        client.feed(&bytes, now, relay);
        client.take(&self.cluster, &mut self.floors);
    }

    /// No write is done twice, and those of one client that it was told of are in order.
    fn check(&self) {
        for (key, past) in &self.cluster.past {
            for (at, mark) in past.iter().enumerate() {
                assert!(!past[..at].contains(mark), "{mark} was written twice to {key}");
            }
        }
    }

    /// Has the relays' wishes done, but moves nothing on the network.
    pub fn settle(&mut self) {
        loop {
            for at in 0..CLIENTS {
                if self.clients[at].over {
                    let relay = self.clients[at].relay;
                    self.clients[at].end(&mut self.relays[relay]);
                    self.clients[at] = self.connect(at);
                }
            }
            let mut busy = false;
            for at in 0..self.relays.len() {
                self.relays[at].wake(self.clock.now());
                busy |= self.exchange(at);
            }
            let now = self.now();
            for client in &mut self.clients {
                busy |= client.resume(now, &mut self.relays[client.relay]);
                client.take(&self.cluster, &mut self.floors);
            }
            if !busy && self.clients.iter().all(|client| !client.over) {
                return;
            }
        }
    }

    /// Does what a relay wants done; whether that was anything.
    fn exchange(&mut self, at: usize) -> bool {
        let Exchanged { busy, closed, deliveries } = self.wires.exchange(&mut self.relays[at]);
        closed.into_iter().for_each(|line| self.cluster.hang_up(line));
        for delivery in deliveries {
            let of = |client: &&mut Client| client.id() == delivery.client && !client.over;
            if let Some(client) = self.clients.iter_mut().find(of) {
                client.deliver(&delivery);
                client.take(&self.cluster, &mut self.floors);
            }
        }
        busy
    }

    fn drop_line(&mut self, line: Line) {
        self.wires.hang_up(line);
        self.cluster.hang_up(line);
    }

    fn relay(&mut self, number: u64) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|relay| relay.number() == number)
    }

    fn opened(&mut self, line: Option<Line>, well: bool) {
        let Some(line) = line else { return };
        self.wires.opening.retain(|other| *other != line);
        let Some(relay) = self.relay(line.0) else { return };
        let node = usize::from(relay.address(line.1).port - PORT);
        if well && self.cluster.is_up(node) {
            self.wires.open.push(line);
            self.cluster.open(line, node);
            self.relay(line.0).into_iter().for_each(|relay| relay.connected(line.1));
        } else {
            self.relay(line.0).into_iter().for_each(|relay| relay.lost(line.1, "refused"));
        }
    }

    fn forward(&mut self, line: Option<Line>) {
        let Some(line) = line else { return };
        for bytes in self.wires.take_written(line) {
            self.cluster.receive(line, &bytes);
        }
    }

    fn back(&mut self, line: Option<Line>, count: usize) {
        let Some(line) = line else { return };
        let bytes = self.cluster.take(line, count);
        if !bytes.is_empty() {
            self.relay(line.0).into_iter().for_each(|relay| relay.receive(line.1, &bytes));
        }
    }

    fn cut(&mut self, line: Option<Line>) {
        let Some(line) = line else { return };
        self.drop_line(line);
        self.relay(line.0).into_iter().for_each(|relay| relay.lost(line.1, "it was cut"));
    }

    fn post(&mut self) {
        if !self.wires.letters.is_empty() {
            let letter = self.wires.letters.remove(0);
            if let Some(relay) = self.relay(letter.to) {
                relay.read_letter(letter);
            }
        }
    }

    /// A thread ends as a driver does: its clients are gone without a word, its reads are handed on.
    fn end_thread(&mut self, at: usize) {
        let fresh = Relay::new(&self.router).unwrap();
        let mut gone = std::mem::replace(&mut self.relays[at], fresh);
        let number = gone.number();
        for place in 0..CLIENTS {
            if self.clients[place].relay == at {
                self.clients[place] = self.connect(place);
            }
        }
        self.wires.letters.extend(gone.leave());
        self.wires.opening.retain(|line| line.0 != number);
        for line in self.wires.open.clone().into_iter().filter(|line| line.0 == number) {
            self.drop_line(line);
        }
    }

    /// Everything that is on its way arrives.
    pub fn arrive(&mut self) {
        for _ in 0..4 {
            while let Some(line) = self.wires.opening.first().copied() {
                self.opened(Some(line), true);
                self.settle();
            }
            self.settle();
            for line in self.wires.open.clone() {
                self.forward(Some(line));
                self.back(Some(line), usize::MAX);
            }
            while !self.wires.letters.is_empty() {
                self.post();
            }
            self.settle();
        }
    }

    /// The cluster is well again: everybody is served, by what the relays wait for alone.
    pub fn calm(&mut self) {
        self.cluster.calm();
        let begun = self.clock.now();
        self.arrive();
        while !self.clients.iter().all(Client::is_served) {
            self.next();
            assert!(self.clock.now() - begun < PATIENCE, "somebody waits for too long");
        }
        self.check();
    }

    /// Time passes until something is due.
    pub fn next(&mut self) {
        let at = self.relays.iter().filter_map(Relay::wake_at).min();
        let at = at.expect("somebody waits, and nothing will ever happen");
        self.clock.advance(at.saturating_sub(self.clock.now()).max(1));
        self.cluster_catches_up();
        self.arrive();
    }

    fn cluster_catches_up(&mut self) {
        (0..NODES).for_each(|node| self.cluster.replicate(node));
    }

    /// So much time passes, in steps.
    pub fn pass(&mut self, ms: u64) {
        let end = self.clock.now() + ms;
        while self.clock.now() < end {
            self.clock.advance(50);
            self.cluster_catches_up();
            self.arrive();
        }
    }
}

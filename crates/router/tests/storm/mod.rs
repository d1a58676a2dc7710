//! Whole sessions in a storm: clients, two threads, a store and the network between them, where
//! anything may happen at any time. Nothing panics, nothing grows beyond its bound, replies come in the
//! order of their requests and to whom they are for, and everything that was asked is answered, or its
//! client's connection ends, by what the relays themselves say that they wait for.

pub mod case;
pub mod client;
#[path = "../fronting/mod.rs"]
mod fronting;
mod network;
mod store;
#[path = "../wires/mod.rs"]
mod wires;

use breakwater_engine::{Clock, Config};
use breakwater_router::{Limits, Peer, Relay, Route, Router, Routes, Rules, Session};
use case::{Case, End, Memory, Setup, Step};
use client::Client;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::Store;
use wires::{Line, Wires};

const START: u64 = 1_700_000_000_000;
const CLIENTS: usize = 5;
/// The largest value of a request, and what belongs to it.
const PIECE: usize = 70_000;
/// How long, in milliseconds, a client may be given nothing of what it has asked in the storm when that
/// is over, besides pauses. All of it takes no longer, but for what waits for a connection of its own:
/// each such request has its time behind the store's last reply to its client.
///
/// A read that another thread leads waits for `store_timeout` and the 3 s after which a server that says
/// nothing is taken for dead; what its client is let in to ask then has `store_timeout` anew, if it is a
/// read that is shared.
const PATIENCE: u64 = 7_000;
/// For how long, in milliseconds, what is lost is tried again, in a storm where it is.
const RETRY: u64 = 700;

/// Tight ones, so that they are met.
fn limits(retries: bool) -> Limits {
    Limits {
        output: 4096,
        batch: 3,
        input: 1 << 20,
        value: 1 << 16,
        waiting: 1 << 17,
        messages: 2048,
        slow_reader: 300_000,
        in_flight: 16,
        unwritten: 1 << 16,
        pinned: 2,
        tracked_keys: 64,
        tracked_keys_by_client: 8,
        misses: 3,
        waiting_misses: 4,
        wait: 500,
        breaker_failures: 4,
        breaker_pause: 400,
        store_timeout: 2_000,
        store_retry: if retries { RETRY } else { 0 },
        buffers: 1 << 18,
        clients: 2 * CLIENTS,
        accepts: 0,
        handshakes: 0,
    }
}

/// The marks of requests, `#client.number#`, in the order of their places.
fn marks(bytes: &[u8]) -> Vec<(u64, u64)> {
    let text = String::from_utf8_lossy(bytes);
    let mark = |part: &str| {
        let (client, number) = part.split_once('.')?;
        Some((client.parse().ok()?, number.parse().ok()?))
    };
    text.split('#').filter_map(mark).collect()
}

struct Storm {
    setup: Setup,
    router: Arc<Router>,
    clock: Clock,
    relays: Vec<Relay>,
    clients: Vec<Client>,
    store: Store,
    wires: Wires,
    /// Which relay hands connections on, and to which.
    handed: Vec<(u64, u64)>,
    /// Connections that have come from other threads.
    inherited: BTreeSet<Line>,
    /// Whether anybody has asked to end a script.
    interrupts: bool,
    /// For how many milliseconds all that was asked holds up clients, at the most.
    pauses: u64,
}

/// The relay of a thread to which letters arrive.
fn relay(router: &Arc<Router>) -> Relay {
    let relay = Relay::new(router).unwrap();
    relay.is_reached();
    relay
}

/// Goes through a storm; the most connections to the store that a thread had.
pub fn weather(case: &Case) -> usize {
    let (mut storm, mut most) = (Storm::new(case.setup), 0);
    for step in &case.steps {
        storm.take(step);
        most = most.max(storm.check_bounds());
    }
    storm.clear();
    most
}

impl Storm {
    fn new(setup: Setup) -> Self {
        let route = match setup.memory {
            Memory::On => Route { admission: false, ..Route::default() },
            Memory::Off => Route { mode: breakwater_router::Mode::Off, ..Route::default() },
            Memory::Busy => Route {
                ttl: Some(50),
                verify: 0.5,
                refresh_ahead: 0.9,
                stale_if_error: 1_000,
                ..Route::default()
            },
        };
        let clock = Clock::manual();
        let routes = Routes::new(vec![route]);
        let config = Config {
            max_bytes: Some(1 << 20),
            shards: Some(1),
            clock: clock.clone(),
            grace: routes.grace(),
            ..Config::default()
        };
        let rules = Rules { routes, limits: limits(setup.retries), ..Rules::default() };
        let router = fronting::router(config, rules, START, 0);
        let relays = (0..1 + usize::from(setup.two)).map(|_| relay(&router));
        let mut storm = Self {
            setup,
            clock,
            relays: relays.collect(),
            clients: vec![],
            store: Store::default(),
            wires: Wires::default(),
            handed: vec![],
            inherited: BTreeSet::new(),
            interrupts: false,
            pauses: 0,
            router,
        };
        for at in 0..CLIENTS {
            let client = storm.connect(at);
            storm.clients.push(client);
        }
        storm
    }

    fn connect(&self, at: usize) -> Client {
        let session = Session::open(&self.router, Peer::default(), self.now()).unwrap();
        Client::new(at % self.relays.len(), session, self.setup.honest)
    }

    fn now(&self) -> u64 {
        START + self.clock.now()
    }

    /// The relay of a line; nobody's, if its thread is gone.
    fn relay(&mut self, number: u64) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|relay| relay.number() == number)
    }

    fn take(&mut self, step: &Step) {
        let choose = |at: u8, count: usize| usize::from(at) % count;
        let line = |lines: &[Line], at: u8| lines.get(choose(at, lines.len().max(1))).copied();
        match step {
            Step::Ask(at, ask) => self.ask(choose(*at, CLIENTS), &[*ask]),
            Step::Pipeline(at, asks) => self.ask(choose(*at, CLIENTS), asks),
            Step::Raw(at, bytes) => {
                let at = choose(*at, CLIENTS);
                self.clients[at].loosen();
                self.feed(at, bytes);
            }
            Step::Takes(at, takes) => self.clients[choose(*at, CLIENTS)].takes(*takes),
            Step::Leave(at) => self.clients[choose(*at, CLIENTS)].over = true,
            Step::Open(at) => self.opened(line(&self.wires.opening, *at), true),
            Step::Refuse(at) => self.opened(line(&self.wires.opening, *at), false),
            Step::Forward(at) => self.forward(line(&self.wires.open, *at)),
            Step::Back(at, count) => self.back(line(&self.wires.open, *at), usize::from(*count)),
            Step::Release(at) => {
                line(&self.wires.open, *at).into_iter().for_each(|line| self.store.release(line));
            }
            Step::Error(at) => {
                line(&self.wires.open, *at).into_iter().for_each(|line| self.store.fail(line));
            }
            Step::Invalidate(at, key) => {
                let line = line(&self.wires.open, *at);
                line.into_iter().for_each(|line| self.store.invalidate(line, key % 4));
            }
            Step::Publish(channel) => self.store.publish(channel % 3),
            Step::Nonsense(at, bytes) if !self.setup.honest => {
                line(&self.wires.open, *at)
                    .into_iter()
                    .for_each(|line| self.store.say(line, bytes));
            }
            Step::Nonsense(..) => {}
            Step::Cut(at) => self.cut(line(&self.wires.open, *at)),
            Step::Post => self.post(),
            Step::Pass(ms) => self.clock.advance(u64::from(*ms)),
            Step::End(at) => self.end_thread(choose(*at, self.relays.len())),
            Step::Settle => self.arrive(),
        }
        self.settle();
    }

    fn ask(&mut self, at: usize, asks: &[case::Ask]) {
        let ids: Vec<_> = self.clients.iter().map(Client::id).collect();
        self.interrupts |= asks.iter().any(client::interrupts);
        self.pauses += asks.iter().map(client::pauses).sum::<u64>();
        let bytes = self.clients[at].ask(asks, &ids);
        self.feed(at, &bytes);
    }

    fn feed(&mut self, at: usize, bytes: &[u8]) {
        let now = self.now();
        let client = &mut self.clients[at];
        let relay = &mut self.relays[client.relay];
        relay.wake(self.clock.now());
        let kills = client.feed(bytes, now, relay);
        self.kill(&kills);
    }

    fn kill(&mut self, ids: &[u64]) {
        for client in &mut self.clients {
            client.over |= ids.contains(&client.id());
        }
    }

    /// Has the relays' wishes done, but moves nothing on the network.
    fn settle(&mut self) {
        loop {
            self.replace();
            let mut busy = false;
            for relay in &mut self.relays {
                relay.wake(self.clock.now());
            }
            for at in 0..self.relays.len() {
                busy |= self.exchange(at);
            }
            for at in 0..CLIENTS {
                let client = &mut self.clients[at];
                let now = START + self.clock.now();
                let kills = client.resume(now, &mut self.relays[client.relay]);
                busy |= kills.is_some();
                self.kill(&kills.unwrap_or_default());
            }
            if !busy && self.clients.iter().all(|client| !client.over) {
                return;
            }
        }
    }

    /// Other clients come in the places of those that are gone.
    fn replace(&mut self) {
        for at in 0..CLIENTS {
            if self.clients[at].over {
                let relay = self.clients[at].relay;
                self.clients[at].end(&mut self.relays[relay]);
                self.clients[at] = self.connect(at);
            }
        }
    }

    /// Nothing grows beyond its bound; how many connections to the store a thread has.
    fn check_bounds(&self) -> usize {
        let limits = limits(self.setup.retries);
        for client in &self.clients {
            let (commands, replies) = client.kept();
            assert!(commands <= limits.input + PIECE, "{commands} bytes of commands wait");
            assert!(replies <= limits.output + PIECE, "{replies} bytes of replies are kept");
        }
        let counts = self.relays.iter().map(|relay| {
            let (count, kinds) = self.store.count(relay.number());
            let open = self.wires.open.iter().chain(&self.wires.opening);
            let others = open.filter(|line| line.0 == relay.number());
            let others = others.filter(|line| self.inherited.contains(line)).count();
            // The one that hears, and those by which the store tells of what ended threads have read.
            assert!(others <= 1 + 4, "{others} connections of other threads");
            // One of each kind for all, those of single clients, and the one that hears; and one of each
            // protocol for what ends a script, if anybody has asked for that.
            let most = kinds + limits.pinned + 1 + if self.interrupts { 2 } else { 0 };
            let own = count.saturating_sub(others);
            assert!(own <= most, "{own} connections of {kinds} kinds to the store");
            count
        });
        counts.max().unwrap_or_default()
    }

    /// The storm is over: everybody is served, by what the relays wait for alone.
    fn clear(&mut self) {
        for client in &mut self.clients {
            client.takes(true);
        }
        self.store.silent = self.setup.end != End::Answers;
        if self.setup.end == End::Gone {
            self.wires.open.clone().into_iter().for_each(|line| self.cut(Some(line)));
        }
        let begun = self.clock.now();
        let mut rounds = 0;
        // A read that is asked again has its time anew.
        let again = if self.setup.retries { RETRY + limits(true).store_timeout } else { 0 };
        let patience = PATIENCE + again + self.pauses;
        let own = self.clients.iter().map(|client| client.own).max().unwrap_or_default();
        let whole = patience + limits(false).store_timeout * own.saturating_sub(3);
        let mut given = [(0, begun); CLIENTS];
        loop {
            self.arrive();
            let blocking = self.setup.end == End::Silent;
            if self.clients.iter().all(|client| client.is_served(blocking)) {
                break;
            }
            // What blocks is answered one after the other, and each answer lets the next one be asked.
            let is_under_way = self.store.is_blocked() || !self.wires.written.is_empty();
            if self.setup.end == End::Answers && is_under_way {
                rounds += 1;
                assert!(rounds < 1_000, "something is on its way for ever");
                continue;
            }
            let at = self.relays.iter().filter_map(Relay::wake_at).min();
            let at = at.expect("somebody waits, and nothing will ever happen");
            self.clock.advance(at.saturating_sub(self.clock.now()).max(1));
            let now = self.clock.now();
            assert!(now - begun <= whole, "somebody waits for too long: {} ms", now - begun);
            for (client, (given, since)) in self.clients.iter().zip(&mut given) {
                if client.is_served(blocking) || client.given > *given {
                    (*given, *since) = (client.given, now);
                }
                let waited = now - *since;
                assert!(waited <= patience, "a client waits for too long: {waited} ms");
            }
        }
        if self.setup.end == End::Answers {
            self.clients.iter().for_each(Client::check_answered);
            self.leave();
        }
    }

    /// Everybody leaves, and nothing stays behind.
    fn leave(&mut self) {
        for at in 0..CLIENTS {
            let relay = self.clients[at].relay;
            self.clients[at].end(&mut self.relays[relay]);
            self.clients[at] = self.connect(at);
        }
        self.arrive();
        if self.setup.honest {
            self.store.check_clean();
        }
    }
}

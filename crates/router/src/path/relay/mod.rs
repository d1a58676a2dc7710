//! One thread's requests on their way to the store, and replies on their way back.
//!
//! The life of a request, after its client's session has read it (`client`):
//!
//! 1. **classify**: what the command does to keys, and whether the user may run it (`catalog`).
//! 2. **answer**: what speaks of the client's own connection is answered by the node; a `GET` whose
//!    value the cache has is answered from it.
//! 3. **join**: a `GET` of a key that is being read already waits for that read.
//! 4. **send**: the rest goes to the store, verbatim, over a connection that all clients of the
//!    thread share; what changes keys is invalidated first. What needs a connection of its own gets
//!    one.
//! 5. **receive**: replies belong to requests first in, first out. What changed keys is invalidated
//!    once more; a value that was read is stored, unless a change of its key was heard of since.
//! 6. **deliver**: the driver hands each reply to its client's session, which keeps their order.
//!
//! ```text
//! 1 classify    request: what leads to all others; usual: the short way through 1 and 2;
//!               checks, scope: what is refused, and what a request concerns;
//!               unknown: commands that the table does not have
//! 2 answer      reads; verify: some replies are compared with the store's;
//!               sessions: what the node answers by itself; face, inform, meeting: of the store
//! 3 join        flights; read: what a read goes through, as a table; copies: of what is hot;
//!               misses, place: how many reads a server is asked at once
//! 4 send        homes: to which server; placing: reads to replicas, probes: how far these are;
//!               survey: where the keys of a cluster are; parts, gather, scans: to several servers
//!               choice: over which connection; link: the connections; addressees, sent: what is
//!               owed over them; crowd: who waits for one; breakers: servers that are not asked
//! 5 receive     heard, events: what connections say; invalidation: what leaves memory;
//!               landing: what is remembered; absent, redo, detours, elsewhere, refusal: what a
//!               server has not done and another one is asked
//! 6 deliver     reply; timing: how long it took
//!
//! sessions      transactions, batches; own, pins: over a connection of one client; step: the
//!               replies to these; pause
//! messages      pubsub: what clients subscribe to; ear, stations: what one thread hears for all
//! tracking      tracking; loops, lanes, broadcast: by connections of their own
//! threads       driver: what a thread does with its relay; mail: what relays tell each other;
//!               handover, legacy: what a thread leaves that ends; warming: what a process that
//!               begins takes over
//! ```
//!
//! A client's requests that have no reply yet may be on several connections: `pending` says which of
//! them waits for another one.

mod absent;
mod addressees;
mod batches;
mod breakers;
mod broadcast;
mod checks;
mod choice;
mod copies;
mod crowd;
mod detours;
mod driver;
mod ear;
mod elsewhere;
mod events;
mod face;
mod flights;
mod gather;
mod handover;
mod heard;
mod homes;
mod inform;
mod invalidation;
mod landing;
mod lanes;
mod legacy;
mod link;
mod loops;
mod mail;
mod meeting;
mod misses;
mod own;
mod parts;
mod pause;
mod pins;
mod place;
mod placing;
mod probes;
mod pubsub;
mod read;
mod reads;
mod redo;
mod refusal;
mod reply;
mod request;
mod scans;
mod scope;
mod sent;
mod sessions;
mod stations;
mod step;
mod survey;
mod timing;
mod tracking;
mod transactions;
mod unknown;
mod usual;
mod verify;
mod warming;

use super::course::Delivery;
use super::heat::Heat;
use super::letter::Letter;
use super::pending::LinkId;
use crate::cache::RouteTally;
use crate::shared::{ClientId, Edition, Router, ThreadBuffers};
use crate::sight::{Seat, StepCounts, StoreLatencies};
use crate::topology::{Flow, Map, ServerId, ServerTally};
use batches::{Batches, LateBatch};
use breakwater_engine::Ticket;
use breakwater_resp::Protocol;
use broadcast::Feed;
use crowd::Crowds;
use detours::Detours;
use ear::Hearing;
use foldhash::fast::FixedState;
use gather::Gather;
use lanes::Lanes;
use legacy::Legacies;
use link::Link;
use loops::Loops;
use meeting::Meeting;
use misses::Misses;
use pins::Pins;
use probes::Probes;
use pubsub::Subscribers;
use read::Read;
use redo::Redo;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use survey::Survey;
use tracking::Tracks;
pub(crate) use tracking::as_message;
use unknown::Answer;
use warming::Warming;

/// The most requests of one client that have no reply yet; further ones wait in its session.
const IN_FLIGHT: usize = 1024;

/// What the requests of one thread share.
pub struct Relay {
    router: Arc<Router>,
    /// The rules that it works by: those of the last request.
    rules: Arc<Edition>,
    /// Who this thread is among those that read.
    number: u64,
    links: HashMap<LinkId, Link, FixedState>,
    last_link: LinkId,
    /// The connections that all clients share: for each server, protocol and database in use.
    shared: HashMap<(ServerId, Protocol, u8), LinkId, FixedState>,
    /// The connections for what ends a script: see [`Relay::urgent_with`].
    urgent: HashMap<(ServerId, Protocol), LinkId, FixedState>,
    /// Connections with something to write.
    touched: Vec<LinkId>,
    /// Connections to be opened, and to be closed.
    opens: Vec<LinkId>,
    closes: Vec<LinkId>,
    /// Connections that are full, and who waits for them.
    crowds: Crowds,
    /// How many reads servers are asked, and which wait.
    misses: Misses,
    /// Servers that have failed too often, of which it knows.
    minded: BTreeSet<ServerId>,
    /// Connections that belong to single clients.
    pins: Pins,
    /// What it hears for all threads, if it is the one that does, and what its own clients hear.
    hearing: Hearing,
    subscribers: Subscribers,
    /// What its clients track, what is heard for that, and those who do not hear of what they write.
    tracks: Tracks,
    feed: Feed,
    loops: Loops,
    lanes: Lanes,
    /// Connections of threads that have ended.
    legacies: Legacies,
    meeting: Meeting,
    probes: Probes,
    survey: Survey,
    /// What a server has not done and is tried again, and transactions on their way.
    redos: Vec<Redo>,
    detours: Detours,
    batches: Batches,
    late_batches: Vec<LateBatch>,
    /// Clients that wait until a server can be asked, and until when.
    awaiting: HashMap<ClientId, u64>,
    /// Until when they do in front of a store that is no cluster: a while from when it was lost.
    lost_until: u64,
    /// Where keys are.
    map: Arc<Map>,
    /// What is counted of each server.
    flow: Vec<ServerTally>,
    /// What the store says of commands that the table does not have.
    answers: HashMap<Vec<u8>, Answer>,
    /// Reads whose replies are to be remembered, by the numbers of their flights.
    reads: HashMap<u64, Read, FixedState>,
    /// What is read before the first client comes.
    warming: Warming,
    /// Flights of other threads that are waited for, and until when.
    waits: VecDeque<(u64, Ticket)>,
    /// Requests that are done in parts.
    gather: Gather,
    /// Which keys are hot.
    heat: Heat,
    letters: Vec<Letter>,
    /// Clients that wait until a pause is over.
    paused: BTreeSet<ClientId>,
    tally: RouteTally,
    /// What its thread counts of requests, and how long stores take, by their numbers.
    seat: Seat,
    timings: Vec<Option<Arc<StoreLatencies>>>,
    batch: StepCounts,
    /// Nanoseconds by the drivers' clock, as of the step that is done.
    clock: u64,
    /// The state of the numbers that lots are drawn by.
    lots: u64,
    deliveries: Vec<Delivery>,
    /// For how many milliseconds what is taken now has waited for the store.
    waited: u64,
    /// Whether what is answered now is so since the store has not.
    fails: bool,
    now: u64,
    /// The time of what is remembered, in milliseconds of the engine's clock, as of the chunk of requests
    /// that is taken.
    moment: u64,
    /// Before this time nothing is to be done.
    due: u64,
    /// What waits on its connections, and whether that has changed.
    buffers: ThreadBuffers,
    moved: bool,
}

impl Drop for Relay {
    fn drop(&mut self) {
        // One that never was at work is nobody's heir.
        self.router.heirs.leave(self.number);
    }
}

impl Relay {
    /// The relay of one thread of a node with a store; `None` if the node has none.
    pub fn new(router: &Arc<Router>) -> Option<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        router.setup.upstream.as_ref()?;
        // Relaxed: the numbers only have to differ.
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let (rules, mut heat) = (router.rules(), Heat::default());
        heat.pin(&rules.pinned);
        Some(Self {
            router: router.clone(),
            tally: RouteTally::new(rules.totals.len()),
            rules,
            links: HashMap::default(),
            shared: HashMap::default(),
            urgent: HashMap::default(),
            probes: Probes::default(),
            survey: Survey::default(),
            redos: vec![],
            detours: Detours::default(),
            batches: Batches::default(),
            late_batches: vec![],
            awaiting: HashMap::new(),
            lost_until: 0,
            map: router.topology.map(),
            flow: vec![],
            number,
            last_link: 0,
            touched: vec![],
            opens: vec![],
            closes: vec![],
            crowds: Crowds::default(),
            misses: Misses::default(),
            minded: BTreeSet::new(),
            pins: Pins::default(),
            hearing: Hearing::default(),
            subscribers: Subscribers::default(),
            tracks: Tracks::default(),
            feed: Feed::default(),
            loops: Loops::default(),
            lanes: Lanes::default(),
            legacies: Legacies::default(),
            meeting: Meeting::default(),
            answers: HashMap::new(),
            reads: HashMap::default(),
            warming: Warming::default(),
            waits: VecDeque::new(),
            gather: Gather::default(),
            heat,
            letters: vec![],
            seat: router.sight.sit(),
            timings: vec![],
            batch: StepCounts::default(),
            clock: 0,
            paused: BTreeSet::new(),
            lots: (router.setup.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1,
            deliveries: vec![],
            waited: 0,
            fails: false,
            now: 0,
            moment: 0,
            due: 0,
            buffers: router.thread_buffers(),
            moved: false,
        })
    }

    /// There is something to do at this time.
    fn wake_by(&mut self, at: Option<u64>) {
        self.due = self.due.min(at.unwrap_or(u64::MAX));
    }

    /// Works by these rules, those of the request that comes next. A read that is under way gives its
    /// reply to those who wait for it: under these it is not remembered.
    #[inline]
    pub(crate) fn adopt(&mut self, rules: &Arc<Edition>) {
        if self.rules.number != rules.number {
            self.change_rules(rules);
        }
    }

    #[cold]
    fn change_rules(&mut self, rules: &Arc<Edition>) {
        self.tally.settle(&self.rules.totals);
        self.tally = RouteTally::new(rules.totals.len());
        self.rules = rules.clone();
        self.adjust_patience();
        self.heat.pin(&rules.pinned);
    }

    /// The number of the route of a read, in the rules that it works by now.
    fn route_of(&self, read: &Read) -> usize {
        match read.edition == self.rules.number {
            true => read.route,
            false => self.rules.routes.of(read.shelf.keys.first()),
        }
    }

    /// Counts something of a server.
    fn count(&mut self, server: ServerId, what: Flow, count: i64) {
        let at = usize::from(server);
        if at >= self.flow.len() {
            self.flow.resize(at + 1, ServerTally::default());
        }
        self.flow[at].add(what, count);
    }

    /// Requests are taken at this time, in milliseconds of the engine's clock.
    #[inline]
    pub(crate) fn takes_at(&mut self, moment: u64) {
        self.moment = moment;
    }

    /// What a request that is taken now waits for the store at the most, in milliseconds.
    fn rest(&self) -> u64 {
        self.rules.limits.store_timeout.saturating_sub(self.waited)
    }

    /// Asks something for all who wait for it: not by the time of the one whose request is taken now.
    fn for_all(&mut self, ask: impl FnOnce(&mut Self)) {
        let waited = std::mem::take(&mut self.waited);
        ask(self);
        self.waited = waited;
    }

    /// A lot: any number.
    fn lot(&mut self) -> u64 {
        // Xorshift (Marsaglia, 2003).
        self.lots ^= self.lots << 13;
        self.lots ^= self.lots >> 7;
        self.lots ^= self.lots << 17;
        self.lots
    }

    /// What a connection draws its lots from.
    fn seed_of(&self, id: LinkId) -> u64 {
        self.router.setup.seed ^ (self.number << 32 | u64::from(id))
    }

    /// A lot: from 0 to 1.
    fn chance(&mut self) -> f64 {
        (self.lot() >> 11) as f64 / (1u64 << 53) as f64
    }
}

//! The shared part of the node: the store, the users, the clients, the counts.

use super::audit::Audit;
use super::buffers::{BufferCounts, Buffers, ThreadBuffers};
use super::clients::{Client, Peer, Registry, ShownClient};
use super::copies::Copies;
use super::ear::Ear;
use super::heirs::Heirs;
use super::hot::{HotKey, HotKeys};
use super::journal::{Ended, Journal};
use super::pause::Pause;
use super::refusals::Refusals;
use super::rules::{Edition, Reloads, Rules};
use super::tracked::TrackedReads;
use crate::cache::{Replies, RouteCounts, RouteTotals};
use crate::hooks::{HookCounts, HookTotals};
use crate::news::{Channels, ClientId, Mailbox, NewsDesk};
use crate::policy::Stay;
use crate::sight::{COUNTED, Invalidations, Latencies, Sight};
use crate::store::Store;
use crate::topology::{ClusterOptions, Flow, Replaced, RingOptions, ServerId, Topology};
use crate::upstream::StoreAddress;
use breakwater_engine::{Cache, Expected};
use breakwater_resp::Reply;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a client is told for whom there is no room.
pub const TOO_MANY_CLIENTS: &[u8] = b"-ERR max number of clients reached\r\n";

/// How a router is set up.
#[derive(Debug)]
pub struct Options {
    /// What may change while it runs.
    pub rules: Rules,
    /// This software's version, for `INFO`.
    pub version: String,
    /// The process, for `INFO`.
    pub process: u32,
    /// The store behind the node, whose values its own store caches; none if that is all there is.
    pub upstream: Option<StoreAddress>,
    /// Its replicas, [`MOST_REPLICAS`](crate::MOST_REPLICAS) at the most.
    pub replicas: Vec<StoreAddress>,
    /// The cluster that the store is a server of, if it is one: then it names the replicas.
    pub cluster: Option<ClusterOptions>,
    /// The ring of stores that the store is the first of, if there are several.
    pub ring: Option<RingOptions>,
    /// How far behind a replica may be, in milliseconds: one that is farther is not read.
    pub max_lag: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            version: env!("CARGO_PKG_VERSION").into(),
            process: 0,
            upstream: None,
            replicas: vec![],
            cluster: None,
            ring: None,
            max_lag: 10_000,
        }
    }
}

/// What a store says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreVersion {
    /// `redis`, `valkey`.
    pub(crate) server: String,
    pub(crate) version: String,
}

/// What stays as it is while the node runs.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) version: String,
    pub(crate) process: u32,
    pub(crate) upstream: Option<StoreAddress>,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clients connected now.
    pub clients: u64,
    /// Clients ever connected.
    pub connections: u64,
    /// Clients turned away because there were too many.
    pub refused: u64,
    /// Commands run.
    pub commands: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes of replies.
    pub sent: u64,
    /// Panics: bugs, each of which cost some clients their connections.
    pub faults: u64,
}

/// What is counted of a server behind the node.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerCounts {
    /// Where it is, without any secret.
    pub address: String,
    /// Whether it is the primary.
    pub leads: bool,
    /// How a replica is, in a word; `up` of a primary that a connection serves, else `down`.
    pub state: &'static str,
    /// How many milliseconds ago a replica surely had all that the primary had.
    pub lag: Option<u64>,
    /// Names and values, as `stats()` has them.
    pub counts: [(&'static str, u64); 13],
    /// Where its breaker is: `closed`, `open` or `half-open`.
    pub breaker: &'static str,
    /// How long it took for what clients asked, by class.
    pub latencies: [Latencies; 3],
}

/// The shared part of a routing node: the store, the users, the clients.
pub struct Router {
    pub(crate) store: Store,
    /// What is remembered of the store behind the node.
    pub(crate) replies: Replies,
    /// The servers behind the node.
    pub(crate) topology: Topology,
    pub(crate) registry: Registry,
    buffers: Arc<Buffers>,
    /// Who of them tracks which keys of the node's own store.
    pub(crate) news: Arc<NewsDesk>,
    /// Who subscribes to what, where the node has a store of its own.
    pub(crate) channels: Channels,
    pub(crate) ear: Ear,
    pub(crate) heirs: Heirs,
    pub(crate) tracked: TrackedReads,
    pub(crate) hot: HotKeys,
    pub(crate) pause: Pause,
    pub(crate) copies: Copies,
    pub(crate) sight: Sight,
    pub(crate) invalidations: Invalidations,
    pub(super) refusals: Refusals,
    pub(super) audit: Audit,
    journal: Journal,
    pub(crate) hooks: HookTotals,
    pub(crate) setup: Setup,
    /// The rules in force, and their number, by which sessions see that there are others.
    rules: RwLock<Arc<Edition>>,
    edition: AtomicU64,
    reloads: Mutex<Reloads>,
    /// What the store behind the node is, as its last `HELLO` said.
    store_version: Mutex<Option<StoreVersion>>,
    /// Unix milliseconds at the start.
    pub(crate) started: u64,
    /// The address that clients reach us at, for `INFO` and `CONFIG GET`.
    pub(crate) address: Mutex<(String, u16)>,
    refused: AtomicU64,
    commands: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    faults: AtomicU64,
}

impl Router {
    /// A router over `cache`, which must be empty and serve nothing else; `now` in Unix
    /// milliseconds.
    pub fn new(cache: Arc<Cache>, options: Options, now: u64) -> Self {
        let Options { rules, version, process, upstream, replicas, .. } = options;
        let own = upstream.is_none();
        let max_lag = options.max_lag;
        let topology = match (options.cluster, &options.ring) {
            (Some(cluster), _) => Topology::of_cluster(cluster, max_lag),
            (None, Some(ring)) => Topology::of_ring(ring),
            (None, None) => Topology::new(upstream.clone(), replicas, max_lag),
        };
        let news = Arc::new(NewsDesk::new(rules.limits.tracked_keys));
        let limits = rules.limits;
        let edition = Edition::first(rules);
        Self {
            replies: Replies::new(cache.clone(), topology.tags(), limits.longest_read()),
            topology,
            store: Store::new(cache, now, own.then(|| news.clone())),
            news,
            channels: Channels::default(),
            registry: Registry::default(),
            buffers: Arc::new(Buffers::new(limits.buffers)),
            ear: Ear::default(),
            heirs: Heirs::default(),
            hot: HotKeys::default(),
            pause: Pause::default(),
            copies: Copies::default(),
            sight: Sight::default(),
            invalidations: Invalidations::default(),
            refusals: Refusals::default(),
            audit: Audit::default(),
            journal: Journal::default(),
            hooks: HookTotals::default(),
            tracked: TrackedReads::new(limits.tracked_keys, limits.tracked_keys_by_client),
            setup: Setup { version, process, upstream },
            edition: AtomicU64::new(edition.number),
            rules: RwLock::new(Arc::new(edition)),
            reloads: Mutex::default(),
            store_version: Mutex::default(),
            started: now,
            address: Mutex::default(),
            refused: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        }
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> Arc<Edition> {
        self.rules.read().clone()
    }

    /// The number of the rules in force. Acquire: who has seen what came of them finds them.
    #[inline]
    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Puts other rules into force, at one moment for all threads: a request that a session begins
    /// after it is judged by them, and one that it began before by the old ones. `now` in Unix
    /// milliseconds.
    ///
    /// The clients whose connections must be closed now, whichever thread has them: those whose user
    /// is gone, and those who hear what their user may not hear any more. Anybody else goes on, with
    /// the permissions that its user has now, whatever password it gave, as in Redis.
    pub fn reload(&self, mut rules: Rules, now: u64) -> Vec<ClientId> {
        let limits = rules.limits;
        self.store.cache().set_grace(rules.routes.grace());
        self.buffers.bound(limits.buffers);
        self.news.bound(limits.tracked_keys);
        self.tracked.bound(limits.tracked_keys, limits.tracked_keys_by_client);
        self.replies.set_under_way(limits.longest_read());
        let mut current = self.rules.write();
        rules.users.inherit(&current.users);
        let next = Arc::new(current.next(rules));
        *current = next.clone();
        // Release: with the load of `edition`.
        self.edition.store(next.number, Ordering::Release);
        drop(current);
        next.begin(self.replies.now());
        let mut reloads = self.reloads.lock();
        (reloads.count, reloads.at) = (reloads.count + 1, Some(now));
        drop(reloads);
        let lost = |client: &Arc<Client>| client.profile.lock().is_lost(&next.users, now);
        let lost: Vec<_> = self.registry.all().into_iter().filter(lost).collect();
        lost.iter().for_each(|client| client.kill());
        lost.iter().map(|client| client.id).collect()
    }

    /// Hooks choose the routes of the keys that begin so, all if there are no beginnings; of none, without.
    /// What they have chosen before is forgotten.
    pub fn choose_routes(&self, prefixes: Option<&[Vec<u8>]>) {
        // Held, so that no other rules come into force meanwhile.
        let current = self.rules.read();
        if prefixes.is_some() || current.routes.choices().is_used() {
            current.choose(prefixes, || self.replies.now());
        }
    }

    /// Whether there is a route of this prefix.
    pub fn has_route(&self, prefix: &[u8]) -> bool {
        self.rules.read().routes.named(prefix).is_some()
    }

    /// Ends the clients whose tokens count no longer at `now`, in Unix milliseconds: their drivers are
    /// told by their mailboxes. To be called a few times a second.
    pub fn expire(&self, now: u64) {
        for client in self.registry.overdue(now as i64) {
            client.kill();
            client.recipient.expire();
        }
    }

    /// Another ring of stores: from now on keys are where it puts them. What was read of keys that have
    /// moved is forgotten, and nothing else. `false` if the node has known too many stores: then
    /// nothing has changed.
    pub fn set_ring(&self, options: &RingOptions) -> bool {
        let Ok(replaced) = self.topology.set_ring(options) else { return false };
        if let Some(Replaced { before, after, tags }) = replaced {
            self.replies.end(&tags);
            self.replies.forget_where(|key| before.partition(key) != after.partition(key));
        }
        true
    }

    /// Other rules were asked for and are refused, for this reason; `now` in Unix milliseconds.
    pub fn refuse_reload(&self, why: &str, now: u64) {
        let line = why.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
        self.reloads.lock().refused = Some((now, line));
    }

    /// How many connections are let in a second, and how many agree on keys at once; how many threads
    /// share that.
    pub fn entry(&self) -> (usize, usize, u32) {
        let rules = self.rules.read();
        (rules.limits.accepts, rules.limits.handshakes, rules.threads)
    }

    /// How often the rules were changed.
    pub fn reloads(&self) -> Reloads {
        self.reloads.lock().clone()
    }

    /// A server of the store has answered `HELLO` by this.
    pub fn met(&self, hello: &[u8]) {
        let Ok(Reply::Map(fields)) = Reply::decode(hello) else { return };
        let text = |name: &[u8]| {
            let (_, value) = fields.iter().find(|(field, _)| field.text() == Some(name))?;
            value.text().map(|text| String::from_utf8_lossy(text).into_owned())
        };
        if let (Some(server), Some(version)) = (text(b"server"), text(b"version")) {
            *self.store_version.lock() = Some(StoreVersion { server, version });
        }
    }

    /// What the store behind the node is, once it has said so.
    pub(crate) fn store_version(&self) -> Option<StoreVersion> {
        self.store_version.lock().clone()
    }

    /// Says where it listens, once that is known.
    pub fn set_address(&self, host: &str, port: u16) {
        *self.address.lock() = (host.into(), port);
    }

    /// A mailbox for the news of a driver's clients; `bell` has the driver come and
    /// [take](Mailbox::take) what is in it. It is called on any thread, and must not call back.
    pub fn mailbox(&self, bell: impl Fn() + Send + Sync + 'static) -> Arc<Mailbox> {
        Arc::new(Mailbox::new(self.rules().limits.messages, Box::new(bell)))
    }

    /// Nanoseconds of the engine's clock.
    pub(crate) fn nanoseconds(&self) -> u64 {
        u64::try_from(self.cache().clock().elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// So many clients were turned away, since the system had no room for them.
    pub fn count_turned_away(&self, clients: u64) {
        self.refused.fetch_add(clients, Ordering::Relaxed);
    }

    /// Takes in a client, or says what to send to it before it is disconnected.
    pub(crate) fn join(
        &self,
        peer: Peer,
        now: u64,
        mail: &Arc<Mailbox>,
    ) -> Result<Arc<Client>, Vec<u8>> {
        match self.registry.join(peer, now, self.rules().limits.clients, mail) {
            Some(client) => Ok(client),
            None => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(TOO_MANY_CLIENTS.to_vec())
            }
        }
    }

    /// So many bytes of a client, and for it, wait from now on. Clients that have to be disconnected for
    /// that are appended to `kills`.
    pub(crate) fn charge(&self, client: &Client, bytes: usize, kills: &mut Vec<ClientId>) {
        self.buffers.charge(client, bytes as u64, (&self.registry, kills));
    }

    /// The same of a client whose user limits bind.
    pub(crate) fn charge_user(&self, stay: &mut Stay, bytes: usize, kills: &mut Vec<ClientId>) {
        if let Some(most) = stay.keep(bytes as u64) {
            self.buffers.relieve_user(stay, most, (&self.registry, kills));
        }
    }

    /// How long a client may have replies to take and take none, in milliseconds.
    pub fn slow_reader(&self) -> u64 {
        self.rules().limits.slow_reader
    }

    /// A client is disconnected since it took no reply for as long.
    pub(crate) fn count_slow_reader(&self) {
        self.buffers.count_slow();
    }

    /// A client goes, and what waits for it.
    pub(crate) fn leave(&self, client: &Client) {
        self.buffers.discharge(client);
        self.registry.leave(client.id);
    }

    /// A client has joined, and is served.
    pub(crate) fn note_opened(&self, client: &Client) {
        if self.rules().journal {
            self.journal.opened(client, self.nanoseconds());
        }
    }

    /// A client that was served is gone.
    pub(crate) fn note_closed(&self, ended: &Ended<'_>) {
        if self.rules().journal {
            self.journal.closed(ended, self.nanoseconds());
        }
    }

    /// Who came and who left since this was called last, as lines of JSON without their time.
    pub fn take_journal(&self) -> Vec<String> {
        self.journal.take()
    }

    /// What waits on a thread's connections to the store.
    pub(crate) fn thread_buffers(&self) -> ThreadBuffers {
        ThreadBuffers::of(&self.buffers)
    }

    /// What waits in the process.
    pub fn buffers(&self) -> BufferCounts {
        self.buffers.counts()
    }

    /// Whether a client is connected and not killed.
    pub fn is_connected(&self, id: ClientId) -> bool {
        self.registry.find(id).is_some_and(|client| !client.is_killed())
    }

    /// What a hook may know of a client; `None` if it is gone.
    pub fn show_client(&self, id: ClientId) -> Option<ShownClient> {
        self.registry.find(id).map(|client| ShownClient::of(&client))
    }

    /// The cache underneath.
    pub fn cache(&self) -> &Cache {
        self.store.cache()
    }

    /// Goes on with what [`Session::expect`](crate::Session::expect) has begun.
    #[inline]
    pub fn expect(&self, expected: Expected) {
        self.store.cache().expect_now(expected);
    }

    /// Counts since the start.
    pub fn counts(&self) -> Counts {
        Counts {
            clients: self.registry.count() as u64,
            connections: self.registry.total(),
            refused: self.refused.load(Ordering::Relaxed),
            commands: self.commands.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
        }
    }

    /// What came of the reads of each route since the start: its pattern, and its counts.
    pub fn route_counts(&self) -> Vec<(String, RouteCounts)> {
        let rules = self.rules();
        let routes = rules.routes.all().iter().zip(&rules.totals);
        routes.map(|(route, totals)| (route.pattern(), totals.read())).collect()
    }

    /// The hot keys of routes that remember nothing and those that are pinned, the hottest first.
    pub fn hot_keys(&self) -> Vec<HotKey> {
        let (now, rules, map) = (self.replies.now(), self.rules(), self.topology.map());
        let place = |key: &[u8]| {
            let server = map.owner(map.partition(key))?;
            self.topology.servers.get(server).map(|server| server.address.place())
        };
        let listed = self.hot.list(now, &rules.pinned).into_iter();
        let hot = listed.map(|(key, heated)| HotKey {
            share: heated.share,
            rate: heated.rate,
            pinned: rules.pinned.contains(&key),
            route: rules.routes.all()[rules.routes.of(&key)].pattern(),
            store: place(&key),
            copies: self.copies.count(&key, now),
            key,
        });
        hot.collect()
    }

    /// What is counted of each server behind the node: each primary, then its replicas.
    pub fn server_counts(&self) -> Vec<ServerCounts> {
        let (topology, map) = (&self.topology, self.topology.map());
        let of = |id: ServerId| {
            let server = topology.servers.get(id)?;
            let count = |flow| server.totals.read(flow);
            let leads = map.leads(id);
            let state = match leads {
                true if count(Flow::Connections) > 0 => "up",
                true => "down",
                false => topology.health(id).name(),
            };
            let lag = if leads { None } else { topology.lag(id, self.replies.now()) };
            let latencies = self.sight.store(usize::from(id));
            let counts = [
                ("connections", count(Flow::Connections)),
                ("connects", count(Flow::Connects)),
                ("losses", count(Flow::Losses)),
                ("failures", count(Flow::Failures)),
                ("requests", count(Flow::Requests)),
                ("inFlight", count(Flow::InFlight)),
                ("pinned", count(Flow::Pinned)),
                ("pinnedIdle", count(Flow::PinnedIdle)),
                ("pinnedWaiting", count(Flow::PinnedWaiting)),
                ("misses", count(Flow::Misses)),
                ("waitingMisses", count(Flow::WaitingMisses)),
                ("turnedAway", count(Flow::TurnedAway)),
                ("opened", server.breaker.opened()),
            ];
            let address = server.address.place();
            let breaker = server.breaker.state().name();
            Some(ServerCounts { address, leads, state, lag, counts, breaker, latencies })
        };
        map.shards().iter().flat_map(|shard| shard.servers()).filter_map(of).collect()
    }

    /// Counts what one chunk came to. Relaxed: sums of independent steps.
    pub(crate) fn count(&self, commands: u64, received: usize, sent: usize) {
        let counts = [&self.commands, &self.received, &self.sent];
        for (of, count) in counts.into_iter().zip([commands, received as u64, sent as u64]) {
            // All threads count here: a step of nothing would cost as much as any other.
            if count > 0 && COUNTED {
                of.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// What hooks were asked, and what they said.
    pub fn hook_counts(&self) -> HookCounts {
        self.hooks.read()
    }

    /// A panic was caught while the node served.
    pub fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reset_counts(&self) {
        for count in [&self.refused, &self.commands, &self.received, &self.sent] {
            count.store(0, Ordering::Relaxed);
        }
        self.rules().totals.iter().for_each(|totals| RouteTotals::reset(totals));
        self.store.cache().reset_stats();
    }
}

//! The shared part of the node: the store, the users, the clients, the counts.

use super::clients::{Client, Peer, Registry};
use super::ear::Ear;
use super::limits::Limits;
use super::tracked::TrackedReads;
use crate::cache::{Replies, Route, RouteCounts, RouteTotals, Routes};
use crate::news::{Channels, ClientId, Mailbox, NewsDesk};
use crate::policy::Users;
use crate::store::Store;
use crate::topology::{ClusterOptions, Flow, RingOptions, ServerId, Topology};
use crate::upstream::StoreAddress;
use breakwater_engine::Cache;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a router is set up.
#[derive(Debug)]
pub struct Options {
    /// Who may connect.
    pub users: Users,
    /// The bounds of each session.
    pub limits: Limits,
    /// This software's version, for `INFO`.
    pub version: String,
    /// The process, for `INFO`.
    pub process: u32,
    /// How many threads serve, for `INFO`.
    pub threads: u32,
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
    /// What is remembered of it.
    pub routes: Routes,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            users: Users::open(),
            limits: Limits::default(),
            version: env!("CARGO_PKG_VERSION").into(),
            process: 0,
            threads: 1,
            upstream: None,
            replicas: vec![],
            cluster: None,
            ring: None,
            max_lag: 10_000,
            routes: Routes::default(),
        }
    }
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub counts: [(&'static str, u64); 9],
}

/// The shared part of a routing node: the store, the users, the clients.
pub struct Router {
    pub(crate) store: Store,
    /// What is remembered of the store behind the node.
    pub(crate) replies: Replies,
    /// The servers behind the node.
    pub(crate) topology: Topology,
    /// What came of the reads of each route.
    pub(crate) totals: Vec<RouteTotals>,
    pub(crate) registry: Registry,
    /// Who of them tracks which keys of the node's own store.
    pub(crate) news: Arc<NewsDesk>,
    /// Who subscribes to what, where the node has a store of its own.
    pub(crate) channels: Channels,
    pub(crate) ear: Ear,
    pub(crate) tracked: TrackedReads,
    pub(crate) options: Options,
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
        let own = options.upstream.is_none();
        let Options { upstream, replicas, max_lag, .. } = &options;
        let reads_replicas = options.routes.all().iter().any(Route::reads_replicas);
        let topology = match (&options.cluster, &options.ring) {
            (Some(cluster), _) => Topology::of_cluster(cluster.clone(), reads_replicas, *max_lag),
            (None, Some(ring)) => Topology::of_ring(ring),
            (None, None) => Topology::new(upstream.clone(), replicas.clone(), *max_lag),
        };
        let totals = options.routes.all().iter().map(|_| RouteTotals::default()).collect();
        let news = Arc::new(NewsDesk::new(options.limits.tracked));
        Self {
            replies: Replies::new(cache.clone(), topology.tags()),
            topology,
            totals,
            store: Store::new(cache, now, own.then(|| news.clone())),
            news,
            channels: Channels::default(),
            registry: Registry::default(),
            ear: Ear::default(),
            tracked: TrackedReads::new(
                options.limits.tracked_keys,
                options.limits.tracked_keys_by_client,
            ),
            options,
            started: now,
            address: Mutex::default(),
            refused: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        }
    }

    /// Says where it listens, once that is known.
    pub fn set_address(&self, host: &str, port: u16) {
        *self.address.lock() = (host.into(), port);
    }

    /// A mailbox for the news of a driver's clients; `bell` has the driver come and
    /// [take](Mailbox::take) what is in it. It is called on any thread, and must not call back.
    pub fn mailbox(&self, bell: impl Fn() + Send + Sync + 'static) -> Arc<Mailbox> {
        Arc::new(Mailbox::new(self.options.limits.messages, Box::new(bell)))
    }

    /// Takes in a client, or says what to send to it before it is disconnected.
    pub(crate) fn join(
        &self,
        peer: Peer,
        now: u64,
        mail: &Arc<Mailbox>,
    ) -> Result<Arc<Client>, &'static [u8]> {
        match self.registry.join(peer, now, self.options.limits.clients, mail) {
            Some(client) => Ok(client),
            None => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(b"-ERR max number of clients reached\r\n")
            }
        }
    }

    /// Whether a client is connected and not killed.
    pub fn is_connected(&self, id: ClientId) -> bool {
        self.registry.find(id).is_some_and(|client| !client.is_killed())
    }

    /// The cache underneath.
    pub fn cache(&self) -> &Cache {
        self.store.cache()
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
        let routes = self.options.routes.all().iter().zip(&self.totals);
        routes.map(|(route, totals)| (route.pattern(), totals.read())).collect()
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
            ];
            Some(ServerCounts { address: server.address.place(), leads, state, lag, counts })
        };
        map.shards().iter().flat_map(|shard| shard.servers()).filter_map(of).collect()
    }

    /// Counts what one chunk came to. Relaxed: sums of independent steps.
    pub(crate) fn count(&self, commands: u64, received: usize, sent: usize) {
        self.commands.fetch_add(commands, Ordering::Relaxed);
        self.received.fetch_add(received as u64, Ordering::Relaxed);
        self.sent.fetch_add(sent as u64, Ordering::Relaxed);
    }

    /// A panic was caught while the node served.
    pub fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reset_counts(&self) {
        for count in [&self.refused, &self.commands, &self.received, &self.sent] {
            count.store(0, Ordering::Relaxed);
        }
        self.totals.iter().for_each(RouteTotals::reset);
        self.store.cache().reset_stats();
    }
}

//! The shared part of the node: the store, the users, the clients. `reloading` changes what may change while
//! it runs, `counting` tells what is counted.

mod counting;
mod reloading;

use super::audit::Audit;
use super::buffers::{BufferCounts, Buffers, ThreadBuffers};
use super::clients::{Client, Peer, Registry, ShownClient};
use super::copies::Copies;
use super::ear::Ear;
use super::heirs::Heirs;
use super::hot::HotKeys;
use super::journal::{Ended, Journal};
use super::pause::Pause;
use super::refusals::Refusals;
use super::rules::{Edition, Reloads, Rules};
use super::tracked::TrackedReads;
use crate::cache::Replies;
use crate::hooks::HookTotals;
use crate::news::{Channels, ClientId, Mailbox, NewsDesk};
use crate::policy::Stay;
use crate::sight::{Invalidations, Sight};
use crate::store::Store;
use crate::topology::{ClusterOptions, RingOptions, Topology};
use crate::upstream::StoreAddress;
use breakwater_engine::{Cache, Expected};
use breakwater_resp::Reply;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use counting::{Counts, ServerCounts};

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
    /// What its lots are drawn from, so that nodes of different ones try again at different moments.
    pub seed: u64,
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
            seed: 0,
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
    pub(crate) seed: u64,
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
        let Options { rules, version, process, upstream, replicas, seed, .. } = options;
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
            setup: Setup { version, process, upstream, seed },
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
}

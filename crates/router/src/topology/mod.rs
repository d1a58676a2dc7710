//! Where a request goes: which of the servers behind the node. From the bottom up: `server` (how
//! servers are numbered), `tag` (what of a key counts), `slots` (the slot of a key), `ring` (a
//! consistent hash ring), `map` (which server has which keys), `fences` (which reads have to see which writes), `standing` (what a server
//! says of its replication), `replicas` (what is known of each replica), `servers` (all of them, and
//! what is known of each), `cluster` (what servers of a cluster say of the map), `choice` (one of
//! several), `counts`
//! (what is counted of a server), `cursor` (which server a scan goes on with).
//!
//! No I/O: `path` asks the servers, and sends what goes to them.

mod choice;
mod cluster;
mod counts;
pub(crate) mod cursor;
mod fences;
mod map;
mod replicas;
mod ring;
mod server;
mod servers;
mod slots;
mod standing;
mod tag;

pub(crate) use choice::choose;
pub use cluster::ClusterOptions;
pub(crate) use cluster::ClusterView;
pub(crate) use counts::{Flow, ServerTally};
pub(crate) use fences::{Fence, Fences};
pub(crate) use map::{Map, Partition, Shard, Span, Tag};
pub(crate) use replicas::Health;
pub use ring::{MOST_STORES, Ring, RingNode, RingOptions};
use server::MOST_SERVERS;
pub(crate) use server::PRIMARY;
pub use server::{MOST_REPLICAS, ReadFrom, ServerId};
use servers::Servers;
pub(crate) use slots::{SLOTS, slot};
pub(crate) use standing::Standing;

use crate::upstream::StoreAddress;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What it comes to that one ring takes the place of another.
pub(crate) struct Replaced {
    pub(crate) before: Arc<Map>,
    pub(crate) after: Arc<Map>,
    /// What was read with them is to be ended.
    pub(crate) tags: Vec<Tag>,
}

/// The servers behind a node, and what all threads know of them.
pub(crate) struct Topology {
    pub(crate) servers: Servers,
    map: RwLock<Arc<Map>>,
    /// That of the map.
    epoch: AtomicU64,
    pub(crate) fences: Fences,
    /// How the cluster is found, if the servers are one.
    pub(crate) cluster: Option<ClusterOptions>,
    /// The epoch in the cluster that the map is of.
    known: Mutex<u64>,
    /// When somebody asked the cluster last where keys are.
    asked_map: AtomicU64,
    /// When somebody asked the servers last how far they have come.
    asked: AtomicU64,
    max_lag: u64,
}

impl Topology {
    /// One store with its replicas; none, where the node has a store of its own. `max_lag` in
    /// milliseconds: a replica that lags behind for longer is not read.
    pub(crate) fn new(
        primary: Option<StoreAddress>,
        replicas: Vec<StoreAddress>,
        max_lag: u64,
    ) -> Self {
        let servers: Vec<_> = primary.into_iter().chain(replicas).collect();
        let replicas: Vec<ServerId> = (1..servers.len().max(1) as ServerId).collect();
        let fences = Fences::new(!replicas.is_empty());
        Self::with(Servers::new(servers, 0), Map::one(replicas), fences, max_lag)
    }

    /// A cluster of which only the seeds are known.
    pub(crate) fn of_cluster(options: ClusterOptions, max_lag: u64) -> Self {
        let servers = Servers::new(options.seeds.clone(), MOST_SERVERS);
        let (map, fences) = (Map::unknown_slots(), Fences::new(true));
        Self { cluster: Some(options), ..Self::with(servers, map, fences, max_lag) }
    }

    /// Independent stores, a node of the ring for each.
    pub(crate) fn of_ring(options: &RingOptions) -> Self {
        let servers = Servers::new(options.stores.clone(), MOST_STORES);
        let ids = (0..options.stores.len() as ServerId).collect();
        Self::with(servers, Map::ring(options, ids), Fences::new(false), 0)
    }

    /// A store of a ring is down, or up again. What was read by the map until then is to be ended, as
    /// after [`Topology::learn`].
    pub(crate) fn set_down(&self, store: ServerId, down: bool) -> Vec<Tag> {
        let _one_at_a_time = self.known.lock();
        match self.map().with_down(store, down) {
            Some(map) => self.install(map),
            None => vec![],
        }
    }

    /// Another ring is valid from now on: the map before, the one from now on, and the tags of what is
    /// to be ended. Keys that have moved between stores that stay are to be looked for. `None` if the
    /// ring is the same; an error if the node has known too many stores.
    pub(crate) fn set_ring(&self, options: &RingOptions) -> Result<Option<Replaced>, ()> {
        let _one_at_a_time = self.known.lock();
        let before = self.map();
        let ids = options.stores.iter().map(|store| self.servers.number(store));
        let ids = ids.collect::<Option<Vec<_>>>().ok_or(())?;
        let Some(next) = before.with_ring(options, ids) else { return Ok(None) };
        let tags = self.install(next);
        Ok(Some(Replaced { before, after: self.map(), tags }))
    }

    fn with(servers: Servers, map: Map, fences: Fences, max_lag: u64) -> Self {
        let [epoch, asked_map, asked] = [0; 3].map(AtomicU64::new);
        let (map, cluster, known) = (RwLock::new(Arc::new(map)), None, Mutex::new(0));
        Self { servers, map, epoch, fences, cluster, known, asked_map, asked, max_lag }
    }

    /// Where keys are now.
    pub(crate) fn map(&self) -> Arc<Map> {
        self.map.read().clone()
    }

    /// The number of the map that is valid now: see [`Map::epoch`].
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        // Acquire: who sees the number finds that map, or a later one.
        self.epoch.load(Ordering::Acquire)
    }

    /// How many tags what is read can have.
    pub(crate) fn tags(&self) -> usize {
        self.map.read().tags()
    }

    /// Whether the caller is the one who asks the cluster now: nobody has for `pause` milliseconds.
    pub(crate) fn begin_map(&self, now: u64, pause: u64) -> bool {
        begin(&self.asked_map, now, pause)
    }

    /// Servers of the cluster have said where keys are: see [`Topology::install`].
    pub(crate) fn learn(&self, answers: &[ClusterView]) -> Vec<Tag> {
        let mut known = self.known.lock();
        let Some((map, epoch)) = cluster::combine(&self.map(), *known, answers) else {
            return vec![];
        };
        *known = epoch;
        self.install(map)
    }

    /// Another map is valid from now on. The tags of what is somebody else's by it: what was read of
    /// them is to be ended after this, so that who lands a reply later sees the new map or is ended.
    fn install(&self, mut next: Map) -> Vec<Tag> {
        let mut map = self.map.write();
        let (tags, owners) = map.moved(&next);
        if tags.is_empty() && map.says_the_same(&next) {
            return vec![];
        }
        next.epoch = map.epoch + 1;
        self.epoch.store(next.epoch, Ordering::Release);
        *map = Arc::new(next);
        if owners && self.fences.are_kept() {
            // Marks of the new owners' histories say nothing of writes that others have taken.
            self.fences.raise_all();
        }
        tags
    }

    /// A server, for people.
    pub(crate) fn name(&self, server: ServerId) -> String {
        let map = self.map();
        let what = if map.master_of(server).is_some() { "replica" } else { "store" };
        let place = self.servers.get(server).map(|server| server.address.place());
        format!("the {what} at {}", place.unwrap_or_default())
    }
}

/// Whether the caller is the one who asks now: nobody has for `pause`.
fn begin(last: &AtomicU64, now: u64, pause: u64) -> bool {
    let asked = last.load(Ordering::Relaxed);
    (asked == 0 || now >= asked.saturating_add(pause))
        // Relaxed: it only decides who asks.
        && last.compare_exchange(asked, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

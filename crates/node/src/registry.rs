//! The caches of the process: each with its number, some with a name, and how many use them.

use crate::fail::Fail;
use crate::maintenance::{self, Stirred};
use crate::near::Ports;
use breakwater_engine::Cache;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a cache was asked to be: what users that come later must agree with.
#[derive(Debug)]
pub struct Description {
    /// What other threads know it by.
    pub name: Option<String>,
    /// The most entries.
    pub max: Option<u64>,
    /// The most bytes.
    pub max_bytes: Option<u64>,
    /// The eviction policy's name.
    pub policy: String,
    /// The codec's name.
    pub codec: String,
    /// The codec's number, kept in the high half of each value's format.
    pub codec_id: u8,
    /// What the codec's encoding may be: a set of `values::ACCEPT_*`.
    pub accepts: u8,
    /// How long entries live unless told otherwise, in milliseconds.
    pub ttl: Option<f64>,
    /// How much lives vary.
    pub jitter: f64,
    /// Whether isolates may keep copies of values.
    pub near: bool,
    /// How long entries stay after their end, in milliseconds.
    pub grace: f64,
}

/// A cache and what its users share beside it.
pub struct Shared {
    /// Unique in the process, never used again.
    pub id: u64,
    /// The engine.
    pub cache: Cache,
    /// What it was asked to be.
    pub description: Description,
    /// Tells maintenance that there may be work.
    pub stirred: Arc<Stirred>,
    /// The near caches' side of it.
    pub ports: Ports,
}

impl Shared {
    /// A cache that is in no registry yet.
    pub fn new(cache: Cache, description: Description) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let stirred = Arc::new(Stirred::default());
        let alarm = stirred.clone();
        cache.set_alarm(Some(Arc::new(move || maintenance::stir(&alarm))));
        Self {
            // Relaxed: the numbers only have to differ.
            id: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            cache,
            description,
            stirred,
            ports: Ports::default(),
        }
    }

    /// Has maintenance look at the cache soon: much was removed at once. Deadlines need no call,
    /// the engine rings by itself.
    pub fn stir(&self) {
        maintenance::stir(&self.stirred);
    }
}

#[derive(Default)]
struct Registry {
    /// Each cache and how many use it.
    caches: HashMap<u64, (Arc<Shared>, usize)>,
    names: HashMap<String, u64>,
}

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

fn with<R>(f: impl FnOnce(&mut Registry) -> R) -> R {
    f(REGISTRY.lock().get_or_insert_default())
}

/// The cache of this name, or the one that `make` makes; whether it was made now.
pub fn open(
    name: Option<&str>,
    make: impl FnOnce() -> Result<Shared, Fail>,
) -> Result<(Arc<Shared>, bool), Fail> {
    with(|registry| {
        let known = name.and_then(|name| registry.names.get(name)).copied();
        if let Some(shared) = known.and_then(|id| registry.join(id)) {
            return Ok((shared, false));
        }
        let shared = Arc::new(make()?);
        if let Some(name) = name {
            registry.names.insert(name.to_owned(), shared.id);
        }
        registry.caches.insert(shared.id, (shared.clone(), 1));
        Ok((shared, true))
    })
}

/// The cache of this number, if it is still open.
pub fn attach(id: u64) -> Option<Arc<Shared>> {
    with(|registry| registry.join(id))
}

/// Gives back what `open` or `attach` gave. The last one frees the cache.
pub fn release(shared: Arc<Shared>) {
    let last = with(|registry| {
        let (_, users) = registry.caches.get_mut(&shared.id)?;
        *users -= 1;
        if *users > 0 {
            return None;
        }
        if let Some(name) = &shared.description.name {
            registry.names.remove(name);
        }
        registry.caches.remove(&shared.id)
    });
    // Freeing a large cache takes long: not under the lock.
    drop((last, shared));
}

/// The open caches. They are not freed while the list lives.
pub fn all() -> Vec<Arc<Shared>> {
    with(|registry| registry.caches.values().map(|(shared, _)| shared.clone()).collect())
}

impl Registry {
    fn join(&mut self, id: u64) -> Option<Arc<Shared>> {
        let (shared, users) = self.caches.get_mut(&id)?;
        *users += 1;
        Some(shared.clone())
    }
}

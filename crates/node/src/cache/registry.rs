//! The caches of the process: each with its number, some with a name, and how many use them.

use super::shared::Shared;
use crate::js::Fail;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

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

/// The cache of this name, or the one that `make` makes.
pub fn open(
    name: Option<&str>,
    make: impl FnOnce() -> Result<Shared, Fail>,
) -> Result<Arc<Shared>, Fail> {
    with(|registry| {
        let known = name.and_then(|name| registry.names.get(name)).copied();
        if let Some(shared) = known.and_then(|id| registry.join(id)) {
            return Ok(shared);
        }
        let shared = Arc::new(make()?);
        if let Some(name) = name {
            registry.names.insert(name.to_owned(), shared.id);
        }
        registry.caches.insert(shared.id, (shared.clone(), 1));
        Ok(shared)
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

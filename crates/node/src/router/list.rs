//! The routers of the process, by their numbers.

use breakwater_net::Group;
use breakwater_router::Router;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

static ROUTERS: Mutex<BTreeMap<u64, Listed>> = Mutex::new(BTreeMap::new());

/// A router, and the native drivers that serve it.
type Listed = (Arc<Router>, Arc<Group>);

/// Lists a router; its number.
pub fn add(router: Arc<Router>) -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    // Relaxed: the numbers only have to differ.
    let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    ROUTERS.lock().insert(id, (router, Arc::default()));
    id
}

/// The router of this number, if it is still listed.
pub fn find(id: u64) -> Option<Listed> {
    ROUTERS.lock().get(&id).cloned()
}

/// Takes a router off the list; drivers that have it keep it.
pub fn forget(id: u64) {
    let router = ROUTERS.lock().remove(&id);
    // Freeing a large cache takes long: not under the lock.
    drop(router);
}

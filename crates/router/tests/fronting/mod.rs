//! The router of a node in front of a store to which no socket leads: tests carry the bytes.

use breakwater_engine::{Cache, Config};
use breakwater_router::{Options, Router, Rules, StoreAddress};
use std::sync::Arc;

/// `seed` is what it draws its lots from.
pub fn router(config: Config, rules: Rules, now: u64, seed: u64) -> Arc<Router> {
    let upstream = StoreAddress {
        host: "store".into(),
        port: 6379,
        unix: false,
        tls: false,
        user: None,
        password: None,
    };
    let options = Options { upstream: Some(upstream), rules, seed, ..Options::default() };
    let router = Router::new(Arc::new(Cache::new(config).unwrap()), options, now);
    // What the store is, is known.
    router.met(b"%2\r\n+server\r\n+redis\r\n+version\r\n+7.0.15\r\n");
    Arc::new(router)
}

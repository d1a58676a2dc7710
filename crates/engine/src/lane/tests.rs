//! Lanes in a shard: what was handed over and taken is released, to the byte.

use super::*;
use crate::config::{Config, Policy};
use crate::hash::KeyHasher;
use crate::index::Samples;
use crate::ledger::Ledger;
use crate::policy::Scale;
use crate::shard::{Shard, ShardRef, Shared};
use crate::thread;

#[test]
fn what_comes_to_a_lane_after_it_was_taken_with_nothing_in_it_is_released() {
    const BYTES: u64 = 24;
    let shard = Shard::new(Policy::None, Scale::of(&Config::default()), 0).unwrap();
    let shared = Shared {
        ledger: Ledger::new(1 << 20),
        hasher: KeyHasher::new(),
        versions: None,
        lanes: Lanes::new(),
        samples: Samples::default(),
    };
    let at = ShardRef { here: thread::here(), shard: &shard, shared: &shared };
    let guard = at.here.pin();
    // Where many tests run at once, threads may share their stripe, which has no lane.
    let Some(lane) = at.lane(&guard) else { return };
    shard.limbo.take_lanes(&shared.lanes, |_| true);
    assert!(shared.ledger.take(BYTES));
    lane.release(BYTES);
    drop(guard);
    // Other tests of this process may be reading at the very moment.
    let is_released = |_| {
        shard.collect(&shared.ledger);
        shard.account.surrender(&shared.ledger, 0);
        std::thread::yield_now();
        shared.ledger.used() == 0
    };
    assert!((0..100_000).any(is_released), "{} bytes are left", shared.ledger.used());
}

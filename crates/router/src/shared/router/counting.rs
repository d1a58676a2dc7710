//! What the node counts: of clients, of routes, of hot keys and of the servers behind it.

use super::Router;
use crate::cache::{RouteCounts, RouteTotals};
use crate::hooks::HookCounts;
use crate::shared::hot::HotKey;
use crate::sight::{COUNTED, Latencies};
use crate::topology::{Flow, ServerId};
use std::sync::atomic::Ordering;

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

impl Router {
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

    /// So many clients were turned away, since the system had no room for them.
    pub fn count_turned_away(&self, clients: u64) {
        self.refused.fetch_add(clients, Ordering::Relaxed);
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

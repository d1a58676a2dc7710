//! What may change while the node runs: who may connect, how much is allowed, what is remembered.
//! All threads share one edition of it at a time.

use super::audit::AuditKeys;
use super::limits::Limits;
use crate::cache::{RouteTotals, Routes};
use crate::policy::Users;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The part of a node's configuration that may change while it runs.
#[derive(Debug)]
pub struct Rules {
    /// Who may connect.
    pub users: Users,
    /// The bounds of each session.
    pub limits: Limits,
    /// What is remembered of the store behind the node.
    pub routes: Routes,
    /// Keys that are hot whatever is counted.
    pub pinned: Vec<Vec<u8>>,
    /// How keys are noted where refusals and orders are; nothing is noted, without.
    pub audit: Option<AuditKeys>,
    /// Whether is noted who comes and who leaves.
    pub journal: bool,
    /// How many threads serve, for `INFO`.
    pub threads: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            users: Users::open(),
            limits: Limits::default(),
            routes: Routes::default(),
            pinned: vec![],
            audit: None,
            journal: false,
            threads: 1,
        }
    }
}

/// Rules, from when they came into force until others do. A session judges each request by one
/// edition, from its first byte to what becomes of it.
pub(crate) struct Edition {
    /// Editions are numbered in the order in which they came into force.
    pub(crate) number: u64,
    rules: Rules,
    /// What came of the reads of each route. Routes of one prefix go on with their counts.
    pub(crate) totals: Vec<Arc<RouteTotals>>,
    /// Replies that the store was asked for up to this millisecond of the engine's clock were
    /// remembered under other routes: they count if these routes would have kept them as long.
    since: AtomicU64,
}

impl Edition {
    /// The first one.
    pub(super) fn first(rules: Rules) -> Self {
        let totals = rules.routes.all().iter().map(|_| Arc::default()).collect();
        Self { number: 1, rules, totals, since: AtomicU64::new(0) }
    }

    /// The one that follows this one.
    pub(super) fn next(&self, rules: Rules) -> Self {
        let same = rules.routes.all() == self.routes.all();
        let counted = |prefix: &[u8]| {
            let at = self.routes.all().iter().rposition(|route| route.prefix == prefix);
            at.map(|at| self.totals[at].clone()).unwrap_or_default()
        };
        let totals = rules.routes.all().iter().map(|route| counted(&route.prefix)).collect();
        let mut rules = rules;
        rules.routes.inherit(&self.routes);
        // Until it is known when it came into force, every reply may be from before.
        let since = if same { self.since() } else { u64::MAX };
        Self { number: self.number + 1, rules, totals, since: AtomicU64::new(since) }
    }

    /// It is in force, as of `now` at the latest.
    pub(super) fn begin(&self, now: u64) {
        // Release: who reads it asked the store under this edition, or asks whether it is current.
        let _ = self.since.compare_exchange(u64::MAX, now, Ordering::Release, Ordering::Relaxed);
    }

    /// Which keys hooks have a say in has changed, or what they say: nothing that they have
    /// chosen counts any more.
    pub(super) fn choose(&self, prefixes: Option<&[Vec<u8>]>, now: impl Fn() -> u64) {
        // Meanwhile every reply may be from before. Release: as in `begin`.
        self.since.store(u64::MAX, Ordering::Release);
        self.routes.choices().open(prefixes);
        self.begin(now());
    }

    /// Up to when replies were asked for under other routes.
    #[inline]
    pub(crate) fn since(&self) -> u64 {
        self.since.load(Ordering::Acquire)
    }
}

impl Deref for Edition {
    type Target = Rules;

    #[inline]
    fn deref(&self) -> &Rules {
        &self.rules
    }
}

/// How often the rules were changed, and what came of the last try.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// How often they were changed.
    pub count: u64,
    /// When that was last, in Unix milliseconds.
    pub at: Option<u64>,
    /// When a change was refused last, in Unix milliseconds, and why.
    pub refused: Option<(u64, String)>,
}

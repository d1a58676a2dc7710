//! Runs a trace through caches and counts.

use crate::capacity::Capacity;
use crate::mix::mix;
use crate::policy::{Policy, PolicyName, optimum};
use crate::trace::{Progress, Trace};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which of several nodes a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// That of its key.
    Deterministic,
    /// Any.
    Random,
}

/// What is to be simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Which entry leaves.
    pub policy: PolicyName,
    /// What the cache of each node may hold.
    pub capacity: Capacity,
    /// Milliseconds after which a value is loaded again; for traces with times.
    pub ttl: Option<u64>,
    /// How many nodes there are, each with a cache of its own.
    pub nodes: NonZeroUsize,
    /// Which of them a request goes to.
    pub routing: Routing,
}

impl Plan {
    /// One cache without ttl.
    pub fn new(policy: PolicyName, capacity: Capacity) -> Self {
        let nodes = NonZeroUsize::MIN;
        Self { policy, capacity, ttl: None, nodes, routing: Routing::Deterministic }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Requests in all.
    pub requests: u64,
    /// Those that a cache answered.
    pub hits: u64,
    /// Those whose value was there, and too old.
    pub expired: u64,
    /// Bytes of all requests; their number, if the trace has no sizes.
    pub bytes: u64,
    /// Bytes of those that a cache answered.
    pub hit_bytes: u64,
}

/// Requests between two looks at whether to go on.
const STEP: u64 = 1 << 16;

/// Simulates all plans, several at a time. `None` if it was cancelled.
///
/// `progress` counts requests, of all plans.
pub fn simulate(
    trace: &Trace,
    plans: &[Plan],
    threads: NonZeroUsize,
    progress: &Progress,
) -> Option<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        // Relaxed: a number that nobody else gets is all that is asked for.
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(plan) = plans.get(at)
        {
            outcomes.push((at, run(trace, plan, progress)?));
        }
        Some(outcomes)
    };
    let mut all = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.get().min(plans.len())).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join().ok().flatten());
        done.collect::<Option<Vec<_>>>()
    })?
    .concat();
    all.sort_unstable_by_key(|&(at, _)| at);
    Some(all.into_iter().map(|(_, outcome)| outcome).collect())
}

fn run(trace: &Trace, plan: &Plan, progress: &Progress) -> Option<Outcome> {
    let mut tally = Tally::new(trace, plan);
    for node in 0..plan.nodes.get() {
        tally.since.fill(0);
        let requests = (0..trace.len()).filter(|&at| node_of(trace, plan, at) == node);
        match plan.policy.cache(plan.capacity) {
            Some(cache) => online(trace, plan, cache, requests, &mut tally, progress)?,
            None => {
                let requests: Vec<u32> = requests.map(|at| at as u32).collect();
                let weights = |at| weight(trace, plan, at);
                optimum(trace, &requests, weights, plan.capacity.most(), |at, found| {
                    tally.count(at, found);
                });
                progress.add(requests.len() as u64);
            }
        }
    }
    (!progress.is_cancelled()).then_some(tally.outcome)
}

fn online(
    trace: &Trace,
    plan: &Plan,
    mut cache: Box<dyn Policy>,
    requests: impl Iterator<Item = usize>,
    tally: &mut Tally<'_>,
    progress: &Progress,
) -> Option<()> {
    let mut told = 0;
    for at in requests {
        tally.count(at, cache.request(trace.keys()[at], weight(trace, plan, at)));
        told += 1;
        if told == STEP {
            progress.add(std::mem::take(&mut told));
            if progress.is_cancelled() {
                return None;
            }
        }
    }
    progress.add(told);
    Some(())
}

fn weight(trace: &Trace, plan: &Plan, at: usize) -> u32 {
    match plan.capacity {
        Capacity::Entries(_) => 1,
        Capacity::Bytes(_) => trace.size(at),
    }
}

fn node_of(trace: &Trace, plan: &Plan, at: usize) -> usize {
    let hash = match plan.routing {
        _ if plan.nodes.get() == 1 => 0,
        Routing::Deterministic => mix(u64::from(trace.keys()[at])),
        Routing::Random => mix(at as u64),
    };
    (hash % plan.nodes.get() as u64) as usize
}

/// What was counted until now.
struct Tally<'a> {
    trace: &'a Trace,
    ttl: Option<u64>,
    /// Since when the value of each key is there, in milliseconds of the trace; empty without ttl.
    since: Vec<u64>,
    outcome: Outcome,
}

impl<'a> Tally<'a> {
    fn new(trace: &'a Trace, plan: &Plan) -> Self {
        let keys = if plan.ttl.is_some() { trace.distinct() } else { 0 };
        Self { trace, ttl: plan.ttl, since: vec![0; keys], outcome: Outcome::default() }
    }

    /// A request whose value was there, or was not.
    fn count(&mut self, at: usize, found: bool) {
        let is_old = self.is_old(at, found);
        let is_hit = found && !is_old;
        let bytes = u64::from(self.trace.size(at));
        let outcome = &mut self.outcome;
        outcome.requests += 1;
        outcome.hits += u64::from(is_hit);
        outcome.expired += u64::from(is_old);
        outcome.bytes += bytes;
        outcome.hit_bytes += if is_hit { bytes } else { 0 };
    }

    /// Whether the value that was there had expired. What is loaded now is there from now on.
    fn is_old(&mut self, at: usize, found: bool) -> bool {
        let Some(ttl) = self.ttl else { return false };
        let now = self.trace.time(at);
        let since = &mut self.since[self.trace.keys()[at] as usize];
        let is_fresh = found && now.saturating_sub(*since) < ttl;
        if !is_fresh {
            *since = now;
        }
        found && !is_fresh
    }
}

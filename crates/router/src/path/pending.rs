//! What a client's requests without replies do to keys: what may not overtake them.
//!
//! A client's requests go over several connections: reads that are remembered over one of RESP3,
//! others over one of the client's protocol and database. The store does those of one connection in
//! their order. A request waits only if it concerns a key of one that is on another connection, and
//! one of the two changes it: a read may overtake reads, and share what they share.

use super::replies::Ticket;
use foldhash::fast::FixedState;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// Names a connection to the store within its thread.
pub type LinkId = u32;

/// Stands for the connections of other threads, over which they read for this one.
pub(super) const ELSEWHERE: LinkId = 0;

/// Requests of more keys count as of all keys.
const MOST: usize = 16;
/// Reads look through as many changes; beyond, every key counts as changed.
const SEARCHED: usize = 256;

/// The hash of a key, the same for all: who makes keys collide makes its own requests wait.
pub(crate) fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

/// What a request concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// No key.
    #[default]
    Nothing,
    /// These, by their hashes.
    Keys(SmallVec<[u64; 2]>),
    /// Any.
    All,
}

impl Scope {
    /// The scope of these keys; of all keys, if there are many.
    pub(crate) fn of<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hashes = SmallVec::new();
        for key in keys {
            if hashes.len() == MOST {
                return Self::All;
            }
            hashes.push(hash(key));
        }
        if hashes.is_empty() { Self::Nothing } else { Self::Keys(hashes) }
    }

    /// Adds what others concern.
    pub(crate) fn merge(&mut self, others: Self) {
        match (&mut *self, others) {
            (Self::All, _) | (_, Self::Nothing) => {}
            (Self::Keys(keys), Self::Keys(more)) if keys.len() + more.len() <= MOST => {
                keys.extend(more);
            }
            (Self::Keys(_), Self::Keys(_)) => *self = Self::All,
            (_, others) => *self = others,
        }
    }

    /// Whether both concern a key.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::Keys(keys), Self::Keys(others)) => keys.iter().any(|key| others.contains(key)),
            _ => true,
        }
    }
}

/// One key of a request, or all.
struct OpenStep {
    ticket: Ticket,
    link: LinkId,
    key: Option<u64>,
}

/// What requests of one kind concern, in the order of their tickets.
#[derive(Default)]
struct Steps {
    all: VecDeque<OpenStep>,
    /// How many there are on each connection.
    links: SmallVec<[(LinkId, usize); 2]>,
}

impl Steps {
    fn add(&mut self, ticket: Ticket, link: LinkId, scope: &Scope) {
        let before = self.all.len();
        match scope {
            Scope::Nothing => return,
            Scope::All => self.all.push_back(OpenStep { ticket, link, key: None }),
            Scope::Keys(keys) => {
                self.all.extend(keys.iter().map(|key| OpenStep { ticket, link, key: Some(*key) }));
            }
        }
        let added = self.all.len() - before;
        match self.links.iter_mut().find(|(id, _)| *id == link) {
            Some((_, count)) => *count += added,
            None => self.links.push((link, added)),
        }
    }

    /// Forgets those of a ticket; whether there were any.
    fn settle(&mut self, ticket: Ticket) -> bool {
        // Replies of several connections come in any order; tickets rise.
        let from = self.all.partition_point(|step| step.ticket < ticket);
        let own = self.all.iter().skip(from).take_while(|step| step.ticket == ticket).count();
        for step in self.all.drain(from..from + own) {
            if let Some((_, count)) = self.links.iter_mut().find(|(id, _)| *id == step.link) {
                *count -= 1;
            }
        }
        self.links.retain(|(_, count)| *count > 0);
        own > 0
    }

    /// Whether one of them concerns a key of the scope.
    fn concern(&self, scope: &Scope) -> bool {
        self.all.len() > SEARCHED || self.all.iter().any(|step| meets(scope, step.key))
    }

    /// Whether one of them does on another connection than `link`.
    fn concern_beyond(&self, link: LinkId, scope: &Scope) -> bool {
        let mut beyond = self.all.iter().filter(|step| step.link != link);
        self.links.iter().any(|(id, _)| *id != link) && beyond.any(|step| meets(scope, step.key))
    }
}

/// A client's requests without replies.
#[derive(Default)]
pub(crate) struct Pending {
    reads: Steps,
    changes: Steps,
    /// Transactions for a cluster, which may refuse one and do what is sent behind it.
    held: Steps,
}

impl Pending {
    /// Nothing of such a scope is sent before this request is answered, over whichever connection.
    pub(crate) fn hold(&mut self, ticket: Ticket, scope: &Scope) {
        self.held.add(ticket, ELSEWHERE, scope);
    }

    /// A request has been sent; whether it is more than a read.
    pub(crate) fn add(&mut self, ticket: Ticket, link: LinkId, scope: &Scope, changes: bool) {
        let steps = if changes { &mut self.changes } else { &mut self.reads };
        steps.add(ticket, link, scope);
    }

    /// Its reply has come.
    pub(crate) fn settle(&mut self, ticket: Ticket) {
        if !self.reads.settle(ticket) {
            self.changes.settle(ticket);
        }
        if !self.held.all.is_empty() {
            self.held.settle(ticket);
        }
    }

    /// Whether a request may change one of these keys: a read of them has to see that.
    pub(crate) fn change<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> bool {
        !self.changes.all.is_empty() && self.changes.concern(&Scope::of(keys))
    }

    /// Whether a request on another connection than `link` has to be done before one of such a
    /// scope. Reads may overtake reads.
    pub(crate) fn block(&self, link: LinkId, scope: &Scope, changes: bool) -> bool {
        self.changes.concern_beyond(link, scope)
            || (changes && self.reads.concern_beyond(link, scope))
            || self.held.concern(scope)
    }

    /// As [`Pending::block`], for a transaction of such a scope: other keys' requests on another
    /// connection are done before it as well.
    pub(crate) fn block_whole(&self, link: LinkId, scope: &Scope) -> bool {
        let beyond = |steps: &Steps| steps.concern_beyond(link, &Scope::All);
        beyond(&self.changes) || beyond(&self.reads) || self.held.concern(scope)
    }
}

fn meets(scope: &Scope, key: Option<u64>) -> bool {
    match (scope, key) {
        (Scope::Nothing, _) => false,
        (Scope::All, _) | (_, None) => true,
        (Scope::Keys(keys), Some(key)) => keys.contains(&key),
    }
}

//! What a client's requests without replies do to keys: what may not overtake them.
//!
//! A client's requests go over several connections: reads that are remembered over one of RESP3,
//! others over one of the client's protocol and database. The store does those of one connection in
//! their order. A request waits only if it concerns a key of one that is on another connection.

use super::replies::Ticket;
use foldhash::fast::FixedState;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// Names a connection to the store within its thread.
pub type LinkId = u32;

/// Requests of more keys count as of all keys.
const MOST: usize = 16;
/// Reads look through as many steps; beyond, every key counts as concerned.
const SEARCHED: usize = 256;

/// The hash of a key, the same for all: who makes keys collide makes its own requests wait.
pub(crate) fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

/// What a request concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// No key.
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
}

/// One key of a request, or all.
struct OpenStep {
    ticket: Ticket,
    link: LinkId,
    key: Option<u64>,
    writes: bool,
}

/// A client's requests without replies.
#[derive(Default)]
pub(crate) struct Pending {
    steps: VecDeque<OpenStep>,
    /// How many steps there are on each connection.
    links: SmallVec<[(LinkId, usize); 2]>,
}

impl Pending {
    /// Whether no request waits that concerns a key.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// A request has been sent.
    pub(crate) fn add(&mut self, ticket: Ticket, link: LinkId, scope: &Scope, writes: bool) {
        let before = self.steps.len();
        match scope {
            Scope::Nothing => return,
            Scope::All => self.steps.push_back(OpenStep { ticket, link, key: None, writes }),
            Scope::Keys(keys) => {
                let step = |key: &u64| OpenStep { ticket, link, key: Some(*key), writes };
                self.steps.extend(keys.iter().map(step));
            }
        }
        let added = self.steps.len() - before;
        match self.links.iter_mut().find(|(id, _)| *id == link) {
            Some((_, count)) => *count += added,
            None => self.links.push((link, added)),
        }
    }

    /// Its reply has come.
    pub(crate) fn settle(&mut self, ticket: Ticket) {
        let Self { steps, links } = self;
        let mut forget = |step: &OpenStep| {
            if let Some((_, count)) = links.iter_mut().find(|(id, _)| *id == step.link) {
                *count -= 1;
            }
        };
        while let Some(step) = steps.front()
            && step.ticket == ticket
        {
            forget(step);
            steps.pop_front();
        }
        // Replies of several connections come in any order; tickets rise.
        if steps.front().is_some_and(|step| step.ticket < ticket) {
            steps.retain(|step| {
                let stays = step.ticket != ticket;
                if !stays {
                    forget(step);
                }
                stays
            });
        }
        links.retain(|(_, count)| *count > 0);
    }

    /// Whether a request concerns a key of the scope.
    pub(crate) fn touches(&self, scope: &Scope) -> bool {
        self.steps.len() > SEARCHED || self.steps.iter().any(|step| meets(scope, step.key))
    }

    /// Whether a request on another connection than `link` concerns a key of the scope.
    pub(crate) fn touches_beyond(&self, link: LinkId, scope: &Scope) -> bool {
        let mut beyond = self.steps.iter().filter(|step| step.link != link);
        self.links.iter().any(|(id, _)| *id != link)
            && (self.steps.len() > SEARCHED || beyond.any(|step| meets(scope, step.key)))
    }

    /// Whether a request on another connection than `link` has to be done before one of such a
    /// scope. Reads may overtake reads.
    pub(crate) fn blocks(&self, link: LinkId, scope: &Scope, writes: bool) -> bool {
        if self.links.iter().all(|(id, _)| *id == link) {
            return false;
        }
        self.steps
            .iter()
            .any(|step| step.link != link && (writes || step.writes) && meets(scope, step.key))
    }
}

fn meets(scope: &Scope, key: Option<u64>) -> bool {
    match (scope, key) {
        (Scope::Nothing, _) => false,
        (Scope::All, _) | (_, None) => true,
        (Scope::Keys(keys), Some(key)) => keys.contains(&key),
    }
}

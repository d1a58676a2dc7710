//! Requests on detours: a server of a cluster has not done one, and another one is asked, or the same
//! one later. Each is done in its turn, as behind a single server:
//!
//! ```text
//! what its client asks next            waits in the session
//! what was sent behind it, and is      goes on a detour behind it, and is not sent again before it
//! refused as well                      is answered, if both concern a key and one is more than a read
//! what was sent behind it and is done  a read is asked again, behind it; what is more than a read
//!                                      cannot be called back: where that may be, its client gets the
//!                                      server's refusal (`Relay::is_followed`)
//! ```
//! Refusals come in the order of the requests, since those of a client that concern one key are on one
//! connection (`pending`), where nothing of their keys follows a transaction.

use crate::path::pending::Scope;
use crate::shared::ClientId;
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap};

/// Names a detour within its thread: in the order in which they began.
pub(super) type DetourId = u64;

/// Whose request is on a detour, and what it concerns.
struct Detour {
    clients: SmallVec<[ClientId; 1]>,
    scope: Scope,
    reads: bool,
}

/// All of a thread.
#[derive(Default)]
pub(super) struct Detours {
    all: BTreeMap<DetourId, Detour>,
    /// Those of each client, in their order.
    of: HashMap<ClientId, Vec<DetourId>>,
    last: DetourId,
}

impl Detours {
    /// A request of these clients begins one.
    pub(super) fn begin(
        &mut self,
        clients: SmallVec<[ClientId; 1]>,
        scope: Scope,
        reads: bool,
    ) -> DetourId {
        self.last += 1;
        for client in &clients {
            self.of.entry(*client).or_default().push(self.last);
        }
        self.all.insert(self.last, Detour { clients, scope, reads });
        self.last
    }

    /// One has ended, whatever came of it; whether a client of it has others, which may have waited.
    pub(super) fn end(&mut self, id: DetourId) -> bool {
        let Some(detour) = self.all.remove(&id) else { return false };
        let mut others = false;
        for client in detour.clients {
            if let Some(own) = self.of.get_mut(&client) {
                own.retain(|one| *one != id);
                others |= !own.is_empty();
                if own.is_empty() {
                    self.of.remove(&client);
                }
            }
        }
        others
    }

    /// Whether a client has a request on one.
    #[inline]
    pub(super) fn has(&self, client: ClientId) -> bool {
        !self.of.is_empty() && self.of.contains_key(&client)
    }

    /// Whether a read of these clients has come before what one of them asked ahead of it, and what
    /// may have changed its keys.
    #[inline]
    pub(super) fn are_ahead_of(&self, clients: &[ClientId], scope: impl FnOnce() -> Scope) -> bool {
        let own = || clients.iter().filter_map(|client| self.of.get(client)).flatten();
        let mut writes =
            own().filter_map(|id| self.all.get(id)).filter(|other| !other.reads).peekable();
        writes.peek().is_some() && {
            let scope = scope();
            writes.any(|other| other.scope.meets(&scope))
        }
    }

    /// Whether there is none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one has to wait for another one of its client that began before it.
    pub(super) fn is_behind(&self, id: DetourId) -> bool {
        let Some(own) = self.all.get(&id) else { return false };
        let before = |client| self.of.get(client).into_iter().flatten().filter(|one| **one < id);
        own.clients.iter().flat_map(before).filter_map(|one| self.all.get(one)).any(|other| {
            // Several clients may wait for a read: of two that wait for each other neither would go.
            !(own.reads && other.reads) && own.scope.meets(&other.scope)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use smallvec::smallvec;

    /// A request: its clients, its keys, and whether it is a read.
    type Asked = (Vec<u64>, Vec<u8>, bool);

    fn asked() -> impl Strategy<Value = Asked> {
        (0..3u64, vec(0..3u8, 0..3), any::<bool>(), any::<bool>()).prop_map(
            |(client, keys, reads, shared)| {
                let more = (reads && shared).then_some((client + 1) % 3);
                ([client].into_iter().chain(more).collect(), keys, reads)
            },
        )
    }

    fn scope(keys: &[u8]) -> Scope {
        Scope::of(keys.iter().map(std::slice::from_ref))
    }

    proptest! {
        #[test]
        fn those_of_one_client_and_key_are_done_in_the_order_in_which_they_began(
            all in vec(asked(), 1..20),
            order in vec(any::<prop::sample::Index>(), 20),
        ) {
            let mut detours = Detours::default();
            let mut open = vec![];
            for (clients, keys, reads) in all {
                let id = detours.begin(clients.iter().copied().collect(), scope(&keys), reads);
                open.push((id, clients, keys, reads));
            }
            for index in order {
                // One that goes is one before which nothing of its client and key is open.
                let free: Vec<_> =
                    (0..open.len()).filter(|at| !detours.is_behind(open[*at].0)).collect();
                let Some(first) = open.first() else { break };
                prop_assert!(!detours.is_behind(first.0), "the first of all always goes");
                let (id, clients, keys, reads) = open.remove(free[index.index(free.len())]);
                for (other, of, theirs, read) in &open {
                    let own = of.iter().any(|client| clients.contains(client));
                    let meets = theirs.iter().any(|key| keys.contains(key));
                    prop_assert!(!(*other < id && own && meets && !(reads && *read)));
                }
                detours.end(id);
                for client in 0..3 {
                    let has = open.iter().any(|(_, of, ..)| of.contains(&client));
                    prop_assert_eq!(detours.has(client), has);
                }
            }
        }
    }

    #[test]
    fn one_that_ends_says_whether_others_may_go() {
        let mut detours = Detours::default();
        let one = detours.begin(smallvec![1], Scope::All, false);
        let other = detours.begin(smallvec![1], scope(&[7]), true);
        assert!(detours.is_behind(other) && !detours.is_behind(one));
        assert!(detours.end(one) && !detours.is_behind(other));
        assert!(!detours.end(other) && !detours.has(1) && !detours.end(other));
    }
}

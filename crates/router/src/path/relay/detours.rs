//! Clients of which a request is on a detour: a server of a cluster has not done it, and another one is
//! asked, or the same one later. What they ask next waits for its reply, as behind a single server.
//!
//! What was sent behind it before cannot be called back. If that concerns the same keys, and the
//! request would be done later than at once, its client gets the server's refusal instead: done late it
//! would undo what was asked after it.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::cache::KeyList;
use crate::catalog;
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use breakwater_resp::{Parsed, RequestParser};
use std::collections::HashMap;

/// How many requests of each client are on a detour.
pub(super) type Detours = HashMap<ClientId, usize>;

impl Relay {
    /// Requests of these clients begin a detour.
    pub(super) fn begin_detour(&mut self, clients: impl IntoIterator<Item = ClientId>) {
        for client in clients {
            *self.detours.entry(client).or_default() += 1;
        }
    }

    /// They have ended.
    pub(super) fn end_detour(&mut self, clients: impl IntoIterator<Item = ClientId>) {
        for client in clients {
            if let Some(count) = self.detours.get_mut(&client) {
                *count -= 1;
                if *count == 0 {
                    self.detours.remove(&client);
                }
            }
        }
    }

    /// Whether a client's next request has to wait for one that is on a detour.
    #[inline]
    pub(super) fn is_on_detour(&self, client: ClientId) -> bool {
        !self.detours.is_empty() && self.detours.contains_key(&client)
    }

    /// Whether something that the client of a request has sent behind it over the same connection
    /// concerns one of its keys.
    pub(super) fn is_followed(&self, id: LinkId, to: &To, request: &[u8]) -> bool {
        match to {
            To::Value(flight) => {
                let waiters = self.reads.get(flight).map(|read| &read.waiters[..]);
                let clients = waiters.into_iter().flatten().map(|waiter| waiter.client);
                self.are_followed(id, &clients.collect::<Vec<_>>(), request)
            }
            to => self.are_followed(id, &to.clients(), request),
        }
    }

    /// As [`Relay::is_followed`], for a request of these clients; one without a key concerns all.
    pub(super) fn are_followed(&self, id: LinkId, clients: &[ClientId], request: &[u8]) -> bool {
        let Some(link) = self.links.get(&id) else { return false };
        let keys = self.keys_of(request);
        let own = |to: &To| match to {
            To::Value(flight) => self.reads.get(flight).is_some_and(|read| {
                read.waiters.iter().any(|waiter| clients.contains(&waiter.client))
            }),
            // A transaction, of any keys.
            To::Session(Step::Exec { client, .. }) => clients.contains(client),
            to => to.clients().iter().any(|client| clients.contains(client)),
        };
        let meets = |other: Option<Vec<u8>>| {
            let others = other.map(|other| self.keys_of(&other)).unwrap_or_default();
            let none = keys.is_empty() || others.is_empty();
            none || others.iter().any(|other| keys.iter().any(|key| key == other))
        };
        link.to.waiting().any(|(token, to)| own(to) && meets(link.to.request(token)))
    }

    /// The keys of a request, by its bytes.
    fn keys_of(&self, request: &[u8]) -> KeyList {
        let mut keys = KeyList::default();
        let mut parser = RequestParser::default();
        let Parsed::Command(len) = parser.parse(request, true) else { return keys };
        let args = parser.args(&request[..len]);
        if let Some(known) = catalog::find(args) {
            known.each_key(args, |place, _| keys.push(args.word(place)));
        }
        keys
    }
}

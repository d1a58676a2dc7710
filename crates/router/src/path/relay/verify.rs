//! Replies from memory that are compared with the store's: a small share, to be sure.

use super::Relay;
use super::reply::{Given, To};
use crate::cache::{Count, Form, Hit, Shelf};
use crate::path::course::Request;
use crate::sight::Cause;
use breakwater_resp::{Kind, Protocol};

impl Relay {
    /// Has a reply compared that was found in memory, if the lot falls on it.
    pub(super) fn verify(
        &mut self,
        route: usize,
        request: &Request<'_>,
        shelf: &Shelf,
        hit: Hit,
        given: &[u8],
    ) {
        let share = self.rules.routes.all()[route].verify;
        if share <= 0.0 || self.chance() >= share {
            return;
        }
        let Ok(home) = self.home_of(shelf.keys.iter()) else { return };
        let reader = self.shared_with(home.server, Protocol::Resp3, request.db);
        let Some(generations) = self.router.replies.generations(shelf) else { return };
        let busy = self.refuses(reader) || self.crowds.has(reader);
        if busy || generations.first() != Some(&hit.generation) {
            return;
        }
        let given = Given {
            shelf: shelf.clone(),
            generations,
            stamp: hit.stamp(),
            protocol: request.protocol,
            age: self.router.replies.now().saturating_sub(hit.when()),
            bytes: given.to_vec(),
        };
        self.send(reader, request.bytes, To::Compare(Box::new(given)));
    }

    /// The store's reply has come. A key that has changed meanwhile, or may have unheard, tells nothing.
    pub(super) fn compare(&mut self, given: &Given, kind: Kind, reply: &[u8]) {
        let Given { shelf, generations, stamp, protocol, age, bytes } = given;
        let replies = &self.router.replies;
        if kind.is_error() || !replies.stands(shelf, generations) || !replies.covers(*stamp) {
            return;
        }
        let route = self.rules.routes.of(shelf.keys.first());
        self.tally.add(route, Count::Verified);
        let reply = shelf.form.convert(kind, reply, *protocol);
        if *reply != **bytes && !same_members(shelf.form, &reply, bytes) {
            self.tally.add_stale(route, *age);
            self.router.forget(&shelf.keys, Cause::Verified);
        }
    }
}

/// Whether two replies have the same bytes in another order: those of sets and hashes do, that the
/// store has rehashed.
fn same_members(form: Form, a: &[u8], b: &[u8]) -> bool {
    let sorted = |bytes: &[u8]| {
        let mut sorted = bytes.to_vec();
        sorted.sort_unstable();
        sorted
    };
    form == Form::Typed && a.len() == b.len() && sorted(a) == sorted(b)
}

//! `CLIENT TRACKING ... BCAST`: the thread that hears for all has one connection by which the store
//! tells of every key that begins as somebody wants. When somebody wants more, another one takes its
//! place, and the first ends once that stands: nothing is missed in between.

use super::Relay;
use super::tracking::invalidation;
use crate::cache::KeyList;
use crate::path::course::{Course, Request, Taken};
use crate::path::letter::Word;
use crate::path::pending::LinkId;
use crate::topology::PRIMARY;
use crate::upstream::{Phase, UpstreamOptions};
use breakwater_resp::Protocol;
use std::sync::Arc;

/// The store is asked for as many prefixes; beyond, for all keys.
const MOST: usize = 64;

/// What this thread hears of changes for all.
#[derive(Default)]
pub(super) struct Feed {
    /// The connection, and the prefixes of its keys; the last one stands or is about to, and takes
    /// the place of the others.
    links: Vec<(LinkId, Vec<Vec<u8>>)>,
    /// Who waits until the last one stands.
    waiting: Vec<(u64, u64)>,
    /// Whether something may have been missed.
    missed: bool,
}

impl Relay {
    /// A client is told of prefixes as soon as the store tells of them.
    pub(super) fn broadcast(&mut self, request: &Request<'_>, course: &mut Course) -> Taken {
        let (client, ticket) = (request.client, course.replies.owe());
        let ask = self.await_ear(client, ticket, b"+OK\r\n".to_vec(), vec![]);
        let ear = self.router.ear.of(self.number);
        self.write(ear, Word::Feed { thread: self.number, ask });
        Taken::Done
    }

    /// A thread wants all to be heard that anybody is to be told of. If it has not asked for somebody,
    /// things may have been missed before.
    pub(super) fn feed(&mut self, thread: u64, ask: u64) {
        self.feed.missed |= ask == 0;
        let wanted = cover(self.router.tracked.prefixes());
        let covered = |have: &[Vec<u8>]| {
            wanted.iter().all(|want| have.iter().any(|prefix| want.starts_with(prefix)))
        };
        if !self.feed.links.last().is_some_and(|(_, have)| covered(have)) {
            let options = self.options(PRIMARY, Protocol::Resp3, 0);
            let options = UpstreamOptions { prefixes: wanted.clone(), ..options };
            let id = self.open_link(PRIMARY, options, None);
            self.feed.links.push((id, wanted));
        }
        self.feed.waiting.push((thread, ask));
        self.feed_stands();
    }

    /// If the last connection stands, the others end and nobody waits.
    fn feed_stands(&mut self) {
        let ready = |id: &LinkId| {
            self.links.get(id).is_some_and(|link| link.upstream.phase() == Phase::Ready)
        };
        if !self.feed.links.last().is_some_and(|(id, _)| ready(id)) {
            return;
        }
        let others = self.feed.links.len() - 1;
        for (id, _) in self.feed.links.drain(..others).collect::<Vec<_>>() {
            self.give_up(id, "another one takes its place");
        }
        if std::mem::take(&mut self.feed.missed) {
            let told = self.router.tracked.by_prefix();
            self.tell_all(told);
        }
        for (thread, ask) in std::mem::take(&mut self.feed.waiting) {
            self.write(thread, Word::Stands { ask, refusal: None });
        }
    }

    /// Whether a connection is one that tells of prefixes.
    pub(super) fn is_feed(&self, id: LinkId) -> bool {
        self.feed.links.iter().any(|(feed, _)| *feed == id)
    }

    /// A connection has come up: one that tells of prefixes, perhaps.
    pub(super) fn feed_ready(&mut self, id: LinkId) {
        if self.is_feed(id) {
            self.feed_stands();
        }
    }

    /// A connection is lost. One that tells of prefixes comes up again.
    pub(super) fn lose_feed(&mut self, id: LinkId) {
        if !self.is_feed(id) {
            return;
        }
        self.feed.missed = true;
        let told = self.router.tracked.by_prefix();
        self.tell_all(told);
    }

    /// The store tells of keys.
    pub(super) fn feed_changed(&mut self, keys: &KeyList) {
        for (keys, trackers) in self.router.tracked.told_of(&keys.iter().collect::<Vec<_>>()) {
            let bytes: Arc<[u8]> = invalidation(Some(&keys)).into();
            trackers.iter().for_each(|tracker| self.tell_one(tracker, bytes.clone()));
        }
        if self.router.tracked.prefixes().is_empty() {
            for (id, _) in std::mem::take(&mut self.feed.links) {
                self.give_up(id, "nobody is told of prefixes");
            }
        }
    }

    /// Who heard may hear no more: whoever does from now on hears prefixes as well.
    pub(super) fn renew_feed(&mut self) {
        if !self.router.tracked.prefixes().is_empty() {
            let ear = self.router.ear.of(self.number);
            self.write(ear, Word::Feed { thread: self.number, ask: 0 });
        }
    }
}

/// The fewest prefixes that stand for all of these.
fn cover(prefixes: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut least: Vec<Vec<u8>> = vec![];
    // Ascending: what a prefix stands for follows it.
    for prefix in prefixes {
        if !least.last().is_some_and(|last| prefix.starts_with(last)) {
            least.push(prefix);
        }
    }
    if least.len() > MOST { vec![vec![]] } else { least }
}

#[cfg(test)]
mod tests {
    use super::cover;

    #[test]
    fn prefixes_stand_for_those_that_they_begin() {
        let of = |all: &[&str]| {
            let mut all: Vec<_> = all.iter().map(|one| one.as_bytes().to_vec()).collect();
            all.sort_unstable();
            cover(all).into_iter().map(|one| String::from_utf8(one).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(of(&["b:", "a:x", "a:", "b:"]), ["a:", "b:"]);
        assert_eq!(of(&["a", "", "b"]), [""]);
        let many: Vec<_> = (100..165).map(|at| at.to_string()).collect();
        assert_eq!(of(&many.iter().map(String::as_str).collect::<Vec<_>>()), [""]);
        assert!(of(&[]).is_empty());
    }
}

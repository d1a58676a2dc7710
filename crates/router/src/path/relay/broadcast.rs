//! `CLIENT TRACKING ... BCAST`: the thread that hears for all has a *round*: one connection to each
//! server that takes writes, by which that tells of every key that begins as somebody wants. When
//! somebody wants more, or other servers take writes, another round takes its place, and the first ends
//! once that stands: nothing is missed in between.

use super::Relay;
use super::link::HEARTBEAT;
use super::tracking::invalidation;
use crate::cache::KeyList;
use crate::path::course::{Course, Request, Taken};
use crate::path::letter::Word;
use crate::path::pending::LinkId;
use crate::topology::ServerId;
use crate::upstream::{Phase, UpstreamOptions};
use breakwater_resp::Protocol;
use std::collections::HashMap;
use std::sync::Arc;

/// The store is asked for as many prefixes; beyond, for all keys.
const MOST: usize = 64;

/// What this thread hears of changes for all.
#[derive(Default)]
pub(super) struct Feed {
    /// The last one stands or is about to, and takes the place of the others.
    rounds: Vec<Round>,
    /// Who waits until the last one stands.
    waiting: Vec<(u64, u64)>,
    /// Whether something may have been missed.
    missed: bool,
}

impl Feed {
    /// Its connections.
    pub(super) fn links(&self) -> Vec<LinkId> {
        self.rounds.iter().flat_map(|round| &round.links).map(|(_, id)| *id).collect()
    }

    /// Its connections have other numbers now.
    pub(super) fn renumber(&mut self, numbers: &HashMap<LinkId, LinkId>) {
        for (_, id) in self.rounds.iter_mut().flat_map(|round| &mut round.links) {
            *id = numbers.get(id).copied().unwrap_or_default();
        }
    }
}

/// Connections that tell of keys.
struct Round {
    links: Vec<(ServerId, LinkId)>,
    /// How these keys begin.
    prefixes: Vec<Vec<u8>>,
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
        if ask == 0 {
            self.feed_missed();
        }
        self.renew_round();
        self.feed.waiting.push((thread, ask));
        self.feed_stands();
    }

    /// Other servers may take writes now: of keys of theirs nobody has told since they do.
    pub(super) fn move_feed(&mut self) {
        if !self.feed.rounds.is_empty() && self.renew_round() {
            self.feed.missed = true;
            self.feed_stands();
        }
    }

    /// Begins another round, unless the last one is of these servers and tells of enough; whether it
    /// does.
    fn renew_round(&mut self) -> bool {
        let wanted = cover(self.router.tracked.prefixes.all());
        let servers = self.map.serving();
        let covered = |have: &[Vec<u8>]| {
            wanted.iter().all(|want| have.iter().any(|prefix| want.starts_with(prefix)))
        };
        let serves = |round: &Round| {
            round.links.iter().map(|(server, _)| *server).eq(servers.iter().copied())
        };
        if self.feed.rounds.last().is_some_and(|round| serves(round) && covered(&round.prefixes)) {
            return false;
        }
        let open = |server: ServerId| {
            let options = self.options(server, Protocol::Resp3, 0);
            let options =
                UpstreamOptions { prefixes: wanted.clone(), heartbeat: HEARTBEAT, ..options };
            (server, self.open_link(server, options, None))
        };
        let links = servers.into_iter().map(open).collect();
        self.feed.rounds.push(Round { links, prefixes: wanted });
        true
    }

    /// If the last round stands, the others end and nobody waits.
    fn feed_stands(&mut self) {
        let ready = |(_, id): &(ServerId, LinkId)| {
            self.links.get(id).is_some_and(|link| link.upstream.phase() == Phase::Ready)
        };
        if !self.feed.rounds.last().is_some_and(|round| round.links.iter().all(ready)) {
            return;
        }
        let others = self.feed.rounds.len() - 1;
        for round in self.feed.rounds.drain(..others).collect::<Vec<_>>() {
            self.end_feed(round, "another one takes its place");
        }
        if std::mem::take(&mut self.feed.missed) {
            let told = self.router.tracked.prefixes.told_of_all();
            self.tell_all(told);
        }
        for (thread, ask) in std::mem::take(&mut self.feed.waiting) {
            self.write(thread, Word::Stands { ask, refusal: None });
        }
    }

    fn end_feed(&mut self, round: Round, why: &str) {
        for (_, id) in round.links {
            self.give_up(id, why);
        }
    }

    /// Whether a connection is one that tells of prefixes.
    pub(super) fn is_feed(&self, id: LinkId) -> bool {
        self.feed.rounds.iter().flat_map(|round| &round.links).any(|(_, feed)| *feed == id)
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
        self.feed_missed();
    }

    /// Keys may have changed, and may change until the last round stands, of which nobody tells: who is
    /// to hear of prefixes is told so now, and again when it stands.
    fn feed_missed(&mut self) {
        self.feed.missed = true;
        let told = self.router.tracked.prefixes.told_of_all();
        self.tell_all(told);
    }

    /// The store tells of keys.
    pub(super) fn feed_changed(&mut self, keys: &KeyList) {
        for (keys, trackers) in
            self.router.tracked.prefixes.told_of(&keys.iter().collect::<Vec<_>>())
        {
            let bytes: Arc<[u8]> = invalidation(Some(&keys)).into();
            trackers.iter().for_each(|tracker| self.tell_one(tracker, bytes.clone()));
        }
        if self.router.tracked.prefixes.all().is_empty() {
            for round in std::mem::take(&mut self.feed.rounds) {
                self.end_feed(round, "nobody is told of prefixes");
            }
        }
    }

    /// Who heard may hear no more: whoever does from now on hears prefixes as well.
    pub(super) fn renew_feed(&mut self) {
        if !self.router.tracked.prefixes.all().is_empty() {
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

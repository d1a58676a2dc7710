//! Which servers a topic is heard at, and what happens when that changes.
//!
//! ```text
//! one store    the store
//! a cluster    channels and patterns at one server, which is told of all messages; a channel of a shard at
//!              the master of its slot, or where it is heard already, if that became that one's replica
//! a ring       all topics at every store: PUBLISH goes to the store of the channel's name, scripts and
//!              transactions publish where their keys are, and each store tells of its own keys
//! ```
//! Where a slot moves, its old server ends the subscriptions, and the new one is asked; one that has left
//! the cluster is heard a while longer. Where a store joins a ring, messages are published by the ring before (`shared/ear.rs`) until the new store is heard,
//! and one that leaves is heard a while longer: nothing that is published through this node is lost.

use super::Relay;
use crate::news::{Kind, Topic};
use crate::path::pending::LinkId;
use crate::topology::{PRIMARY, ServerId};
use std::collections::{BTreeMap, BTreeSet};

/// How long, in milliseconds, a server that has left the ring or the cluster is heard: what was published
/// there before may be on its way.
const LINGERS: u64 = 2_000;
/// Milliseconds until a server is asked again that has not taken a subscription.
const PAUSE: u64 = 100;

/// What is on the move.
#[derive(Default)]
pub(super) struct Moving {
    /// The server that channels and patterns of a cluster are heard at.
    pub(super) hub: Option<ServerId>,
    /// Errands of the move to another map that are not answered.
    pub(super) errands: BTreeSet<u64>,
    /// Servers that have left the ring or the cluster, and until when they are heard.
    leaving: BTreeMap<ServerId, u64>,
    /// When to look for topics that are not heard where they should be.
    again: Option<u64>,
}

impl Moving {
    /// When something is to be done.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.leaving.values().copied().chain(self.again).min()
    }
}

/// Whether messages to a topic are published at every store of a ring: any channel may fit a pattern, and
/// each store tells of its own keys.
pub(super) fn comes_from_all(kind: Kind, name: &[u8]) -> bool {
    kind == Kind::Pattern || name.starts_with(b"__key")
}

impl Relay {
    /// The store of a ring that a message to a channel is published at: by the map of the thread that
    /// hears.
    pub(super) fn publishes_at(&self, channel: &[u8]) -> Option<ServerId> {
        let own = self.map.first_of_ring().map(|_| &self.map)?;
        let map = self.router.ear.map().unwrap_or_else(|| own.clone());
        map.owner(map.partition(channel))
    }

    /// Something is about to be heard.
    pub(super) fn begin_hearing(&mut self) {
        self.look();
        if self.map.first_of_ring().is_some() && self.router.ear.map().is_none() {
            self.router.ear.goes_by(self.number, Some(self.map.clone()));
        }
        if self.hearing.moving.hub.is_none() {
            self.hearing.moving.hub = Some(self.any_master().unwrap_or(PRIMARY));
        }
    }

    /// Nothing is heard any more.
    pub(super) fn stop_hearing(&mut self) {
        if self.map.first_of_ring().is_some() {
            self.router.ear.goes_by(self.number, None);
        }
        self.hearing.moving.again = None;
    }

    /// The stores of a ring, at which all is heard: by the map that is valid now, and by the one that
    /// messages are published by.
    pub(super) fn everywhere(&self) -> Option<BTreeSet<ServerId>> {
        self.map.first_of_ring()?;
        let before = self.router.ear.map().map(|map| map.serving()).unwrap_or_default();
        Some(self.map.serving().into_iter().chain(before).collect())
    }

    /// The servers that a topic is to be heard at, which is heard `at` some.
    pub(super) fn stations(
        &self,
        topic: &Topic,
        at: &BTreeMap<ServerId, Option<u64>>,
        everywhere: Option<&BTreeSet<ServerId>>,
    ) -> BTreeSet<ServerId> {
        if let Some(everywhere) = everywhere {
            return everywhere.clone();
        }
        if topic.0 != Kind::Shard || !self.clustered() {
            return self.hearing.moving.hub.into_iter().collect();
        }
        let owner = self.map.owner(self.map.partition(&topic.1));
        let follows = |server: &&ServerId| owner.is_some() && self.map.master_of(**server) == owner;
        at.keys().find(follows).copied().or(owner).into_iter().collect()
    }

    /// Whether any topic is to be heard at a server.
    pub(super) fn is_wanted(&self, server: ServerId) -> bool {
        let everywhere = self.everywhere();
        let mut all = self.hearing.topics.iter();
        all.any(|(topic, one)| self.stations(topic, &one.at, everywhere.as_ref()).contains(&server))
    }

    /// Whether messages to a topic may be lost if this server is not heard, or, if it was `heard`, is heard
    /// no more. Of a ring, those to a channel that has another store are not, but for what stores tell of
    /// their keys.
    pub(super) fn depends(&self, topic: &Topic, server: ServerId, heard: bool) -> bool {
        match self.publishes_at(&topic.1) {
            Some(_) if comes_from_all(topic.0, &topic.1) => heard,
            store => store.is_none_or(|store| store == server),
        }
    }

    /// Topics may have to be heard elsewhere by the map that is valid now.
    pub(super) fn move_ears(&mut self) {
        if self.clustered() || self.hearing.topics.is_empty() {
            self.leave_gone();
        }
        if self.hearing.topics.is_empty() || !self.hearing.moving.errands.is_empty() {
            return;
        }
        let everywhere = self.everywhere();
        let mut fresh = BTreeMap::<ServerId, Vec<Topic>>::new();
        let mut over = BTreeMap::<ServerId, Vec<Topic>>::new();
        for (topic, station) in &self.hearing.topics {
            let wanted = self.stations(topic, &station.at, everywhere.as_ref());
            for server in &wanted {
                if !station.at.contains_key(server) {
                    fresh.entry(*server).or_default().push(topic.clone());
                }
            }
            for server in station.at.keys().filter(|server| !wanted.contains(server)) {
                over.entry(*server).or_default().push(topic.clone());
            }
        }
        if self.clustered() {
            for (server, topics) in over {
                self.hearing.leave(server, &topics);
                // A server that has lost a slot ends its subscriptions by itself, if it knows that.
                if self.hearing.moving.leaving.contains_key(&server) {
                    self.silence(server, topics);
                }
            }
        }
        for (server, topics) in fresh {
            self.hear_at(server, topics, true);
        }
        if self.hearing.moving.errands.is_empty() {
            self.publish_by_map();
        }
    }

    /// Servers that are not in the map any more are heard a while longer: one that gives its place to
    /// its replica is missing until the others know whom it follows, and what it was told to publish
    /// before is on its way.
    fn leave_gone(&mut self) {
        let map = self.map.clone();
        let serves = |server: &ServerId| map.leads(*server) || map.master_of(*server).is_some();
        self.hearing.moving.leaving.retain(|server, _| !serves(server));
        let gone = |server: &ServerId| !serves(server);
        for server in self.hearing.ears.keys().copied().filter(gone).collect::<Vec<_>>() {
            if self.hearing.moving.hub.take_if(|hub| *hub == server).is_some() {
                let its = self.hearing.topics.keys().filter(|topic| topic.0 != Kind::Shard);
                let its = its.cloned().collect();
                self.drop_topics(its, b"-ERR the server has left the cluster\r\n");
            }
            self.hearing.moving.leaving.entry(server).or_insert(self.now + LINGERS);
        }
        let due = self.hearing.moving.wake_at();
        self.wake_by(due);
    }

    /// All stores of the ring that is valid now are heard: messages are published by it from now on.
    fn publish_by_map(&mut self) {
        let (Some(before), map) = (self.router.ear.map(), self.map.clone()) else { return };
        let serving: BTreeSet<_> = map.serving().into_iter().collect();
        let known = before.serving();
        let mut joined = serving.iter().filter(|server| !known.contains(server));
        // One that cannot be reached yet is asked once it is.
        let topics = &self.hearing.topics;
        if joined.any(|server| topics.values().any(|one| !one.at.contains_key(server))) {
            return;
        }
        self.router.ear.goes_by(self.number, Some(map));
        let left = self.hearing.ears.keys().filter(|server| !serving.contains(server));
        let Moving { leaving, .. } = &mut self.hearing.moving;
        leaving.retain(|server, _| !serving.contains(server));
        for server in left {
            leaving.entry(*server).or_insert(self.now + LINGERS);
        }
        let due = self.hearing.moving.wake_at();
        self.wake_by(due);
    }

    /// A connection that hears has come up: what its server was not asked for yet.
    pub(super) fn ear_ready(&mut self, id: LinkId) {
        if self.is_ear(id) {
            self.move_ears();
        }
    }

    /// A server of a cluster does not have the slot of a channel any more.
    pub(super) fn sent_away(&mut self, server: ServerId, channel: &[u8]) {
        let topic = (Kind::Shard, channel.to_vec());
        let station = self.hearing.topics.get_mut(&topic);
        // Else it answers what it was asked.
        if station.is_some_and(|one| one.at.get(&server) == Some(&None)) {
            self.hearing.leave(server, &[topic]);
            self.hear_again();
        }
    }

    /// Not all is heard where it should be: that is looked at again, by a map that may be newer.
    pub(super) fn hear_again(&mut self) {
        self.hurry_map();
        let due = self.now + PAUSE;
        self.hearing.moving.again.get_or_insert(due);
        self.wake_by(Some(due));
    }

    /// Does what is due.
    pub(super) fn wake_ears(&mut self) {
        let now = self.now;
        if self.hearing.moving.wake_at().is_none_or(|due| due > now) {
            return;
        }
        self.look();
        if self.hearing.moving.again.take_if(|due| *due <= now).is_some() {
            self.move_ears();
        }
        let over = self.hearing.moving.leaving.extract_if(.., |_, due| *due <= now);
        for server in over.map(|(server, _)| server).collect::<Vec<_>>() {
            if !self.map.is_up(server) {
                for station in self.hearing.topics.values_mut() {
                    station.at.remove(&server);
                }
                self.close_ear(server);
            }
        }
    }
}

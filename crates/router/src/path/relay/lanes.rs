//! `CLIENT TRACKING ... BCAST NOLOOP`: clients that hear of prefixes, and not of what they write
//! themselves. By whom a key was written the store alone knows, by the connection of the write. So the
//! clients of a thread that hear of the same prefixes share a *lane*: one connection to each server
//! that takes writes, over which they send, and by which the store tells them of all changes but those
//! that came over it.
//!
//! ```text
//! the store tells of keys         all of the lane whose prefixes these have are told
//! the reply to a write comes      all but the writer are told, unless it says that nothing has changed
//! a connection is lost            all are told that anything may have changed, and once more when
//!                                 there is another one
//! ```
//! A script writes as nobody: the store tells of that over all connections. So scripts go over the
//! connection that all share.

use super::Relay;
use super::link::HEARTBEAT;
use super::reply::To;
use super::step::Step;
use super::tracking::invalidation;
use crate::cache::KeyList;
use crate::catalog::{self, idle};
use crate::path::changes::Changes;
use crate::path::course::{Course, Request, Taken};
use crate::path::letter::Word;
use crate::path::pending::LinkId;
use crate::path::tracking::PrefixLane;
use crate::shared::{ClientId, TrackedReads, Tracker};
use crate::topology::ServerId;
use crate::upstream::{Phase, UpstreamOptions};
use breakwater_resp::{Kind, Parsed, Protocol, RequestParser};
use std::collections::HashMap;
use std::sync::Arc;

/// A thread has as many lanes; beyond, the store tells further ones of all keys.
const MOST: usize = 16;

const LEFT: &str = "nobody uses this connection any more";
const RENEWED: &str = "another connection takes the place of this one";

/// Who shares a lane, and its connections.
struct Members {
    told: TrackedReads,
    links: HashMap<ServerId, LinkId>,
    /// Who waits until it stands.
    waiting: Vec<u64>,
    /// Whether something may have been missed.
    missed: bool,
}

/// The lanes of this thread.
#[derive(Default)]
pub(super) struct Lanes {
    all: HashMap<PrefixLane, Members>,
    of: HashMap<LinkId, PrefixLane>,
}

impl Lanes {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether this is what a client of a lane waits for.
    pub(super) fn awaits(&self, ask: u64) -> bool {
        self.all.values().any(|members| members.waiting.contains(&ask))
    }
}

impl Relay {
    /// Whether a connection is one of a lane.
    pub(super) fn is_lane(&self, id: LinkId) -> bool {
        self.lanes.of.contains_key(&id)
    }

    /// A client hears of prefixes over a lane as soon as that stands.
    pub(super) fn join_lane(
        &mut self,
        tracker: &Arc<Tracker>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Taken {
        let prefixes = course.tracking.prefixes().to_vec();
        let mut lane = PrefixLane { db: request.db, prefixes: prefixes.as_slice().into() };
        if self.lanes.all.len() >= MOST && !self.lanes.all.contains_key(&lane) {
            lane.prefixes = [vec![]].into();
        }
        let before = course.tracking.lane(request.db).cloned();
        if before.is_some_and(|before| before != lane) {
            self.leave_lanes(request.client);
            // It may not have heard of all that was told over the other one.
            self.tell_all_changed(course);
        }
        let ask = self.await_ear(request.client, course.replies.owe(), b"+OK\r\n".into(), vec![]);
        let limits = &self.rules.limits;
        let members = self.lanes.all.entry(lane.clone()).or_insert_with(|| Members {
            told: TrackedReads::new(limits.tracked_keys, limits.tracked_keys_by_client),
            links: HashMap::new(),
            waiting: vec![],
            missed: false,
        });
        members.told.adopt(tracker);
        prefixes.iter().for_each(|prefix| members.told.prefixes.add(tracker, prefix));
        members.waiting.push(ask);
        self.open_lane(&lane);
        self.lane_stands(&lane);
        course.tracking.take_lane(Some(lane));
        Taken::Done
    }

    /// The connection of a client's lane to a server, if it has one and speaks its protocol.
    pub(super) fn lane_link(
        &self,
        server: ServerId,
        request: &Request<'_>,
        course: &Course,
    ) -> Option<LinkId> {
        let lane = course.tracking.lane(request.db)?;
        let speaks = request.protocol == Protocol::Resp3;
        let scripts = matches!(request.args.get(0), Some(word) if is_script(word));
        let members = self.lanes.all.get(lane).filter(|_| speaks && !scripts)?;
        members.links.get(&server).copied()
    }

    /// Opens the connections that a lane lacks; whether there were any.
    fn open_lane(&mut self, lane: &PrefixLane) -> bool {
        let Some(members) = self.lanes.all.get(lane) else { return false };
        let lacks = |server: &ServerId| !members.links.contains_key(server);
        let servers: Vec<_> = self.map.serving().iter().copied().filter(lacks).collect();
        for server in &servers {
            let options = UpstreamOptions {
                prefixes: lane.prefixes.to_vec(),
                no_loop: true,
                heartbeat: HEARTBEAT,
                ..self.options(*server, Protocol::Resp3, lane.db)
            };
            let id = self.open_link(*server, options, None);
            self.lanes.of.insert(id, lane.clone());
            if let Some(members) = self.lanes.all.get_mut(lane) {
                members.links.insert(*server, id);
            }
        }
        !servers.is_empty()
    }

    /// If all connections of a lane are ready, nobody waits for it.
    fn lane_stands(&mut self, lane: &PrefixLane) {
        let Some(members) = self.lanes.all.get_mut(lane) else { return };
        let ready = |id: &LinkId| {
            self.links.get(id).is_some_and(|link| link.upstream.phase() == Phase::Ready)
        };
        if !members.links.values().all(ready) {
            return;
        }
        let waiting = std::mem::take(&mut members.waiting);
        if std::mem::take(&mut members.missed) {
            let told = members.told.prefixes.told_of_all();
            self.tell_all(told);
        }
        for ask in waiting {
            self.write(self.number, Word::Stands { ask, refusal: None });
        }
    }

    /// A connection has come up: one of a lane, perhaps.
    pub(super) fn lane_ready(&mut self, id: LinkId) {
        if let Some(lane) = self.lanes.of.get(&id).cloned() {
            self.lane_stands(&lane);
        }
    }

    /// A connection is lost; one of a lane comes up again.
    pub(super) fn lose_lane(&mut self, id: LinkId) {
        if let Some(lane) = self.lanes.of.get(&id).cloned() {
            self.lane_missed(&lane);
        }
    }

    /// Keys may have changed, and may change until the lane stands, of which nobody tells.
    fn lane_missed(&mut self, lane: &PrefixLane) {
        if let Some(members) = self.lanes.all.get_mut(lane) {
            members.missed = true;
            let told = members.told.prefixes.told_of_all();
            self.tell_all(told);
        }
    }

    /// A write over a lane that was not answered in time may be done yet. The store tells of that over
    /// another connection.
    pub(super) fn late_in_lane(&mut self, id: LinkId) {
        let Some(lane) = self.lanes.of.remove(&id) else { return };
        if let Some(members) = self.lanes.all.get_mut(&lane) {
            members.links.retain(|_, link| *link != id);
        }
        self.give_up(id, RENEWED);
        self.lane_missed(&lane);
        self.open_lane(&lane);
    }

    /// Other servers may take writes now.
    pub(super) fn move_lanes(&mut self) {
        for lane in self.lanes.all.keys().cloned().collect::<Vec<_>>() {
            let serving = self.map.serving();
            let Some(members) = self.lanes.all.get_mut(&lane) else { continue };
            let gone = members.links.iter().filter(|(server, _)| !serving.contains(server));
            let gone: Vec<_> = gone.map(|(server, id)| (*server, *id)).collect();
            for (server, id) in gone {
                if let Some(members) = self.lanes.all.get_mut(&lane) {
                    members.links.remove(&server);
                }
                self.lanes.of.remove(&id);
                self.give_up(id, LEFT);
            }
            if self.open_lane(&lane) {
                self.lane_missed(&lane);
                self.lane_stands(&lane);
            }
        }
    }

    /// A client hears of nothing any more.
    pub(super) fn leave_lanes(&mut self, client: ClientId) {
        self.lanes.all.values_mut().for_each(|members| members.told.end(client));
        self.close_lanes();
    }

    /// Closes lanes that nobody is in and over which nothing is owed.
    fn close_lanes(&mut self) {
        let idle = |id: &LinkId| self.links.get(id).is_none_or(|link| link.to.is_empty());
        let ends = |members: &Members| members.told.is_empty() && members.links.values().all(idle);
        let ended = self.lanes.all.iter().filter(|(_, members)| ends(members));
        for lane in ended.map(|(lane, _)| lane.clone()).collect::<Vec<_>>() {
            let links = self.lanes.all.remove(&lane).map(|members| members.links);
            for id in links.into_iter().flat_map(HashMap::into_values) {
                self.lanes.of.remove(&id);
                self.give_up(id, LEFT);
            }
        }
    }

    // ---- what is told

    /// The store tells of keys, over a connection of a lane if this is one; whether it is.
    pub(super) fn tell_lane_of(&mut self, id: LinkId, keys: &KeyList) -> bool {
        let Some(lane) = self.lanes.of.get(&id).cloned() else { return false };
        self.tell_lane(&lane, None, keys);
        true
    }

    /// Tells all of a lane but the one who wrote.
    fn tell_lane(&mut self, lane: &PrefixLane, by: Option<ClientId>, keys: &KeyList) {
        let Some(members) = self.lanes.all.get(lane) else { return };
        for (keys, trackers) in members.told.prefixes.told_of(&keys.iter().collect::<Vec<_>>()) {
            let bytes: Arc<[u8]> = invalidation(Some(&keys)).into();
            let others = trackers.iter().filter(|tracker| Some(tracker.client) != by);
            others.for_each(|tracker| self.tell_one(tracker, bytes.clone()));
        }
    }

    /// The store has answered a request that was sent over a lane, perhaps.
    pub(super) fn answered_in_lane(
        &mut self,
        id: LinkId,
        to: &To,
        request: Option<&[u8]>,
        (kind, reply): (Kind, &[u8]),
    ) {
        let Some(lane) = self.lanes.of.get(&id).cloned() else { return };
        let (client, changes, all) = match to {
            To::Client { client, changes, .. } => (*client, changes, false),
            To::Session(Step::Exec { client, changes, .. }) => (*client, changes, true),
            _ => return self.close_lanes(),
        };
        let nothing = match all {
            true => kind != Kind::Array,
            false => request.is_some_and(|request| changed_nothing(request, kind, reply)),
        };
        match changes {
            _ if nothing => {}
            Changes::Nothing => {}
            Changes::Keys(keys) => self.tell_lane(&lane, Some(client), keys),
            // The connection that all share tells of a flush.
            Changes::Everything => {
                let told =
                    self.lanes.all.get(&lane).map(|members| members.told.prefixes.told_of_all());
                self.tell_all(told.unwrap_or_default());
            }
        }
        self.close_lanes();
    }
}

/// Whether a command runs a program.
fn is_script(word: &[u8]) -> bool {
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    is("eval") || is("evalsha") || is("fcall")
}

/// Whether the reply to a request says that it has changed nothing.
fn changed_nothing(request: &[u8], kind: Kind, reply: &[u8]) -> bool {
    let mut parser = RequestParser::default();
    let Parsed::Command(len) = parser.parse(request, true) else { return false };
    let args = parser.args(&request[..len]);
    catalog::find(args).is_some_and(|known| kind.is_error() || idle(known, args, reply))
}

//! Connections to the store: opened, shared by clients, written to, told what happens, and given up.
//! `choice` says which one a request goes over, `events` what follows from what one says.

use super::Relay;
use super::addressees::Addressees;
use super::heard::Heard;
use super::reply::To;
use crate::cache::Source;
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use crate::topology::{Flow, ServerId};
use crate::upstream::{Busy, Phase, Upstream, UpstreamOptions};
use breakwater_resp::Protocol;
use std::collections::VecDeque;
use std::mem;

/// A connection over which the store tells of changes or messages is asked so often, in milliseconds, whether it
/// is there, when nothing comes over it: what the network swallows nobody would miss.
pub(super) const HEARTBEAT: u64 = 5_000;

/// A connection to the store.
pub(super) struct Link {
    pub(super) server: ServerId,
    pub(super) upstream: Upstream,
    /// Whose replies are to come, by their tokens.
    pub(super) to: Addressees,
    pub(super) protocol: Protocol,
    /// The database that all are in who share it.
    db: u8,
    /// The database of a connection that belongs to single clients.
    pub(super) pin: Option<u8>,
    /// The client that it belongs to now.
    pub(super) owner: Option<ClientId>,
    /// The number that the store knows it by, if it has said that.
    pub(super) number: Option<i64>,
    /// By which what is read over it counts, if the store tells of changes of that.
    pub(super) source: Option<Source>,
    /// Whether it is counted as one that serves.
    serves: bool,
    /// Why it is down, for people, from its first failure until it is ready.
    pub(super) down: Option<String>,
    /// What the driver said of its socket last.
    pub(super) why: String,
}

impl Link {
    /// Whether it has failed and is not ready again.
    pub(super) fn is_down(&self) -> bool {
        self.down.is_some() && self.upstream.phase() != Phase::Ready
    }

    /// The protocol and the database of what is asked over it.
    pub(super) fn place(&self) -> (Protocol, u8) {
        (self.protocol, self.pin.unwrap_or(self.db))
    }

    /// Whether it is counted as one that serves.
    pub(super) fn is_serving(&self) -> bool {
        self.serves
    }

    /// It is ready, and counted as one that serves.
    pub(super) fn serve(&mut self) {
        (self.down, self.serves) = (None, true);
    }

    /// It serves no more; whether it did.
    pub(super) fn stop_serving(&mut self) -> bool {
        mem::take(&mut self.serves)
    }
}

impl Relay {
    /// The connection to a server, of a protocol and a database, that all clients share.
    pub(super) fn shared_with(&mut self, server: ServerId, protocol: Protocol, db: u8) -> LinkId {
        if let Some(&id) = self.shared.get(&(server, protocol, db)) {
            return id;
        }
        let tracks = protocol == Protocol::Resp3;
        let heartbeat = if tracks { HEARTBEAT } else { 0 };
        let options = UpstreamOptions { tracks, heartbeat, ..self.options(server, protocol, db) };
        let id = self.open_link(server, options, None);
        self.shared.insert((server, protocol, db), id);
        id
    }

    pub(super) fn options(&self, server: ServerId, protocol: Protocol, db: u8) -> UpstreamOptions {
        let address = self.router.topology.servers.get(server).map(|server| &server.address);
        let (timeout, silence) = self.patience(server);
        UpstreamOptions {
            protocol,
            user: address.and_then(|address| address.user.clone()),
            password: address.and_then(|address| address.password.clone()),
            name: "breakwater".to_owned(),
            db: u32::from(db),
            timeout,
            silence,
            connect_timeout: self.rules.limits.store_timeout,
            // What is beyond its bounds is not sent: see `crowd`.
            requests: usize::MAX,
            bytes: usize::MAX,
            ..UpstreamOptions::default()
        }
    }

    /// How long a server may take for a reply, and how long it may send nothing while it owes one, in
    /// milliseconds.
    fn patience(&self, server: ServerId) -> (u64, u64) {
        let limits = &self.rules.limits;
        let (timeout, silence) = (limits.store_timeout, limits.longest_read());
        // What a replica does not answer in time is asked elsewhere, and that takes time as well.
        let share = if self.map.master_of(server).is_none() { 1 } else { 2 };
        (timeout / share, silence / share)
    }

    /// The rules have changed: connections are as patient as these say.
    pub(super) fn adjust_patience(&mut self) {
        let servers: Vec<_> = self.links.iter().map(|(id, link)| (*id, link.server)).collect();
        for (id, server) in servers {
            let patience = self.patience(server);
            if let Some(link) = self.links.get_mut(&id) {
                link.upstream.set_patience(patience);
            }
        }
    }

    /// The connection to a server for what ends the script that it is busy with: over those that it
    /// serves otherwise, it reads nothing before that script has ended.
    pub(super) fn urgent_with(&mut self, server: ServerId, protocol: Protocol) -> LinkId {
        let key = (server, protocol);
        if let Some(&id) = self.urgent.get(&key) {
            return id;
        }
        let options = UpstreamOptions { urgent: true, ..self.options(server, protocol, 0) };
        let id = self.open_link(server, options, None);
        self.urgent.insert(key, id);
        id
    }

    /// Opens a connection to a server, for all clients or, in this database, for one at a time.
    pub(super) fn open_link(
        &mut self,
        server: ServerId,
        options: UpstreamOptions,
        pin: Option<u8>,
    ) -> LinkId {
        self.last_link += 1;
        let (id, now) = (self.last_link, self.now);
        let (protocol, db) = (options.protocol, options.db as u8);
        let source = options.tracks.then(|| self.router.replies.source());
        let seed = self.seed_of(id);
        let mut to = Addressees::default();
        if options.no_loop {
            to.keep();
        }
        let upstream = Upstream::new(options, seed);
        let (down, why) = (None, String::new());
        let (owner, number, serves) = (None, None, false);
        let link = Link {
            server,
            upstream,
            to,
            protocol,
            db,
            pin,
            owner,
            number,
            source,
            serves,
            down,
            why,
        };
        self.links.insert(id, link);
        self.tell(id, |upstream, heard| upstream.wake(now, heard));
        id
    }

    pub(super) fn send(&mut self, id: LinkId, request: &[u8], to: To) {
        self.send_by(Upstream::send, id, request, to);
    }

    /// As [`Relay::send`], for a read that a server may answer as a replica, if it is one.
    pub(super) fn send_as_replica(&mut self, id: LinkId, request: &[u8], to: To) {
        match self.clustered() {
            true => self.send_by(Upstream::send_as_replica, id, request, to),
            false => self.send(id, request, to),
        }
    }

    /// As [`Relay::send`], for a request that may take as long as it likes.
    pub(super) fn send_patiently(&mut self, id: LinkId, request: &[u8], to: To) {
        self.send_by(Upstream::send_patiently, id, request, to);
    }

    /// Sends what is answered by pushes, with a request behind it that gets the reply.
    pub(super) fn announce(&mut self, id: LinkId, requests: &[u8], to: To) {
        self.send_by(Upstream::send_announced, id, requests, to);
    }

    fn send_by(
        &mut self,
        way: fn(&mut Upstream, u64, &[u8], u64) -> Result<(), Busy>,
        id: LinkId,
        request: &[u8],
        to: To,
    ) {
        let (now, retries) = (self.now, self.retried_for() > 0);
        let Some(link) = self.links.get_mut(&id) else { return };
        if retries {
            link.to.keep();
        }
        link.upstream.set_waited(self.waited);
        match way(&mut link.upstream, link.to.next(), request, now) {
            Ok(()) => {
                link.to.add(to, self.clock, request);
                let server = link.server;
                let limits = &self.rules.limits;
                if link.upstream.waiting() >= limits.in_flight
                    || link.upstream.unwritten() >= limits.unwritten
                {
                    self.crowds.fill(id);
                }
                // Mostly another one's time is over before.
                if link.upstream.late_at(now) < self.due {
                    let due = link.upstream.wake_at();
                    self.wake_by(due);
                }
                self.touched.push(id);
                self.moved = true;
                self.count(server, Flow::Requests, 1);
                self.count(server, Flow::InFlight, 1);
            }
            Err(busy) => self.fail(to, why(busy)),
        }
    }

    /// Tells a connection something, and does what it says to that.
    pub(super) fn tell(
        &mut self,
        id: LinkId,
        what: impl FnOnce(&mut Upstream, &mut VecDeque<Heard>),
    ) {
        let mut heard = VecDeque::new();
        let Some(link) = self.links.get_mut(&id) else { return };
        self.moved = true;
        what(&mut link.upstream, &mut heard);
        let due = link.upstream.wake_at();
        if !link.upstream.output().is_empty() {
            self.touched.push(id);
        }
        self.wake_by(due);
        for heard in heard {
            self.hear(id, heard);
        }
    }

    /// Gives a connection up; whether there was one. Whoever waits for its replies is told why none
    /// comes.
    pub(super) fn give_up(&mut self, id: LinkId, why: &str) -> bool {
        let Some(link) = self.links.remove(&id) else { return false };
        self.closes.push(id);
        self.uncount(&link);
        link.to.into_all().for_each(|to| self.fail(to, why));
        true
    }

    /// A connection of a client's own leads to another server from now on: nothing is owed over it.
    pub(super) fn lead_elsewhere(&mut self, id: LinkId, server: ServerId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (protocol, db, before) = (link.protocol, link.pin.unwrap_or(0), link.server);
        let served = link.stop_serving();
        self.count(before, Flow::Connections, -i64::from(served));
        self.count(before, Flow::Pinned, -1);
        self.count(server, Flow::Pinned, 1);
        let options = self.options(server, protocol, db);
        let (seed, now) = (self.seed_of(id), self.now);
        self.closes.push(id);
        if let Some(link) = self.links.get_mut(&id) {
            (link.server, link.upstream) = (server, Upstream::new(options, seed));
            link.number = None;
        }
        self.tell(id, |upstream, heard| upstream.wake(now, heard));
    }

    /// A connection ends: it is counted no more, nor are the bytes that wait in it.
    pub(super) fn uncount(&mut self, link: &Link) {
        self.moved = true;
        self.count(link.server, Flow::Connections, -i64::from(link.serves));
        self.count(link.server, Flow::InFlight, -link.to.count());
    }
}

/// Why a request is not taken.
fn why(busy: Busy) -> &'static str {
    match busy {
        Busy::Requests => "too many requests wait for the store",
        Busy::Bytes => "too many bytes wait for the store",
        Busy::Ended => "the connection to the store has ended",
    }
}

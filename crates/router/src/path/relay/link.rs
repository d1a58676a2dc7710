//! Connections to the store: opened, shared by clients, told what happens, and heard.

use super::Relay;
use super::addressees::{Addressee, Addressees};
use super::heard::Heard;
use super::refusal::is_refusal;
use super::reply::To;
use crate::cache::Source;
use crate::catalog::Known;
use crate::failure::{Failure, has_code};
use crate::path::course::{Course, Delivery, Request};
use crate::path::pending::LinkId;
use crate::path::pending::Scope;
use crate::shared::ClientId;
use crate::topology::{Flow, PRIMARY, ServerId};
use crate::upstream::{Busy, Lost, Phase, Upstream, UpstreamOptions, tells_of_state};
use breakwater_resp::Protocol;
use std::collections::VecDeque;

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
    fn is_down(&self) -> bool {
        self.down.is_some() && self.upstream.phase() != Phase::Ready
    }

    /// Whether it is counted as one that serves.
    pub(super) fn is_serving(&self) -> bool {
        self.serves
    }
}

impl Relay {
    /// The connection to a server that a request goes over that is not remembered: that of its
    /// protocol and database. `None` if it has to wait for one that is ahead of it on another
    /// connection.
    pub(super) fn link_for(
        &mut self,
        server: ServerId,
        request: &Request<'_>,
        course: &Course,
        (scope, writes): (&Scope, bool),
    ) -> Result<Option<LinkId>, Failure> {
        let own = self.lane_link(server, request, course);
        let own = own.unwrap_or_else(|| self.shared_with(server, request.protocol, request.db));
        match course.pending.block(own, scope, writes) {
            true => Ok(None),
            false => self.ready_link(own, request),
        }
    }

    /// A connection, unless a request has to wait for it.
    fn ready_link(
        &mut self,
        own: LinkId,
        request: &Request<'_>,
    ) -> Result<Option<LinkId>, Failure> {
        if self.refuses(own) {
            self.mind_link(own);
            if self.await_server(request.client) {
                return Ok(None);
            }
            return Err(Failure::because(&self.reason(own)));
        }
        Ok(Some(own))
    }

    /// The connection to a server that a command goes over that is not remembered: as
    /// [`Relay::link_for`], unless it ends the script that the server is busy with.
    pub(super) fn link_to(
        &mut self,
        server: ServerId,
        (known, request): (Option<&Known>, &Request<'_>),
        course: &Course,
        way: (&Scope, bool),
    ) -> Result<Option<LinkId>, Failure> {
        if !known.is_some_and(Known::interrupts) {
            return self.link_for(server, request, course, way);
        }
        let urgent = self.urgent_with(server, request.protocol);
        if self.is_down(urgent) {
            return Err(Failure::because(&self.reason(urgent)));
        }
        Ok(Some(urgent))
    }

    /// Whether a connection has failed and is not ready again: requests are not held for it.
    pub(super) fn is_down(&self, id: LinkId) -> bool {
        self.links.get(&id).is_none_or(Link::is_down)
    }

    /// Whether nothing is sent over a connection: it is down, or its server has failed too often.
    pub(super) fn refuses(&self, id: LinkId) -> bool {
        self.links.get(&id).is_none_or(|link| link.is_down() || self.is_open(link.server))
    }

    /// Nothing is sent over a connection: its server is tried when that is due.
    pub(super) fn mind_link(&mut self, id: LinkId) {
        if let Some(server) = self.links.get(&id).map(|link| link.server) {
            self.mind_breaker(server);
        }
    }

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

    /// The connection to a server of a client's protocol and database, for a transaction that concerns
    /// these keys.
    pub(super) fn link_for_whole(
        &mut self,
        server: ServerId,
        request: &Request<'_>,
        course: &Course,
        scope: &Scope,
    ) -> Result<Option<LinkId>, Failure> {
        let own = self.shared_with(server, request.protocol, request.db);
        match course.pending.block_whole(own, scope) {
            true => Ok(None),
            false => self.ready_link(own, request),
        }
    }

    /// A request that concerns any key has been sent.
    pub(super) fn follow(&self, ticket: u64, link: LinkId, course: &mut Course) {
        course.pending.add(ticket, link, &Scope::All, true);
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

    pub(super) fn hear(&mut self, id: LinkId, heard: Heard) {
        let (is_ear, clustered, retries) =
            (self.is_ear(id), self.clustered(), self.retried_for() > 0);
        let Some(link) = self.links.get_mut(&id) else { return };
        let (owner, server) = (link.owner, link.server);
        match heard {
            Heard::Connect => self.opens.push(id),
            Heard::Close => self.closes.push(id),
            Heard::Greeted(hello) => {
                self.router.met(&hello);
                self.greeted(id, &hello);
            }
            Heard::Ready => {
                (link.down, link.serves) = (None, true);
                self.count(server, Flow::Connects, 1);
                self.count(server, Flow::Connections, 1);
                self.has_met(server);
                self.wake_awaiting();
                self.store_is(server, false);
                self.feed_ready(id);
                self.ear_ready(id);
                self.lane_ready(id);
            }
            Heard::Down(refusal) => self.down(id, refusal),
            Heard::Push(push) if is_ear => self.heard(server, &push),
            Heard::Push(push) => self.pushed(id, owner, push),
            Heard::Reply(token, kind, reply) => {
                let place = (link.protocol, link.pin.unwrap_or(link.db));
                let refused = clustered && is_refusal(kind, &reply);
                let early = if refused { None } else { self.is_early(id, token) };
                let keeps = refused || !self.lanes.is_empty();
                let Some(link) = self.links.get_mut(&id) else { return };
                let request = keeps.then(|| link.to.request(token)).flatten();
                let Some(Addressee { to, asked }) = link.to.take(token) else { return };
                self.count(server, Flow::InFlight, -1);
                self.has_answered(server);
                if let Some(class) = to.class() {
                    self.clocked(server, class, asked);
                }
                match refused || early.is_some() {
                    true => self.doubt(id, &to),
                    false => {
                        self.answered_quietly(id, &to, kind, &reply);
                        self.answered_in_lane(id, &to, request.as_deref(), (kind, &reply));
                    }
                }
                if let Some(request) = early {
                    return self.read_again(to, &request, place);
                }
                let refused = request.filter(|_| refused);
                match (to, refused) {
                    (to, Some(request)) => self.redirect(id, to, &request, reply),
                    (To::Session(step), None) => self.replied_session(id, step, kind, reply),
                    (to, None) => self.replied(to, kind, reply),
                }
            }
            Heard::Lost(token, why) => {
                let safe = why == Lost::Unwritten && link.pin.is_none();
                let known = retries && why != Lost::Late;
                let request = known.then(|| link.to.request(token)).flatten();
                let place = (link.protocol, link.pin.unwrap_or(link.db));
                if let Some(Addressee { to, .. }) = link.to.take(token) {
                    self.count(server, Flow::InFlight, -1);
                    if why != Lost::Unwritten && !to.goes_with_another() {
                        self.has_failed(server);
                    }
                    self.doubt(id, &to);
                    if let Some(request) = request
                        && (safe || to.is_read())
                        && !matches!(to, To::Session(_))
                    {
                        let reason = self.reason(id);
                        return self.retry(to, &request, place, &reason);
                    }
                    let reason = match why {
                        Lost::Late => "the store has not answered in time".to_owned(),
                        _ => self.reason(id),
                    };
                    self.fail(to, &reason);
                    if why == Lost::Late {
                        self.late(id);
                        self.late_in_lane(id);
                    }
                }
            }
        }
    }

    /// A connection is down: what it was told of is not known any more.
    pub(super) fn down(&mut self, id: LinkId, refusal: Option<Vec<u8>>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let refused = refusal.is_some();
        link.down = Some(match refusal {
            Some(error) => {
                let text = String::from_utf8_lossy(&error);
                let said = text.trim_start_matches('-').trim_end();
                if tells_of_state(&error) { said.to_owned() } else { format!("it answers {said}") }
            }
            None if link.why.is_empty() => "it does not answer, or speaks no RESP".to_owned(),
            None => std::mem::take(&mut link.why),
        });
        let (owner, server) = (link.owner, link.server);
        let (served, tracks) = (std::mem::take(&mut link.serves), link.source.is_some());
        if served && tracks {
            // What it has read may change from now on, and nobody would hear of it. One that has not
            // served since has read nothing.
            link.source = Some(self.router.replies.source());
            self.tell_lost(server);
        }
        self.count(server, if served { Flow::Losses } else { Flow::Failures }, 1);
        self.count(server, Flow::Connections, -i64::from(served));
        if served && !self.clustered() {
            self.lost_until = self.now + self.retried_for();
        }
        // One that was lost may be back at once; one that cannot be opened is down.
        if !served && !refused {
            self.has_failed(server);
            self.store_is(server, true);
        }
        if self.clustered() {
            self.hurry_map();
            // What waits to be written is another server's, perhaps.
            self.tell(id, |upstream, heard| upstream.release(heard));
        }
        self.lose_feed(id);
        self.lose_lane(id);
        self.loops.lose(id);
        self.lose_ear(id);
        self.lose_legacy(id);
        if self.links.get(&id).is_some_and(|link| link.pin.is_some()) {
            self.lose_pin(id, owner);
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
        let served = std::mem::take(&mut link.serves);
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

    /// A connection of a client's own is lost, and with it what its session was: its requests fail,
    /// and it ends.
    fn lose_pin(&mut self, id: LinkId, owner: Option<ClientId>) {
        let why = self.reason(id);
        self.close_pin(id, &why);
        self.deliveries.extend(owner.map(Delivery::end));
    }

    /// What a connection of a client's own does when a reply is late is not known: it is given up.
    fn late(&mut self, id: LinkId) {
        let link = self.links.get(&id).filter(|link| link.pin.is_some());
        if let Some(owner) = link.map(|link| link.owner) {
            self.lose_pin(id, owner);
        }
    }

    /// Why a connection is down, for clients.
    pub(super) fn reason(&self, id: LinkId) -> String {
        let link = self.links.get(&id);
        let open = self.why_open(id);
        let down = link.and_then(|link| link.down.as_deref());
        let why = down.or(open.as_deref()).unwrap_or("it is not connected yet");
        if has_code(why) {
            return why.to_owned();
        }
        let server = link.map_or(PRIMARY, |link| link.server);
        format!("{} is unreachable: {why}", self.router.topology.name(server))
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

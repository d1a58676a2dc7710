//! What connections to the store say (`heard`), and what follows from it for those who wait for replies.

use super::Relay;
use super::addressees::Addressee;
use super::heard::Heard;
use super::link::Link;
use super::refusal::is_refusal;
use super::reply::To;
use crate::path::course::Delivery;
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use crate::topology::Flow;
use crate::upstream::{Lost, tells_of_state};
use breakwater_resp::Kind;
use std::mem;

impl Relay {
    /// Does what follows from what a connection says.
    pub(super) fn hear(&mut self, id: LinkId, heard: Heard) {
        let Some(link) = self.links.get(&id) else { return };
        let (owner, server) = (link.owner, link.server);
        match heard {
            Heard::Connect => self.opens.push(id),
            Heard::Close => self.closes.push(id),
            Heard::Greeted(hello) => {
                self.router.met(&hello);
                self.greeted(id, &hello);
            }
            Heard::Ready => self.link_ready(id),
            Heard::Down(refusal) => self.down(id, refusal),
            Heard::Push(push) if self.is_ear(id) => self.heard(server, &push),
            Heard::Push(push) => self.pushed(id, owner, push),
            Heard::Reply(token, kind, reply) => self.reply_came(id, token, kind, reply),
            Heard::Lost(token, why) => self.reply_lost(id, token, why),
        }
    }

    /// A connection serves from now on.
    fn link_ready(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let server = link.server;
        link.serve();
        self.count(server, Flow::Connects, 1);
        self.count(server, Flow::Connections, 1);
        self.has_met(server);
        self.wake_awaiting();
        self.store_is(server, false);
        self.feed_ready(id);
        self.ear_ready(id);
        self.lane_ready(id);
    }

    /// The reply has come to what was asked by this token. What a server refused since the keys are another
    /// one's is asked there, and what it answered too early is read again.
    fn reply_came(&mut self, id: LinkId, token: u64, kind: Kind, reply: Vec<u8>) {
        let refused = self.clustered() && is_refusal(kind, &reply);
        let early = if refused { None } else { self.is_early(id, token) };
        let keeps = refused || !self.lanes.is_empty();
        let Some(link) = self.links.get_mut(&id) else { return };
        let (server, place) = (link.server, link.place());
        let request = keeps.then(|| link.to.request(token)).flatten();
        let Some(Addressee { to, asked }) = link.to.take(token) else { return };
        self.count(server, Flow::InFlight, -1);
        self.has_answered(server);
        if let Some(class) = to.class() {
            self.clocked(server, class, asked);
        }
        if refused || early.is_some() {
            self.doubt(id, &to);
        } else {
            self.answered_quietly(id, &to, kind, &reply);
            self.answered_in_lane(id, &to, request.as_deref(), (kind, &reply));
        }
        if let Some(request) = early {
            return self.read_again(to, &request, place);
        }
        match (to, request.filter(|_| refused)) {
            (to, Some(request)) => self.redirect(id, to, &request, reply),
            (To::Session(step), None) => self.replied_session(id, step, kind, reply),
            (to, None) => self.replied(to, kind, reply),
        }
    }

    /// No reply comes to what was asked by this token: it is tried again, where it may be, or fails.
    fn reply_lost(&mut self, id: LinkId, token: u64, why: Lost) {
        let retries = self.retried_for() > 0;
        let Some(link) = self.links.get_mut(&id) else { return };
        let (server, place) = (link.server, link.place());
        let safe = why == Lost::Unwritten && link.pin.is_none();
        let known = retries && why != Lost::Late;
        let request = known.then(|| link.to.request(token)).flatten();
        let Some(Addressee { to, .. }) = link.to.take(token) else { return };
        self.count(server, Flow::InFlight, -1);
        if why != Lost::Unwritten && !to.goes_with_another() {
            self.has_failed(server);
        }
        self.doubt(id, &to);
        let again = (safe || to.is_read()) && !matches!(to, To::Session(_));
        if let Some(request) = request.filter(|_| again) {
            let reason = self.reason(id);
            return self.retry(to, &request, place, &reason);
        }
        if why != Lost::Late {
            let reason = self.reason(id);
            return self.fail(to, &reason);
        }
        self.fail(to, "the store has not answered in time");
        self.late(id);
        self.late_in_lane(id);
    }

    /// A connection is down: what it was told of is not known any more.
    fn down(&mut self, id: LinkId, refusal: Option<Vec<u8>>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let refused = refusal.is_some();
        link.down = Some(why_down(link, refusal));
        let (owner, server) = (link.owner, link.server);
        let (served, tracks) = (link.stop_serving(), link.source.is_some());
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
}

/// Why a connection is down, for people.
fn why_down(link: &mut Link, refusal: Option<Vec<u8>>) -> String {
    match refusal {
        Some(error) => {
            let text = String::from_utf8_lossy(&error);
            let said = text.trim_start_matches('-').trim_end();
            if tells_of_state(&error) { said.to_owned() } else { format!("it answers {said}") }
        }
        None if link.why.is_empty() => "it does not answer, or speaks no RESP".to_owned(),
        None => mem::take(&mut link.why),
    }
}

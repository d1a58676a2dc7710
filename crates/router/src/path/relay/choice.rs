//! Which connection a request goes over that is not remembered, and why none carries it.

use super::Relay;
use super::link::Link;
use crate::catalog::Known;
use crate::failure::{Failure, has_code};
use crate::path::course::{Course, Request};
use crate::path::pending::{LinkId, Scope};
use crate::topology::{PRIMARY, ServerId};

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

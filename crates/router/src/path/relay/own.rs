//! What goes over a connection of a client's own: watched keys, commands that wait, `MONITOR`, and
//! all else while it has one.

use super::Relay;
use super::checks::check_words;
use super::reply::To;
use super::step::Step;
use crate::catalog::{Class, Known};
use crate::failure::Failure;
use crate::path::course::{Course, Request, Taken};
use crate::path::hold::{Fate, Use};
use crate::path::pending::LinkId;
use crate::path::transaction::command as word;

impl Relay {
    /// Sends a request over a client's own connection.
    pub(super) fn over_own(
        &mut self,
        id: LinkId,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let changes = self.changes(known, request);
        self.invalidate(&changes);
        let ticket = course.replies.owe();
        let (client, protocol) = (request.client, request.protocol);
        self.send(id, request.bytes, To::Client { client, ticket, changes, protocol });
        Ok(Taken::Done)
    }

    /// Sends the last request over a client's own connection, and nothing more before its reply.
    pub(super) fn finish_own(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let Some(id) = self.own(request.client, course) else { return Ok(Taken::Later) };
        let to = self.last_over_own(known, request, course);
        self.send(id, request.bytes, to);
        Ok(Taken::Done)
    }

    /// Whose the reply is to what may be the last request over a client's own connection.
    fn last_over_own(&mut self, known: &Known, request: &Request<'_>, course: &mut Course) -> To {
        let changes = self.changes(Some(known), request);
        self.invalidate(&changes);
        let (client, ticket) = (request.client, course.replies.owe());
        course.settle(ticket);
        let watched = known.class == Class::Unwatch;
        match course.own.hold.take(if watched { Use::Unwatch } else { Use::Once }) {
            Fate::Stays => To::Client { client, ticket, changes, protocol: request.protocol },
            _ => To::Session(Step::Last { client, ticket, changes, watched }),
        }
    }

    /// Does what needs a connection of its client's own.
    pub(super) fn take_own(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        check_words(known, request)?;
        let server = match known.class {
            Class::Waits | Class::Monitors => self.any_master()?,
            _ => self.home(Some(known), request)?.server,
        };
        let Some(id) = self.pin(server, request, course)? else { return Ok(Taken::Later) };
        match known.class {
            // Keys are watched until a transaction ends.
            Class::Watch => {
                course.own.hold.take(Use::Watch);
                self.over_own(id, Some(known), request, course)
            }
            // From now on its client is told of all that the store does.
            Class::Monitors => {
                course.own.hold.take(Use::Keep);
                course.monitors = true;
                if let Some(link) = self.links.get_mut(&id) {
                    link.upstream.set_streams();
                }
                self.over_own(id, Some(known), request, course)
            }
            // They speak of what their connection wrote: of all that the store has done before a
            // `PING` over it.
            Class::Waits => {
                self.send(id, &word("PING"), To::Nobody);
                Ok(self.wait_over_own(id, known, request, course))
            }
            _ => Ok(self.wait_over_own(id, known, request, course)),
        }
    }

    /// Sends a command that waits for as long as it likes.
    fn wait_over_own(
        &mut self,
        id: LinkId,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Taken {
        self.name_own(id, request.client);
        let to = self.last_over_own(known, request, course);
        self.send_patiently(id, request.bytes, to);
        course.block();
        Taken::Done
    }
}

//! Connections to the store that belong to one client: given, passed on over, and let go.

use super::reply::To;
use super::{NEVER, PINNED, Relay};
use crate::catalog::{self, Known};
use crate::failure::Failure;
use crate::path::course::{Course, Request, Taken};
use crate::path::pending::LinkId;
use crate::upstream::UpstreamOptions;

impl Relay {
    /// Gives a client a connection of its own, once all that it is owed has come.
    pub(super) fn pin(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        if !course.replies.is_empty() {
            return Ok(Taken::Later);
        }
        if self.links.len() - self.shared.len() >= PINNED {
            return Err("ERR too many clients have a connection of their own to the store".into());
        }
        let options = UpstreamOptions {
            timeout: NEVER,
            silence: NEVER,
            ..self.options(request.protocol, request.db)
        };
        let id = self.open(options, Some(request.client));
        course.pinned = Some(id);
        let taken = self.pass_on(id, known, request)?;
        course.follow(request.args);
        Ok(taken)
    }

    /// Sends a request over its client's own connection.
    pub(super) fn pass_on(
        &mut self,
        id: LinkId,
        known: Option<&Known>,
        request: &Request<'_>,
    ) -> Result<Taken, Failure> {
        if !self.links.contains_key(&id) {
            return Err("ERR the connection to the store is lost".into());
        }
        let changes = self.changes(known, request);
        self.invalidate(&changes);
        self.send(id, request.bytes, To::Owner { changes });
        Ok(Taken::Done)
    }

    /// What the node answers by itself.
    pub(super) fn local(
        &mut self,
        request: &Request<'_>,
        course: &Course,
    ) -> Result<Taken, Failure> {
        let Some(id) = course.pinned else { return Ok(Taken::Local) };
        let words = request.args;
        let is = |name: &str| words.is(0, name);
        let signs_in = is("auth") || is("reset") || (is("hello") && words.len() > 2);
        let own = is("bw") || is("client") || is("info") || is("command");
        // What a transaction queues, the store queues; and it knows what its connection is.
        if !signs_in && (!own || course.queues) {
            return self.pass_on(id, catalog::find(words), request);
        }
        if self.owes(course) {
            return Ok(Taken::Later);
        }
        if signs_in {
            return Err("ERR not on a connection that has subscribed, watched or waited".into());
        }
        Ok(Taken::Local)
    }

    /// Whether replies are to come over a client's own connection.
    pub(super) fn owes(&self, course: &Course) -> bool {
        let link = course.pinned.and_then(|id| self.links.get(&id));
        link.is_some_and(|link| link.upstream.waiting() > 0)
    }

    /// A client is gone.
    pub(crate) fn release(&mut self, course: &Course) {
        if let Some(id) = course.pinned
            && self.links.remove(&id).is_some()
        {
            self.closes.push(id);
        }
    }
}

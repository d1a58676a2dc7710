//! Requests on their way in: what each one is, whether its user may make it, and where it goes.

use super::reply::To;
use super::{IN_FLIGHT, Relay};
use crate::cache::KeyList;
use crate::catalog::{self, Class, Known};
use crate::failure::Failure;
use crate::path::changes::Changes;
use crate::path::course::{Course, Request, Taken};
use crate::path::pending::Scope;
use crate::policy::Permissions;

impl Relay {
    /// Takes a request; errors are for the client.
    pub(crate) fn take(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        let full = course.replies.len() >= IN_FLIGHT
            || course.replies.kept() >= self.router.options.limits.output;
        if full || course.is_settling() {
            return Ok(Taken::Later);
        }
        let learned;
        let listed = catalog::find(request.args);
        let mut known = listed;
        if known.is_none() && request.user.is_some() {
            match self.learn(request).inspect_err(|_| course.refuse_transaction())? {
                Some(answer) => learned = answer,
                None => return Ok(Taken::Later),
            }
            known = learned.as_deref();
        }
        check_user(known, request).inspect_err(|_| course.refuse_transaction())?;
        if let Some(taken) = self.take_session(known, request, course, out)? {
            return Ok(taken);
        }
        if let Some(known) = listed.filter(|known| known.cacheable)
            && known.takes(request.args.len())
            && self.recall(known, request, course, out)
        {
            return Ok(Taken::Done);
        }
        let changes = self.changes(known, request);
        let (scope, writes) = scope(known, request, &changes);
        if let Some(known) = known.filter(|known| known.class == Class::Read)
            && let Some(taken) = self.take_read(known, request, course, &scope)?
        {
            return Ok(taken);
        }
        let Some(link) = self.link_for(request, course, (&scope, writes))? else {
            return Ok(Taken::Later);
        };
        self.invalidate(&changes);
        let ticket = course.replies.owe();
        course.pending.add(ticket, link, &scope, writes);
        self.send(link, request.bytes, To::Client { client: request.client, ticket, changes });
        Ok(Taken::Done)
    }
}

/// Whether the user of a request may make it.
fn check_user(known: Option<&Known>, request: &Request<'_>) -> Result<(), Failure> {
    if known.is_some_and(|known| known.class == Class::Local) {
        // What answers it asks by itself.
        return Ok(());
    }
    // Of a command that nobody knows, nobody knows what it does.
    let needed = known.map_or(Permissions::all(), |known| known.permissions);
    match request.user {
        None => Err("NOAUTH Authentication required.".into()),
        Some(user) if user.permissions.contains(needed) => Ok(()),
        Some(_) => {
            let name = request.args.word(0);
            let name = String::from_utf8_lossy(&name[..name.len().min(64)]).to_lowercase();
            let name = known.map_or(&*name, |known| &known.name);
            Err(Failure::new(format!(
                "NOPERM this user has no permissions to run the '{name}' command"
            )))
        }
    }
}

/// The keys that a request concerns, and whether it is more than a read of them.
fn scope(known: Option<&Known>, request: &Request<'_>, changes: &Changes) -> (Scope, bool) {
    match known {
        Some(known) if known.class == Class::Read => {
            let words = request.args;
            let mut keys = KeyList::default();
            known.each_key(words, |place, _| keys.push(words.word(place)));
            let scope = if keys.is_empty() { Scope::All } else { Scope::of(keys.iter()) };
            (scope, false)
        }
        Some(known) if known.class == Class::Other => (Scope::All, true),
        _ => (changes.scope(), true),
    }
}

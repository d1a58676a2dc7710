//! Requests on their way in: what each one is, whether its user may make it, and where it goes.

use super::changes::Changes;
use super::reply::To;
use super::{IN_FLIGHT, Relay};
use crate::cache::KeyList;
use crate::catalog::{self, Class, Known};
use crate::failure::Failure;
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
        let known = catalog::find(request.args);
        let class = match self.classify(known, request) {
            // What it is owed comes first.
            Err(_) if self.owes(course) => return Ok(Taken::Later),
            class => class?,
        };
        match class {
            Class::Local => return self.local(request, course),
            Class::Refused(why) => return Err(why.into()),
            _ => {}
        }
        if let Some(id) = course.pinned {
            let taken = self.pass_on(id, known, request)?;
            if let Taken::Done = taken {
                course.follow(request.args);
            }
            return Ok(taken);
        }
        if is_own(class) || known.is_some_and(|known| known.blocks(request.args)) {
            return self.pin(known, request, course);
        }
        if course.replies.len() >= IN_FLIGHT {
            return Ok(Taken::Later);
        }
        if let Some(known) = known.filter(|known| known.cacheable)
            && known.takes(request.args.len())
            && self.recall(known, request, course, out)
        {
            return Ok(Taken::Done);
        }
        let changes = self.changes(known, request);
        let (scope, writes) = scope(known, request, &changes);
        let Some(link) = self.link_for(request, course, (&scope, writes))? else {
            return Ok(Taken::Later);
        };
        self.invalidate(&changes);
        let ticket = course.replies.owe();
        course.pending.add(ticket, link, &scope, writes);
        self.send(link, request.bytes, To::Client { client: request.client, ticket, changes });
        Ok(Taken::Done)
    }

    /// What a request is, if its user may make it.
    pub(super) fn classify(
        &self,
        known: Option<&Known>,
        request: &Request<'_>,
    ) -> Result<Class, Failure> {
        let words = request.args;
        let class = match known {
            Some(known) if known.class == Class::Local => return Ok(Class::Local),
            Some(known) => known.class,
            // A command of a module: nobody knows what it changes.
            None => Class::Scope,
        };
        let needed = known.map_or(Permissions::all(), |known| known.permissions);
        match request.user {
            None => return Err("NOAUTH Authentication required.".into()),
            Some(user) if user.permissions.contains(needed) => {}
            Some(_) => {
                let name = String::from_utf8_lossy(&words.word(0)[..words.word(0).len().min(64)])
                    .to_lowercase();
                return Err(Failure::new(format!(
                    "NOPERM this user has no permissions to run the '{name}' command"
                )));
            }
        }
        Ok(class)
    }
}

/// Whether a command needs a connection of its client's own.
fn is_own(class: Class) -> bool {
    use Class::{Discard, Exec, Monitors, Multi, Subscribes, Unwatch, Waits, Watch};
    matches!(class, Discard | Exec | Monitors | Multi | Subscribes | Unwatch | Waits | Watch)
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

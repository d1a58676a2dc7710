//! Requests on their way in: what each one is, whether its user may make it, and where it goes.

use super::changes::Changes;
use super::reply::To;
use super::{IN_FLIGHT, Relay};
use crate::failure::Failure;
use crate::path::class::Class;
use crate::path::course::{Course, Request, Taken};
use crate::path::pending::Scope;
use crate::path::table::{self, Known};
use crate::policy::Permissions;
use smallvec::SmallVec;

impl Relay {
    /// Takes a request; errors are for the client.
    pub(crate) fn take(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        let known = table::find(request.args.word(0));
        let class = match self.classify(known, request) {
            // What it is owed comes first.
            Err(_) if self.owes(course) => return Ok(Taken::Later),
            class => class?,
        };
        match class {
            Class::Local => return self.local(request, course),
            Class::Refused => return Err("ERR this command is for servers".into()),
            _ => {}
        }
        if let Some(id) = course.pinned {
            let taken = self.pass_on(id, known, class, request)?;
            if let Taken::Done = taken {
                course.follow(request.args);
            }
            return Ok(taken);
        }
        if class == Class::Pinned {
            return self.pin(known, request, course);
        }
        if course.replies.len() >= IN_FLIGHT {
            return Ok(Taken::Later);
        }
        if let Some(known) = known.filter(|known| known.cacheable())
            && request.args.len() > 1
        {
            let places: SmallVec<[usize; 4]> = known.keys(request.args.len()).collect();
            if self.recall(known.name, request, &places, course, out) {
                return Ok(Taken::Done);
            }
        }
        let changes = self.changes(known, class, request);
        let (scope, writes) = self.scope(known, class, request, &changes);
        let Some(link) = self.link_for(request, course, (&scope, writes))? else {
            return Ok(Taken::Later);
        };
        self.invalidate(&changes);
        let ticket = course.replies.owe();
        course.pending.add(ticket, link, &scope, writes);
        self.send(link, request.bytes, To::Client { client: request.client, ticket, changes });
        Ok(Taken::Done)
    }

    /// The keys that a request concerns, and whether it is more than a read of them.
    fn scope(
        &self,
        known: Option<&Known>,
        class: Class,
        request: &Request<'_>,
        changes: &Changes,
    ) -> (Scope, bool) {
        match (class, known) {
            (Class::Read, Some(known)) => {
                let words = request.args;
                let keys = known.keys(words.len()).map(|place| words.word(place));
                let scope = Scope::of(keys);
                (if scope == Scope::Nothing { Scope::All } else { scope }, false)
            }
            (Class::Other, _) => (Scope::All, true),
            _ => (changes.scope(), true),
        }
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
        Ok(match class {
            Class::MayBlock if words.iter().any(|word| word.eq_ignore_ascii_case(b"block")) => {
                Class::Pinned
            }
            Class::MayBlock => Class::Write,
            class => class,
        })
    }
}

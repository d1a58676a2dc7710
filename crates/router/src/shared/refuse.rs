//! The node refuses somebody, or takes an order: counted, and noted where that is asked for.

use super::audit::Noted;
use super::clients::Client;
use super::refusals::RefusalReason;
use super::router::Router;
use crate::failure::Failure;
use crate::policy::{DEFAULT, User, Users};
use breakwater_resp::Args;

impl Router {
    /// A client gets this error, which the node makes.
    #[cold]
    pub(crate) fn refuse(&self, noted: &Noted<'_>, reply: &[u8]) {
        self.count_error(noted.client);
        let Some(refusal) = RefusalReason::of(reply) else { return };
        self.refusals.count(refusal);
        let rules = self.rules();
        if let Some(keys) = rules.audit {
            let named = noted.args.and_then(|args| name_given(&rules.users, args));
            self.audit.refused(refusal, noted, named, keys, self.nanoseconds());
        }
    }

    /// A client gives an order to the node or its store.
    #[cold]
    pub(crate) fn note_order(&self, noted: &Noted<'_>) {
        if let Some(keys) = self.rules().audit {
            self.audit.administered(noted, keys);
        }
    }

    /// What was noted of refusals and orders since it was taken last, as lines of JSON; `now` in Unix
    /// milliseconds.
    pub fn take_audit(&self, now: u64) -> Vec<String> {
        self.audit.take(now)
    }

    /// A client that has joined is turned away: what is sent to it before it is disconnected.
    pub(crate) fn turn_away(&self, client: &Client, Failure(text): &Failure, now: u64) -> Vec<u8> {
        let noted = Noted { client, user: None, args: None, now: now as i64 };
        self.refuse(&noted, text);
        self.registry.leave(client.id);
        [b"-", &**text, b"\r\n"].concat()
    }

    /// How often the node refused since the start, by the reason: as [`RefusalReason::ALL`].
    pub fn refusals(&self) -> [u64; RefusalReason::ALL.len()] {
        self.refusals.read()
    }
}

/// The user whose name somebody gave with a password.
fn name_given<'a>(users: &'a Users, args: Args<'_>) -> Option<&'a User> {
    let hello = (2..args.len()).find(|at| args.is(*at, "auth"));
    let name = match hello.filter(|_| args.is(0, "hello")) {
        Some(at) => args.get(at + 1)?,
        None if args.len() == 3 => args.word(1),
        None => DEFAULT.as_bytes(),
    };
    users.find(name).map(|user| &**user)
}

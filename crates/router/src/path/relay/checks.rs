//! Requests that are refused as the store would refuse them.

use crate::catalog::{Class, Known};
use crate::command;
use crate::failure::{Failure, unknown_part};
use crate::path::course::{Course, Request};
use breakwater_resp::Protocol;

/// As the store would refuse a request that has too few or too many words, or names no part.
pub(super) fn check_words(known: &Known, request: &Request<'_>) -> Result<(), Failure> {
    if known.misses_part(request.args) {
        return Err(unknown_part(&known.name, request.args.word(1)));
    }
    match known.takes(request.args.len()) {
        true => Ok(()),
        false => Err(command::wrong_arity(&known.name)),
    }
}

/// In RESP2 a client that subscribes may do little else: a reply could be taken for a message.
pub(super) fn check_subscriber(
    known: &Known,
    request: &Request<'_>,
    course: &Course,
) -> Result<(), Failure> {
    let allowed =
        known.class == Class::Subscribes || matches!(&*known.name, "ping" | "quit" | "reset");
    if allowed || !course.is_quiet(request.protocol) {
        return Ok(());
    }
    check_words(known, request)?;
    let why = Failure::new(format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context",
        known.name
    ));
    Err(if known.class == Class::Exec { aborted(&why) } else { why })
}

/// Why `EXEC` itself is refused.
pub(super) fn aborted(Failure(why): &Failure) -> Failure {
    let why = why.strip_prefix(b"ERR ").unwrap_or(why);
    Failure::new([b"EXECABORT Transaction discarded because of: ", why].concat())
}

impl Course {
    /// Whether its client subscribes in RESP2.
    pub(super) fn is_quiet(&self, protocol: Protocol) -> bool {
        protocol == Protocol::Resp2 && !self.topics.is_empty()
    }
}

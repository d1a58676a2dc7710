//! Whether a command is let in, by the limits of its user and the length of its arguments: asked before
//! anything is made of it.

use super::output::Output;
use crate::command::State;
use crate::failure::Failure;
use crate::path::Course;
use crate::shared::{Noted, Router};
use breakwater_resp::{Args, ReplyWriter};

/// What is let in always: by it a client says who it is, leaves, and ends a transaction, which it would
/// take for ended.
const EXEMPT: [&str; 6] = ["auth", "hello", "quit", "reset", "exec", "discard"];

/// Lets a command of so many bytes in, or says why not.
#[inline]
pub(super) fn admit(
    state: &mut State,
    router: &Router,
    course: &Course,
    args: Args<'_>,
    bytes: usize,
) -> Result<(), Failure> {
    let Some(stay) = &mut state.stay else { return Ok(()) };
    if EXEMPT.iter().any(|name| args.is(0, name)) {
        return Ok(());
    }
    Ok(stay.admit(bytes, course.replies.len(), router.nanoseconds())?)
}

/// What is said of a command with an argument of so many bytes, which are more than `most`.
#[cold]
pub(super) fn too_long(len: usize, most: usize) -> Failure {
    Failure::new(format!("LIMIT value: an argument may have {most} bytes, and this one has {len}"))
}

/// Replies to a command that is not let in, in its order. A transaction that it was for fails.
#[cold]
pub(super) fn refuse(
    state: &mut State,
    router: &Router,
    course: &mut Course,
    (Failure(text), args): (&Failure, Option<Args<'_>>),
    now: i64,
    output: &mut Output,
) {
    course.refuse_transaction();
    let user = state.user.as_deref();
    router.refuse(&Noted { client: &state.client, user, args, now }, text);
    if state.replying.begin() {
        return;
    }
    let mark = output.bytes.len();
    ReplyWriter::new(&mut output.bytes, state.protocol).error(text);
    if !course.replies.is_empty() {
        course.replies.make(&output.bytes.split_off(mark));
    }
}

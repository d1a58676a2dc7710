//! Finding a command, checking who calls it, and running it.

use super::call::Call;
use super::spec::{Command, flag};
use super::state::State;
use super::table::{find, known};
use crate::catalog::{Known, Permissions};
use crate::failure::{Failure, wrong_arity};
use crate::news::NewsDesk;
use crate::policy::User;
use crate::shared::Noted;
use crate::sight::CommandClass;
use breakwater_resp::{Args, Protocol};

/// Runs a command, whose name is its first word, and replies; of which class it is.
#[inline]
pub(crate) fn run(call: &mut Call<'_>) -> CommandClass {
    let mark = call.reply.mark();
    let mut class = CommandClass::Other;
    if let Err(Failure(text)) = attempt(call, &mut class) {
        call.reply.rewind(mark);
        call.reply.error(&text);
        call.router.refuse(&noted(call), &text);
    }
    class
}

/// The command of a request, if there is one and the session may run it.
pub(crate) fn ready(state: &State, args: Args<'_>) -> Option<&'static Known> {
    let command = match find(args.word(0))? {
        command if command.subcommands.is_empty() || args.len() == 1 => command,
        command => command.subcommand(args).ok()?,
    };
    let user = state.user.as_deref()?;
    let open = command.flags & flag::NO_AUTH != 0 || user.may_all();
    let ready = command.takes(args.len()) && (open || check(user, command, args).is_ok());
    ready.then(|| known(command))
}

#[inline]
fn attempt(call: &mut Call<'_>, class: &mut CommandClass) -> Result<(), Failure> {
    let found = match find(call.args.word(0)) {
        Some(command) if command.subcommands.is_empty() || call.args.len() == 1 => Ok(command),
        Some(command) => command.subcommand(call.args).map_err(Some),
        None => Err(None),
    };
    call.state.run(found.as_ref().map_or("", |command| command.name));
    let command = match found {
        Ok(command) => command,
        Err(Some(failure)) => return Err(failure),
        Err(None) => return refuse(call),
    };
    if !command.takes(call.args.len()) {
        return Err(wrong_arity(command.name));
    }
    *class = command.class();
    match &call.state.user {
        _ if command.flags & flag::NO_AUTH != 0 => {}
        None => return Err("NOAUTH Authentication required.".into()),
        Some(user) if user.may_all() => {}
        Some(user) => check(user, command, call.args)?,
    }
    if command.permissions().contains(Permissions::ADMIN) && call.state.rules.audit.is_some() {
        call.router.note_order(&noted(call));
    }
    if call.state.heeds() {
        heed(call, command)?;
    }
    (command.run)(call)
}

/// Who asks for what, for the audit.
fn noted<'a>(call: &'a Call<'_>) -> Noted<'a> {
    let state = &call.state;
    let user = state.user.as_deref();
    Noted { client: &state.client, user, args: Some(call.args), now: call.now }
}

/// Whether a user may make a request.
fn check(user: &User, command: &Command, args: Args<'_>) -> Result<(), Failure> {
    if !user.permissions.contains(command.permissions()) {
        let name = command.name;
        return Err(Failure::new(format!(
            "NOPERM this user has no permissions to run the '{name}' command"
        )));
    }
    if user.grant.is_none() {
        return Ok(());
    }
    if command.name == "get" && user.gets(args.word(1)) {
        return Ok(());
    }
    let known = known(command);
    user.judge(known, args).map_err(|denial| denial.failure(known))
}

/// A client that is told of changes or messages begins a command: notes what it reads before it does,
/// and keeps to the subscriptions of one that knows no pushes.
#[cold]
fn heed(call: &mut Call<'_>, command: &Command) -> Result<(), Failure> {
    let subscribed = call.state.protocol == Protocol::Resp2 && !call.state.topics.is_empty();
    if subscribed && command.flags & flag::SUBSCRIBED == 0 {
        return Err(Failure::new(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context",
            command.name
        )));
    }
    let caching = call.state.caching;
    // It lasts to the end of the next command that is not about clients.
    call.state.caching &= command.name.starts_with("client");
    if command.flags & flag::READONLY != 0
        && call.state.tracks().is_some_and(|mode| NewsDesk::notes(mode, caching))
    {
        for place in command.key_places(call.args) {
            call.router.news.read(call.args.word(place), &call.state.client.recipient);
        }
    }
    Ok(())
}

/// Answers a name that is no command's.
fn refuse(call: &mut Call<'_>) -> Result<(), Failure> {
    if speaks_http(call.args) {
        call.state.closing = true;
        return Ok(());
    }
    Err(unknown(call.args))
}

/// Whether a browser speaks that was lured into posting to a node, or to a store: it must not get to the
/// commands in the body of what it posts. Redis closes a connection over which it hears this.
pub(crate) fn speaks_http(args: Args<'_>) -> bool {
    args.is(0, "post") || args.is(0, "host:")
}

/// There is no such command: its name and the beginning of what followed it.
pub(crate) fn unknown(args: Args<'_>) -> Failure {
    const SHOWN: usize = 128;
    let until_nul = |word: &[u8], max: usize| -> Vec<u8> {
        word.iter().copied().take_while(|byte| *byte != 0).take(max).collect()
    };
    let mut shown = vec![];
    for word in args.from(1).iter() {
        if shown.len() >= SHOWN {
            break;
        }
        let room = SHOWN - shown.len();
        shown.extend([&b"'"[..], &until_nul(word, room), b"' "].concat());
    }
    let name = until_nul(args.word(0), SHOWN);
    Failure::new(
        [b"ERR unknown command '", &name[..], b"', with args beginning with: ", &shown].concat(),
    )
}

//! Finding a command, checking who calls it, and running it.

use super::call::Call;
use super::spec::flag;
use super::table::find;
use crate::failure::Failure;
use crate::policy::Permissions;
use breakwater_resp::Args;

/// Runs a command, whose name is its first word, and replies.
#[inline]
pub(crate) fn run(call: &mut Call<'_>) {
    let mark = call.reply.mark();
    if let Err(Failure(text)) = attempt(call) {
        call.reply.rewind(mark);
        call.reply.error(&text);
    }
}

#[inline]
fn attempt(call: &mut Call<'_>) -> Result<(), Failure> {
    let command = match find(call.args.word(0)) {
        Some(command) if command.subcommands.is_empty() || call.args.len() == 1 => command,
        Some(command) => command.subcommand(call.args)?,
        None => return refuse(call),
    };
    if !command.takes(call.args.len()) {
        return Err(wrong_arity(command.name));
    }
    call.state.last = command.name;
    match &call.state.user {
        _ if command.flags & flag::NO_AUTH != 0 => {}
        None => return Err("NOAUTH Authentication required.".into()),
        Some(user) if user.permissions == Permissions::all() => {}
        Some(user) if user.permissions.contains(command.permissions()) => {}
        Some(_) => {
            let name = command.name;
            return Err(Failure::new(format!(
                "NOPERM this user has no permissions to run the '{name}' command"
            )));
        }
    }
    (command.run)(call)
}

/// A command of this name has too few or too many words.
pub(crate) fn wrong_arity(name: &str) -> Failure {
    Failure::new(format!("ERR wrong number of arguments for '{name}' command"))
}

/// Answers a name that is no command's.
fn refuse(call: &mut Call<'_>) -> Result<(), Failure> {
    let name = call.args.word(0);
    // A browser that was lured into posting to us must not get to the commands in its body.
    if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
        call.state.closing = true;
        return Ok(());
    }
    Err(unknown(call.args))
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

//! The commands: what each is called, what it may touch, and what runs it. One file a family.

mod client;
mod config;
mod connection;
mod counter;
mod deadline;
mod expire;
mod generic;
mod glob;
mod info;
mod introspect;
mod keyspace;
mod long_double;
mod many;
mod range;
mod spec;
mod string;

use crate::client::ClientId;
use crate::router::Router;
use crate::session::State;
use crate::store::{DbKey, Store};
use crate::users::Permissions;
use breakwater_resp::{Args, ReplyWriter, number};
use foldhash::fast::FixedState;
use spec::{Command, flag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Why a command was refused, as the client reads it.
pub(crate) struct Failure(Cow<'static, [u8]>);

impl Failure {
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(text.into()))
    }
}

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

const SYNTAX: &str = "ERR syntax error";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

/// A command being run.
pub(crate) struct Call<'a> {
    pub(crate) router: &'a Router,
    pub(crate) state: &'a mut State,
    pub(crate) args: Args<'a>,
    pub(crate) reply: ReplyWriter<'a>,
    /// Unix milliseconds.
    pub(crate) now: i64,
    /// Clients whose connections the driver must close.
    pub(crate) kills: &'a mut Vec<ClientId>,
}

impl<'a> Call<'a> {
    #[inline]
    fn store(&self) -> &'a Store {
        &self.router.store
    }

    /// The key that the word at `index` names in the client's database.
    #[inline]
    fn key(&self, index: usize) -> DbKey {
        DbKey::new(self.state.db, self.args.word(index))
    }

    fn integer(&self, index: usize) -> Result<i64, Failure> {
        number::integer(self.args.word(index)).ok_or(NOT_AN_INTEGER.into())
    }
}

/// All commands, by name.
static FAMILIES: [&[Command]; 11] = [
    connection::COMMANDS,
    client::COMMANDS,
    introspect::COMMANDS,
    info::COMMANDS,
    config::COMMANDS,
    string::COMMANDS,
    range::COMMANDS,
    counter::COMMANDS,
    many::COMMANDS,
    generic::COMMANDS,
    keyspace::COMMANDS,
];

static TABLE: LazyLock<HashMap<u128, &'static Command, FixedState>> = LazyLock::new(|| {
    all().filter_map(|command| Some((pack(command.name.as_bytes())?, command))).collect()
});

fn all() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().copied().chain([expire::COMMANDS]).flatten()
}

/// A name in any case as one number: fifteen bytes and the length, so that no two names collide.
#[inline]
fn pack(name: &[u8]) -> Option<u128> {
    let mut packed = [0u8; 16];
    packed[15] = name.len() as u8;
    packed.get_mut(..name.len()).filter(|bytes| bytes.len() < 16)?.copy_from_slice(name);
    packed[..15].make_ascii_lowercase();
    Some(u128::from_le_bytes(packed))
}

/// The command of this name, in any case.
#[inline]
fn find(name: &[u8]) -> Option<&'static Command> {
    TABLE.get(&pack(name)?).copied()
}

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
        None => return unknown(call),
    };
    if !command.takes(call.args.len()) {
        return Err(wrong_arity(command));
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

fn wrong_arity(command: &Command) -> Failure {
    Failure::new(format!("ERR wrong number of arguments for '{}' command", command.name))
}

/// Answers a name that is no command's with the name and the beginning of what followed it.
fn unknown(call: &mut Call<'_>) -> Result<(), Failure> {
    const SHOWN: usize = 128;
    let name = call.args.word(0);
    // A browser that was lured into posting to us must not get to the commands in its body.
    if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
        call.state.closing = true;
        return Ok(());
    }
    let until_nul = |word: &[u8], max: usize| -> Vec<u8> {
        word.iter().copied().take_while(|byte| *byte != 0).take(max).collect()
    };
    let mut shown = vec![];
    for word in call.args.from(1).iter() {
        if shown.len() >= SHOWN {
            break;
        }
        let room = SHOWN - shown.len();
        shown.extend([&b"'"[..], &until_nul(word, room), b"' "].concat());
    }
    let name = until_nul(name, SHOWN);
    Err(Failure::new(
        [b"ERR unknown command '", &name[..], b"', with args beginning with: ", &shown].concat(),
    ))
}

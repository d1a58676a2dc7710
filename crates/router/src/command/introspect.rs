//! `COMMAND`: the commands themselves.

use super::call::{Call, SYNTAX};
use super::families::FAMILIES;
use super::help::help;
use super::spec::flag::{CONNECTION, LOADING, STALE};
use super::spec::{Command, KeySpec};
use crate::failure::Failure;
use crate::glob;
use breakwater_resp::{Args, ReplyWriter};

const FLAGS: u32 = LOADING | STALE | CONNECTION;
const UNORDERED: &[&str] = &["nondeterministic_output_order"];

pub(super) static COMMANDS: &[Command] = &[Command::new("command", -1, FLAGS, everything)
    .tips(UNORDERED)
    .about("server", "2.8.13", "Describes every command.")
    .subcommands(&[
        Command::new("command|count", 2, FLAGS, count).about(
            "server",
            "2.8.13",
            "Counts the commands.",
        ),
        Command::new("command|info", -2, FLAGS, info).tips(UNORDERED).about(
            "server",
            "2.8.13",
            "Describes some commands to programs.",
        ),
        Command::new("command|docs", -2, FLAGS, docs).tips(UNORDERED).about(
            "server",
            "7.0.0",
            "Describes some commands to people.",
        ),
        Command::new("command|list", -2, FLAGS, list).tips(UNORDERED).about(
            "server",
            "7.0.0",
            "Lists the names of commands.",
        ),
        Command::new("command|getkeys", -4, FLAGS, getkeys).about(
            "server",
            "2.8.13",
            "Lists the keys in a command.",
        ),
        Command::new("command|help", 2, FLAGS, |call| help(call, &COMMANDS[0])).about(
            "server",
            "5.0.0",
            "Lists these subcommands.",
        ),
    ])];

/// All commands.
pub(super) fn all() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().copied().chain([COMMANDS]).flatten()
}

/// The command of this name, in any case.
fn find(name: &[u8]) -> Option<&'static Command> {
    all().find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}

fn everything(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.array(all().count());
    all().for_each(|command| describe(&mut call.reply, command));
    Ok(())
}

fn count(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.integer(all().count() as i64);
    Ok(())
}

fn info(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.args.len() == 2 {
        return everything(call);
    }
    let names = call.args.from(2);
    call.reply.array(names.len());
    for name in names.iter() {
        match named(name) {
            Some(command) => describe(&mut call.reply, command),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// The command or subcommand of this name.
fn named(name: &[u8]) -> Option<&'static Command> {
    let Some(bar) = name.iter().position(|byte| *byte == b'|') else { return find(name) };
    let mut subcommands = find(&name[..bar])?.subcommands.iter();
    subcommands.find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}

fn describe(reply: &mut ReplyWriter<'_>, command: &Command) {
    let (first, last, step) = command.key_range();
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.integer(command.arity.into());
    reply.set(command.flag_names().count());
    command.flag_names().for_each(|name| reply.simple(name));
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    let categories = command.categories();
    reply.set(categories.len());
    categories.iter().for_each(|name| reply.simple(name));
    reply.array(command.tips.len());
    command.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.array(command.keys.len());
    command.keys.iter().for_each(|keys| describe_keys(reply, keys));
    reply.array(command.subcommands.len());
    command.subcommands.iter().for_each(|command| describe(reply, command));
}

fn describe_keys(reply: &mut ReplyWriter<'_>, keys: &KeySpec) {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(keys.flags.len());
    keys.flags.iter().for_each(|flag| reply.simple(flag));
    reply.bulk(b"begin_search");
    specification(reply, b"index", &[(b"index", keys.first as i64)]);
    reply.bulk(b"find_keys");
    if keys.counted {
        let numbers = [(&b"keynumidx"[..], 0), (b"firstkey", 1), (b"keystep", 1)];
        return specification(reply, b"keynum", &numbers);
    }
    let step = (&b"keystep"[..], keys.step as i64);
    specification(reply, b"range", &[(b"lastkey", keys.last), step, (b"limit", 0)]);
}

fn specification(reply: &mut ReplyWriter<'_>, kind: &[u8], numbers: &[(&[u8], i64)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind);
    reply.bulk(b"spec");
    reply.map(numbers.len());
    for (name, number) in numbers {
        reply.bulk(name);
        reply.integer(*number);
    }
}

fn docs(call: &mut Call<'_>) -> Result<(), Failure> {
    let chosen: Vec<&Command> = match call.args.len() {
        2 => all().collect(),
        _ => call.args.from(2).iter().filter_map(named).collect(),
    };
    call.reply.map(chosen.len());
    chosen.iter().for_each(|command| document(&mut call.reply, command));
    Ok(())
}

fn document(reply: &mut ReplyWriter<'_>, command: &Command) {
    let texts = [("summary", command.summary), ("since", command.since), ("group", command.group)];
    reply.bulk(command.name.as_bytes());
    reply.map(texts.len() + usize::from(!command.subcommands.is_empty()));
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        command.subcommands.iter().for_each(|command| document(reply, command));
    }
}

fn list(call: &mut Call<'_>) -> Result<(), Failure> {
    let names = all().flat_map(|command| std::iter::once(command).chain(command.subcommands));
    let chosen: Vec<_> = match CommandFilter::parse(call.args.from(2))? {
        None => all().map(|command| command.name).collect(),
        Some(filter) => names.filter(|command| filter.takes(command)).map(|c| c.name).collect(),
    };
    call.reply.array(chosen.len());
    chosen.iter().for_each(|name| call.reply.bulk(name.as_bytes()));
    Ok(())
}

/// Which commands `COMMAND LIST FILTERBY` lists.
enum CommandFilter<'a> {
    Module,
    Category(&'a [u8]),
    Pattern(&'a [u8]),
}

impl<'a> CommandFilter<'a> {
    fn parse(args: Args<'a>) -> Result<Option<Self>, Failure> {
        if args.is_empty() {
            return Ok(None);
        }
        if args.len() != 3 || !args.is(0, "filterby") {
            return Err(SYNTAX.into());
        }
        Ok(Some(match &args.word(1).to_ascii_lowercase()[..] {
            b"module" => Self::Module,
            b"aclcat" => Self::Category(args.word(2)),
            b"pattern" => Self::Pattern(args.word(2)),
            _ => return Err(SYNTAX.into()),
        }))
    }

    fn takes(&self, command: &Command) -> bool {
        match self {
            // There are no modules.
            Self::Module => false,
            Self::Category(name) => command
                .categories()
                .iter()
                .any(|own| own.as_bytes()[1..].eq_ignore_ascii_case(name)),
            Self::Pattern(pattern) => glob::matches(pattern, command.name.as_bytes(), true),
        }
    }
}

fn getkeys(call: &mut Call<'_>) -> Result<(), Failure> {
    let args = call.args.from(2);
    let command = find(args.word(0)).ok_or("ERR Invalid command specified")?;
    if command.keys.is_empty() {
        return Err("ERR The command has no key arguments".into());
    }
    if !command.takes(args.len()) {
        return Err("ERR Invalid number of arguments specified for command".into());
    }
    let places = command.key_places(args);
    call.reply.array(places.len());
    places.iter().for_each(|place| call.reply.bulk(args.word(*place)));
    Ok(())
}

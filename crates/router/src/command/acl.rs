//! `ACL`: the node's own users, as its configuration names them.

use super::call::Call;
use super::help::help;
use super::spec::Command;
use super::spec::flag::{ADMIN, LOADING, NOSCRIPT, STALE};
use crate::catalog::{self, Permissions};
use crate::failure::{Failure, wrong_arity};
use crate::policy::{Denial, User};
use breakwater_resp::Args;

const FLAGS: u32 = ADMIN | NOSCRIPT | LOADING | STALE;
const ANYBODY: u32 = NOSCRIPT | LOADING | STALE;

pub(super) static COMMANDS: &[Command] = &[Command::new("acl", -2, 0, |_| Ok(()))
    .about("server", "6.0.0", "Holds the commands about users.")
    .subcommands(&[
        Command::new("acl|whoami", 2, ANYBODY, whoami).about(
            "server",
            "6.0.0",
            "Tells the name of the connection's user.",
        ),
        Command::new("acl|users", 2, FLAGS, users).about(
            "server",
            "6.0.0",
            "Lists the names of the users.",
        ),
        Command::new("acl|list", 2, FLAGS, list).about(
            "server",
            "6.0.0",
            "Lists the users and their rules, without passwords.",
        ),
        Command::new("acl|getuser", 3, FLAGS, getuser).about(
            "server",
            "6.0.0",
            "Tells the rules of a user, without passwords.",
        ),
        Command::new("acl|cat", -2, ANYBODY, cat).about(
            "server",
            "6.0.0",
            "Lists the categories, or the commands of one.",
        ),
        Command::new("acl|dryrun", -4, FLAGS, dryrun).about(
            "server",
            "7.0.0",
            "Tells whether a user may run a command.",
        ),
        Command::new("acl|help", 2, LOADING | STALE, |call| help(call, &COMMANDS[0])).about(
            "server",
            "6.0.0",
            "Lists these subcommands.",
        ),
    ])];

fn whoami(call: &mut Call<'_>) -> Result<(), Failure> {
    let name = call.state.user.as_ref().map_or("", |user| &user.name);
    call.reply.bulk(name.as_bytes());
    Ok(())
}

fn users(call: &mut Call<'_>) -> Result<(), Failure> {
    let users = &call.state.rules.users;
    call.reply.array(users.iter().count());
    users.iter().for_each(|user| call.reply.bulk(user.name.as_bytes()));
    Ok(())
}

fn list(call: &mut Call<'_>) -> Result<(), Failure> {
    let users = &call.state.rules.users;
    call.reply.array(users.iter().count());
    for user in users.iter() {
        let [commands, keys, channels] = rules(user);
        let reset = if channels == "&*" { "" } else { "resetchannels" };
        let flags = flags(user).join(" ");
        let parts = ["user", &user.name, &flags, &keys, reset, &channels, &commands];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        call.reply.bulk(parts.join(" ").as_bytes());
    }
    Ok(())
}

fn getuser(call: &mut Call<'_>) -> Result<(), Failure> {
    let Some(user) = call.state.rules.users.find(call.args.word(2)).cloned() else {
        call.reply.null();
        return Ok(());
    };
    let (flags, [commands, keys, channels]) = (flags(&user), rules(&user));
    let reply = &mut call.reply;
    reply.map(6);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    // They are nobody's business: not even their hashes.
    reply.bulk(b"passwords");
    reply.array(0);
    for (name, text) in [("commands", commands), ("keys", keys), ("channels", channels)] {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    reply.bulk(b"selectors");
    reply.array(0);
    Ok(())
}

fn flags(user: &User) -> Vec<&'static str> {
    let (on, open) = user.flags();
    let on = if on { "on" } else { "off" };
    if open { vec![on, "nopass"] } else { vec![on] }
}

/// The rules of a user about commands, keys and channels.
fn rules(user: &User) -> [String; 3] {
    if let Some(grant) = &user.grant {
        return [grant.commands.describe(), grant.keys.describe(), grant.channels.describe()];
    }
    let kinds = [
        (Permissions::READ, " +@read"),
        (Permissions::WRITE, " +@write"),
        (Permissions::ADMIN, " +@admin"),
    ];
    let commands = match user.may_all() {
        true => "+@all".to_owned(),
        false => {
            let has = kinds.iter().filter(|(kind, _)| user.permissions.contains(*kind));
            has.fold("-@all +@connection".to_owned(), |text, (_, rule)| text + rule)
        }
    };
    [commands, "~*".into(), "&*".into()]
}

fn cat(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.args.len() > 3 {
        return Err(wrong_arity("acl|cat"));
    }
    let Some(name) = call.args.get(2) else {
        call.reply.array(catalog::categories().count());
        catalog::categories().for_each(|name| call.reply.bulk(name.as_bytes()));
        return Ok(());
    };
    let category = std::str::from_utf8(name).ok().and_then(catalog::category);
    let category = category.ok_or_else(|| {
        Failure::new([b"ERR Unknown category '", &name[..name.len().min(128)], b"'"].concat())
    })?;
    let all: Vec<_> = catalog::known().filter(|known| known.categories() & category != 0).collect();
    call.reply.array(all.len());
    all.iter().for_each(|known| call.reply.bulk(known.name.as_bytes()));
    Ok(())
}

fn dryrun(call: &mut Call<'_>) -> Result<(), Failure> {
    let name = call.args.word(2);
    let quoted = |before: &str, name: &[u8], after: &str| {
        let name = &name[..name.len().min(128)];
        [before.as_bytes(), b" '", name, b"' ", after.as_bytes()].concat()
    };
    let user = call.state.rules.users.find(name).cloned();
    let user = user.ok_or_else(|| Failure::new(quoted("ERR User", name, "not found")))?;
    let words = call.args.from(3);
    let known = catalog::find(words)
        .filter(|known| !known.misses_part(words))
        .ok_or_else(|| Failure::new(quoted("ERR Command", words.word(0), "not found")))?;
    if !known.takes(words.len()) {
        return Err(wrong_arity(&known.name));
    }
    match user.judge(known, words) {
        Ok(()) => call.reply.ok(),
        Err(denial) => call.reply.bulk(&told(denial, &known.name, words)),
    }
    Ok(())
}

/// What `ACL DRYRUN` says of a denial.
fn told(denial: Denial, name: &str, words: Args<'_>) -> Vec<u8> {
    let what = |verb: &str, name: &[u8], kind: &str| {
        let text = format!("This user has no permissions to {verb} the '");
        [text.as_bytes(), name, b"' ", kind.as_bytes()].concat()
    };
    match denial {
        Denial::Command => what("run", name.as_bytes(), "command"),
        Denial::Key(Some(place)) => what("access", words.word(place), "key"),
        Denial::Key(None) => what("access", b"*", "key"),
        Denial::Channel(place) => what("access", words.word(place), "channel"),
        Denial::Option(option) => what("use", option.as_bytes(), "option"),
    }
}

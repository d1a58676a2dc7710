//! Channels: `SUBSCRIBE`, `PUBLISH` and their kin.

use super::call::Call;
use super::help::help;
use super::spec::flag::{FAST, LOADING, NOSCRIPT, PUBSUB, STALE, SUBSCRIBED, TELLS};
use super::spec::{Command, Handler};
use crate::failure::Failure;
use crate::glob;
use crate::news::{Kind, Topic};

const FLAGS: u32 = PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBED;
const INFO: u32 = PUBSUB | LOADING | STALE;

const fn of(name: &'static str, arity: i32, flags: u32, run: Handler) -> Command {
    Command::new(name, arity, flags, run)
}

pub(super) static COMMANDS: &[Command] = &[
    of("subscribe", -2, FLAGS | TELLS, |call| begin(call, Kind::Channel)).about(
        "pubsub",
        "2.0.0",
        "Brings the messages of channels from now on.",
    ),
    of("psubscribe", -2, FLAGS | TELLS, |call| begin(call, Kind::Pattern)).about(
        "pubsub",
        "2.0.0",
        "Brings the messages of all channels that fit patterns.",
    ),
    of("unsubscribe", -1, FLAGS, |call| end(call, Kind::Channel)).about(
        "pubsub",
        "2.0.0",
        "Brings the messages of channels no longer.",
    ),
    of("punsubscribe", -1, FLAGS, |call| end(call, Kind::Pattern)).about(
        "pubsub",
        "2.0.0",
        "Brings the messages of patterns no longer.",
    ),
    of("publish", 3, PUBSUB | LOADING | STALE | FAST, publish).about(
        "pubsub",
        "2.0.0",
        "Sends a message to all who subscribe to a channel.",
    ),
    of("pubsub", -2, 0, |_| Ok(()))
        .about("pubsub", "2.8.0", "Holds the commands about channels.")
        .subcommands(&[
            of("pubsub|channels", -2, INFO, channels).about(
                "pubsub",
                "2.8.0",
                "Lists channels that are subscribed to.",
            ),
            of("pubsub|numsub", -2, INFO, numsub).about(
                "pubsub",
                "2.8.0",
                "Counts who subscribes to channels.",
            ),
            of("pubsub|numpat", 2, INFO, numpat).about(
                "pubsub",
                "2.8.0",
                "Counts the patterns that are subscribed to.",
            ),
            of("pubsub|help", 2, LOADING | STALE, |call| help(call, &COMMANDS[5])).about(
                "pubsub",
                "6.2.0",
                "Lists these subcommands.",
            ),
        ]),
];

fn begin(call: &mut Call<'_>, kind: Kind) -> Result<(), Failure> {
    for name in call.args.from(1).iter() {
        if call.state.topics.add((kind, name.to_vec())) {
            call.router.channels.subscribe(kind, name, &call.state.client.recipient);
        }
        confirm(call, kind.commands().0, Some(name));
    }
    call.state.show_topics();
    Ok(())
}

fn end(call: &mut Call<'_>, kind: Kind) -> Result<(), Failure> {
    let named = call.args.from(1);
    let topics: Vec<Topic> = match named.is_empty() {
        true => call.state.topics.of(kind),
        false => named.iter().map(|name| (kind, name.to_vec())).collect(),
    };
    let name = kind.commands().1;
    if topics.is_empty() {
        confirm(call, name, None);
    }
    for topic in topics {
        if call.state.topics.remove(&topic) {
            call.router.channels.unsubscribe(kind, &topic.1, call.state.client.id);
        }
        confirm(call, name, Some(&topic.1));
    }
    call.state.show_topics();
    Ok(())
}

fn confirm(call: &mut Call<'_>, name: &str, topic: Option<&[u8]>) {
    call.reply.push(3);
    call.reply.bulk(name.as_bytes());
    match topic {
        Some(topic) => call.reply.bulk(topic),
        None => call.reply.null(),
    }
    call.reply.integer(call.state.topics.count(Kind::Channel) as i64);
}

fn publish(call: &mut Call<'_>) -> Result<(), Failure> {
    let count = call.router.channels.publish(call.args.word(1), call.args.word(2));
    call.reply.integer(count as i64);
    Ok(())
}

fn channels(call: &mut Call<'_>) -> Result<(), Failure> {
    let names = match call.args.get(2) {
        _ if call.args.len() > 3 => return Err(too_many("CHANNELS")),
        None => call.router.channels.names(|_| true),
        Some(pattern) => call.router.channels.names(|name| glob::matches(pattern, name, false)),
    };
    call.reply.array(names.len());
    names.iter().for_each(|name| call.reply.bulk(name));
    Ok(())
}

fn too_many(name: &str) -> Failure {
    Failure::new(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try PUBSUB HELP."
    ))
}

fn numsub(call: &mut Call<'_>) -> Result<(), Failure> {
    let names = call.args.from(2);
    call.reply.array(names.len() * 2);
    for name in names.iter() {
        call.reply.bulk(name);
        call.reply.integer(call.router.channels.count(name) as i64);
    }
    Ok(())
}

fn numpat(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.integer(call.router.channels.patterns() as i64);
    Ok(())
}

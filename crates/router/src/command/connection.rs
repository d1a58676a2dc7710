//! A client's own connection.

use super::call::{Call, SYNTAX};
use super::generic::database;
use super::spec::Command;
use super::spec::flag::{
    ALLOW_BUSY, CONNECTION, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE, SUBSCRIBED,
};
use crate::failure::Failure;
use crate::policy::DEFAULT;
use breakwater_resp::Protocol;
use breakwater_resp::number;

/// What comes before a client is known.
const FIRST: u32 = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | CONNECTION;
/// The version of Redis whose behaviour this is; clients decide by it what they may send.
pub(super) const COMPATIBLE: &str = "7.0.15";

pub(super) static COMMANDS: &[Command] = &[
    Command::new("ping", -1, FAST | CONNECTION | SUBSCRIBED, ping)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .about("connection", "1.0.0", "Answers."),
    Command::new("echo", 2, LOADING | STALE | FAST | CONNECTION, echo).about(
        "connection",
        "1.0.0",
        "Repeats its argument.",
    ),
    Command::new("hello", -1, FIRST, hello).about(
        "connection",
        "6.0.0",
        "Chooses the protocol, and may authenticate and give a name.",
    ),
    Command::new("auth", -2, FIRST, auth).about("connection", "1.0.0", "Authenticates."),
    Command::new("quit", -1, FIRST | SUBSCRIBED, quit).about(
        "connection",
        "1.0.0",
        "Ends the connection.",
    ),
    Command::new("reset", 1, FIRST | SUBSCRIBED, reset).about(
        "connection",
        "6.2.0",
        "Makes the connection as new.",
    ),
    Command::new("select", 2, LOADING | STALE | FAST | CONNECTION, select).about(
        "connection",
        "1.0.0",
        "Chooses the database.",
    ),
];

fn ping(call: &mut Call<'_>) -> Result<(), Failure> {
    let subscribed = call.state.protocol == Protocol::Resp2 && !call.state.topics.is_empty();
    match call.args.len() {
        1 | 2 if subscribed => {
            call.reply.array(2);
            call.reply.bulk(b"pong");
            call.reply.bulk(call.args.get(1).unwrap_or_default());
        }
        1 => call.reply.simple("PONG"),
        2 => call.reply.bulk(call.args.word(1)),
        _ => return Err("ERR wrong number of arguments for 'ping' command".into()),
    }
    Ok(())
}

fn echo(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.bulk(call.args.word(1));
    Ok(())
}

fn hello(call: &mut Call<'_>) -> Result<(), Failure> {
    let mut protocol = call.state.protocol;
    if let Some(version) = call.args.get(1) {
        const NOT_A_VERSION: &str = "ERR Protocol version is not an integer or out of range";
        protocol = match number::integer(version).ok_or(NOT_A_VERSION)? {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err("NOPROTO unsupported protocol version".into()),
        };
    }
    let (mut credentials, mut name, mut at) = (None, None, 2);
    while let Some(option) = call.args.get(at) {
        let more = call.args.len() - at - 1;
        if call.args.is(at, "auth") && more >= 2 {
            credentials = Some((call.args.word(at + 1), call.args.word(at + 2)));
            at += 3;
        } else if call.args.is(at, "setname") && more >= 1 {
            name = Some(super::client::valid_name(call.args.word(at + 1))?);
            at += 2;
        } else {
            return Err(Failure::new(
                [b"ERR Syntax error in HELLO option '", option, b"'"].concat(),
            ));
        }
    }
    if let Some((user, password)) = credentials {
        log_in(call, user, password)?;
    }
    if call.state.user.is_none() {
        return Err(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise \
                    the HELLO AUTH <user> <pass> option can be used to authenticate the \
                    client and select the RESP protocol version at the same time"
                .into(),
        );
    }
    if let Some(name) = name {
        call.state.client.profile.lock().name = name.to_vec();
    }
    call.state.protocol = protocol;
    call.reply.speak(protocol);
    greet(call);
    Ok(())
}

/// Says what clients decide by: in front of a store, what that is.
fn greet(call: &mut Call<'_>) {
    let reply = &mut call.reply;
    let store = call.router.store_version();
    let (server, version) = store
        .as_ref()
        .map_or(("redis", COMPATIBLE), |store| (store.server.as_str(), store.version.as_str()));
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(server.as_bytes());
    reply.bulk(b"version");
    reply.bulk(version.as_bytes());
    reply.bulk(b"proto");
    reply.integer(call.state.protocol as i64);
    reply.bulk(b"id");
    reply.integer(call.state.client.id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}

fn auth(call: &mut Call<'_>) -> Result<(), Failure> {
    let users = &call.state.rules.users;
    let open = users.anonymous().is_some();
    match call.args.len() {
        2 if open && !users.takes_for_token(call.args.word(1)) => {
            return Err("ERR AUTH <password> called without any password configured for the \
                        default user. Are you sure your configuration is correct?"
                .into());
        }
        2 => log_in(call, DEFAULT.as_bytes(), call.args.word(1))?,
        3 => log_in(call, call.args.word(1), call.args.word(2))?,
        _ => return Err(SYNTAX.into()),
    }
    call.reply.ok();
    Ok(())
}

fn log_in(call: &mut Call<'_>, name: &[u8], password: &[u8]) -> Result<(), Failure> {
    const REFUSED: &str = "WRONGPASS invalid username-password pair or user is disabled.";
    const TOO_MANY: &str = "ERR too many passwords were wrong lately: try again in a second";
    let users = &call.state.rules.users;
    let user = users.authenticate(name, password, call.now).map_err(|_| TOO_MANY)?;
    call.state.log_in(user.ok_or(REFUSED)?)?;
    Ok(())
}

fn quit(call: &mut Call<'_>) -> Result<(), Failure> {
    call.state.closing = true;
    call.reply.ok();
    Ok(())
}

fn reset(call: &mut Call<'_>) -> Result<(), Failure> {
    call.state.reset(call.router);
    call.reply.simple("RESET");
    Ok(())
}

fn select(call: &mut Call<'_>) -> Result<(), Failure> {
    call.state.db = database(call.args.word(1))?;
    call.reply.ok();
    Ok(())
}

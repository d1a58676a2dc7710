//! `CLIENT`: who is connected, and ending it.

use super::call::{Call, SYNTAX};
use super::help::help;
use super::spec::Command;
use super::spec::flag::{ADMIN, CONNECTION, LOADING, NOSCRIPT, STALE};
use super::state::Replying;
use super::tracking;
use crate::failure::Failure;
use crate::shared::Client;
use breakwater_resp::Args;
use breakwater_resp::number;

const FLAGS: u32 = NOSCRIPT | LOADING | STALE | CONNECTION;
const ADMINS: u32 = FLAGS | ADMIN;
const VARIES: &[&str] = &["nondeterministic_output"];

pub(super) static COMMANDS: &[Command] = &[Command::new("client", -2, 0, |_| Ok(()))
    .about("connection", "2.4.0", "Holds the commands about clients.")
    .subcommands(&[
        Command::new("client|id", 2, FLAGS, id).about(
            "connection",
            "5.0.0",
            "Tells this client's number.",
        ),
        Command::new("client|info", 2, FLAGS, info).tips(VARIES).about(
            "connection",
            "6.2.0",
            "Describes this client.",
        ),
        Command::new("client|list", -2, ADMINS, list).tips(VARIES).about(
            "connection",
            "2.4.0",
            "Describes all clients, or those of a type or number.",
        ),
        Command::new("client|kill", -3, ADMINS, kill).about(
            "connection",
            "2.4.0",
            "Ends the connections of some clients.",
        ),
        Command::new("client|getname", 2, FLAGS, getname).about(
            "connection",
            "2.6.9",
            "Tells this client's name.",
        ),
        Command::new("client|setname", 3, FLAGS, setname).about(
            "connection",
            "2.6.9",
            "Gives this client a name.",
        ),
        Command::new("client|setinfo", 4, FLAGS, setinfo).about(
            "connection",
            "7.2.0",
            "Notes the name or version of the client's library.",
        ),
        Command::new("client|no-evict", 3, ADMINS, no_evict).about(
            "connection",
            "7.0.0",
            "Notes that this client is not to be disconnected.",
        ),
        Command::new("client|no-touch", 3, FLAGS, no_touch).about(
            "connection",
            "7.2.0",
            "Notes that this client's reads are not to count.",
        ),
        Command::new("client|reply", 3, FLAGS, reply).about(
            "connection",
            "3.2.0",
            "Chooses whether this client gets replies.",
        ),
        tracking::TRACKING,
        tracking::CACHING,
        tracking::TRACKINGINFO,
        tracking::GETREDIR,
        Command::new("client|help", 2, LOADING | STALE | CONNECTION, |call| {
            help(call, &COMMANDS[0])
        })
        .about("connection", "5.0.0", "Lists these subcommands."),
    ])];

fn id(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.integer(call.state.client.id as i64);
    Ok(())
}

fn info(call: &mut Call<'_>) -> Result<(), Failure> {
    catch_up(call);
    let line = describe(call, &call.state.client);
    call.reply.verbatim(*b"txt", line.as_bytes());
    Ok(())
}

/// A line that describes a client.
fn describe(call: &Call<'_>, client: &Client) -> String {
    let tracker = call.router.tracked.of(client.id);
    client.describe(call.now as u64, tracker.as_deref()) + "\n"
}

/// Shows this client as it is within its chunk.
fn catch_up(call: &mut Call<'_>) {
    call.state.show(call.now as u64, 0, call.router);
    call.state.client.profile.lock().output = call.reply.mark();
}

fn list(call: &mut Call<'_>) -> Result<(), Failure> {
    catch_up(call);
    let options = call.args.from(2);
    let clients = match options.len() {
        0 => call.router.registry.all(),
        2 if options.is(0, "type") => {
            let kind = ClientKind::parse(options.word(1))?;
            let mut all = call.router.registry.all();
            all.retain(|client| kind.takes(client));
            all
        }
        count if count > 1 && options.is(0, "id") => {
            let ids = options.from(1);
            let ids = ids.iter().map(|id| number::integer(id).ok_or("ERR Invalid client ID"));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            ids.iter().filter_map(|id| call.router.registry.find(*id as u64)).collect()
        }
        _ => return Err(SYNTAX.into()),
    };
    let lines: String = clients.iter().map(|client| describe(call, client)).collect();
    call.reply.verbatim(*b"txt", lines.as_bytes());
    Ok(())
}

/// A type of clients.
#[derive(Clone, Copy, PartialEq)]
enum ClientKind {
    Normal,
    Subscribed,
    /// Of which there are none.
    Other,
}

impl ClientKind {
    fn parse(name: &[u8]) -> Result<Self, Failure> {
        match &name.to_ascii_lowercase()[..] {
            b"normal" => Ok(Self::Normal),
            b"pubsub" => Ok(Self::Subscribed),
            b"master" | b"replica" | b"slave" => Ok(Self::Other),
            _ => Err(Failure::new([b"ERR Unknown client type '", name, b"'"].concat())),
        }
    }

    fn takes(self, client: &Client) -> bool {
        let subscribed = client.profile.lock().engagement.subscribes();
        self == if subscribed { Self::Subscribed } else { Self::Normal }
    }
}

/// Whom `CLIENT KILL` is about.
struct ClientFilter<'a> {
    id: Option<u64>,
    address: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    kind: Option<ClientKind>,
    skip_me: bool,
}

impl<'a> ClientFilter<'a> {
    fn parse(call: &Call<'_>, args: Args<'a>) -> Result<Self, Failure> {
        let mut filter =
            Self { id: None, address: None, local: None, user: None, kind: None, skip_me: true };
        for (name, value) in args.pairs(0) {
            match &name.to_ascii_lowercase()[..] {
                b"id" => {
                    let id = number::integer(value).filter(|id| *id > 0);
                    filter.id = Some(id.ok_or("ERR client-id should be greater than 0")? as u64);
                }
                b"addr" => filter.address = Some(value),
                b"laddr" => filter.local = Some(value),
                b"type" => filter.kind = Some(ClientKind::parse(value)?),
                b"user" => {
                    if call.state.rules.users.find(value).is_none() {
                        return Err(Failure::new([b"ERR No such user '", value, b"'"].concat()));
                    }
                    filter.user = Some(value);
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.skip_me = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.skip_me = false,
                _ => return Err(SYNTAX.into()),
            }
        }
        if args.len() % 2 == 1 { Err(SYNTAX.into()) } else { Ok(filter) }
    }

    fn takes(&self, client: &Client, me: u64) -> bool {
        self.kind.is_none_or(|kind| kind.takes(client))
            && !(self.skip_me && client.id == me)
            && self.id.is_none_or(|id| id == client.id)
            && self.address.is_none_or(|address| address == client.peer.address.as_bytes())
            && self.local.is_none_or(|local| local == client.peer.local.as_bytes())
            && self.user.is_none_or(|user| user == client.profile.lock().user.as_bytes())
    }
}

fn kill(call: &mut Call<'_>) -> Result<(), Failure> {
    // The old form names an address and ends its client even if that is this one.
    if let (3, Some(address)) = (call.args.len(), call.args.get(2)) {
        let clients = call.router.registry.all();
        let found = clients.iter().find(|client| client.peer.address.as_bytes() == address);
        end(call, found.ok_or("ERR No such client")?);
        call.reply.ok();
        return Ok(());
    }
    catch_up(call);
    let (filter, me) = (ClientFilter::parse(call, call.args.from(2))?, call.state.client.id);
    let mut chosen = call.router.registry.all();
    chosen.retain(|client| filter.takes(client, me) && !client.is_killed());
    chosen.iter().for_each(|client| end(call, client));
    call.reply.integer(chosen.len() as i64);
    Ok(())
}

fn end(call: &mut Call<'_>, client: &Client) {
    if client.id == call.state.client.id {
        // It gets its reply first.
        call.state.closing = true;
    } else {
        client.kill();
        call.kills.push(client.id);
    }
}

fn getname(call: &mut Call<'_>) -> Result<(), Failure> {
    match &call.state.client.profile.lock().name[..] {
        b"" => call.reply.null(),
        name => call.reply.bulk(name),
    }
    Ok(())
}

fn setname(call: &mut Call<'_>) -> Result<(), Failure> {
    let name = valid_name(call.args.word(2))?;
    call.state.client.profile.lock().name = name.to_vec();
    call.reply.ok();
    Ok(())
}

/// A client's name: one word of visible ASCII, or none.
pub(super) fn valid_name(name: &[u8]) -> Result<&[u8], Failure> {
    const REFUSED: &str = "ERR Client names cannot contain spaces, newlines or special characters.";
    if name.iter().all(u8::is_ascii_graphic) { Ok(name) } else { Err(REFUSED.into()) }
}

fn setinfo(call: &mut Call<'_>) -> Result<(), Failure> {
    let (option, value) = (call.args.word(2), call.args.word(3));
    let mut profile = call.state.client.profile.lock();
    let field = match &option.to_ascii_lowercase()[..] {
        b"lib-name" => &mut profile.library,
        b"lib-ver" => &mut profile.library_version,
        _ => return Err(Failure::new([b"ERR Unrecognized option '", option, b"'"].concat())),
    };
    if !value.iter().all(u8::is_ascii_graphic) {
        return Err(Failure::new(
            [b"ERR ", option, b" cannot contain spaces, newlines or special characters."].concat(),
        ));
    }
    *field = value.to_vec();
    call.reply.ok();
    Ok(())
}

fn no_evict(call: &mut Call<'_>) -> Result<(), Failure> {
    let on = switch(call.args)?;
    call.state.client.profile.lock().no_evict = on;
    call.reply.ok();
    Ok(())
}

fn no_touch(call: &mut Call<'_>) -> Result<(), Failure> {
    let on = switch(call.args)?;
    call.state.client.profile.lock().no_touch = on;
    call.reply.ok();
    Ok(())
}

fn switch(args: Args<'_>) -> Result<bool, Failure> {
    match () {
        () if args.is(2, "on") => Ok(true),
        () if args.is(2, "off") => Ok(false),
        () => Err(SYNTAX.into()),
    }
}

fn reply(call: &mut Call<'_>) -> Result<(), Failure> {
    call.state.replying = match () {
        () if call.args.is(2, "on") => Replying::On,
        () if call.args.is(2, "off") => Replying::Off,
        // Where there are none, there is none to skip.
        () if call.args.is(2, "skip") && call.state.replying == Replying::Off => Replying::Off,
        () if call.args.is(2, "skip") => Replying::Skip,
        () => return Err(SYNTAX.into()),
    };
    if call.state.replying == Replying::On {
        call.reply.ok();
    }
    Ok(())
}

//! `CLIENT TRACKING` and its kin: a client chooses of which changes it is told.

use super::call::{Call, NOT_AN_INTEGER, SYNTAX};
use super::spec::flag::{CONNECTION, LOADING, NOSCRIPT, STALE, TELLS};
use super::spec::{Command, Handler};
use crate::failure::Failure;
use crate::news::{Tracking, TrackingMode};
use breakwater_resp::{Args, number};

const FLAGS: u32 = NOSCRIPT | LOADING | STALE | CONNECTION;

const fn of(name: &'static str, arity: i32, flags: u32, run: Handler) -> Command {
    Command::new(name, arity, FLAGS | flags, run)
}

pub(super) const TRACKING: Command = of("client|tracking", -3, TELLS, tracking).about(
    "connection",
    "6.0.0",
    "Chooses of which changes of keys this client is told.",
);
pub(super) const CACHING: Command = of("client|caching", 3, 0, caching).about(
    "connection",
    "6.0.0",
    "Chooses whether the keys of the next command are tracked.",
);
pub(super) const TRACKINGINFO: Command = of("client|trackinginfo", 2, 0, trackinginfo).about(
    "connection",
    "6.2.0",
    "Tells which keys this client tracks.",
);
pub(super) const GETREDIR: Command = of("client|getredir", 2, 0, getredir).about(
    "connection",
    "6.0.0",
    "Tells which client is told in the place of this one.",
);

const SWITCHED_BROADCAST: &str = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
     re-enabling it with a different mode.";
const SWITCHED_OPT: &str = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
     re-enabling it with a different mode.";

/// What a command asks for.
#[derive(Default)]
struct AskedTracking<'a> {
    redirect: i64,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    noloop: bool,
    prefixes: Vec<&'a [u8]>,
}

impl<'a> AskedTracking<'a> {
    fn parse(args: Args<'a>, exists: impl Fn(i64) -> bool) -> Result<Self, Failure> {
        let (mut asked, mut at) = (Self::default(), 3);
        while at < args.len() {
            match (args.get(at + 1), &args.word(at).to_ascii_lowercase()[..]) {
                (Some(id), b"redirect") => {
                    if asked.redirect != 0 {
                        return Err(
                            "ERR A client can only redirect to a single other client".into()
                        );
                    }
                    asked.redirect = number::integer(id).ok_or(NOT_AN_INTEGER)?;
                    if !exists(asked.redirect) {
                        let why = "ERR The client ID you want redirect to does not exist";
                        return Err(why.into());
                    }
                    at += 1;
                }
                (Some(prefix), b"prefix") => {
                    asked.prefixes.push(prefix);
                    at += 1;
                }
                (_, b"bcast") => asked.broadcast = true,
                (_, b"optin") => asked.opt_in = true,
                (_, b"optout") => asked.opt_out = true,
                (_, b"noloop") => asked.noloop = true,
                _ => return Err(SYNTAX.into()),
            }
            at += 1;
        }
        Ok(asked)
    }

    /// The mode that this is, after what the client tracks now.
    fn mode(&self, now: Option<&Tracking>) -> Result<TrackingMode, Failure> {
        let was = now.map(|tracking| tracking.mode);
        let Self { broadcast, opt_in, opt_out, .. } = *self;
        let refuse = |why: &'static str| Err(why.into());
        match () {
            () if !broadcast && !self.prefixes.is_empty() => {
                refuse("ERR PREFIX option requires BCAST mode to be enabled")
            }
            () if was.is_some_and(|was| broadcast != (was == TrackingMode::Broadcast)) => {
                refuse(SWITCHED_BROADCAST)
            }
            () if broadcast && (opt_in || opt_out) => {
                refuse("ERR OPTIN and OPTOUT are not compatible with BCAST")
            }
            () if opt_in && opt_out => {
                refuse("ERR You can't specify both OPTIN mode and OPTOUT mode")
            }
            () if opt_in && was == Some(TrackingMode::OptOut) => refuse(SWITCHED_OPT),
            () if opt_out && was == Some(TrackingMode::OptIn) => refuse(SWITCHED_OPT),
            () if broadcast => Ok(TrackingMode::Broadcast),
            () if opt_in => Ok(TrackingMode::OptIn),
            () if opt_out => Ok(TrackingMode::OptOut),
            () => Ok(TrackingMode::Read),
        }
    }

    /// The prefixes beside those that the client has: none may begin with another.
    fn prefixes(&self, now: Option<&Tracking>) -> Result<Vec<Box<[u8]>>, Failure> {
        let had = now.map_or(&[][..], |tracking| &tracking.prefixes);
        for (at, prefix) in self.prefixes.iter().enumerate() {
            if let Some(other) = had.iter().find(|other| overlap(prefix, other)) {
                return Err(overlapping(prefix, "an existing prefix", other));
            }
            if let Some(other) = self.prefixes[at + 1..].iter().find(|other| overlap(prefix, other))
            {
                return Err(overlapping(prefix, "another provided prefix", other));
            }
        }
        let mut all: Vec<Box<[u8]>> = had.to_vec();
        all.extend(self.prefixes.iter().map(|prefix| Box::from(*prefix)));
        if all.is_empty() {
            all.push(Box::default());
        }
        all.sort_unstable();
        Ok(all)
    }
}

fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn overlapping(prefix: &[u8], what: &str, other: &[u8]) -> Failure {
    let parts = [
        b"ERR Prefix '",
        prefix,
        b"' overlaps with ",
        what.as_bytes(),
        b" '",
        other,
        b"'. Prefixes for a single client must not overlap.",
    ];
    Failure::new(parts.concat())
}

fn tracking(call: &mut Call<'_>) -> Result<(), Failure> {
    let find = |id: i64| call.router.registry.find(u64::try_from(id).ok()?);
    let asked = AskedTracking::parse(call.args, |id| find(id).is_some())?;
    let me = &call.state.client.recipient;
    match () {
        () if call.args.is(2, "off") => {
            call.router.news.untrack(me);
            call.state.track(None);
        }
        () if call.args.is(2, "on") => {
            let now = me.tracking().clone();
            let mode = asked.mode(now.as_ref())?;
            let prefixes = match mode {
                TrackingMode::Broadcast => asked.prefixes(now.as_ref())?,
                _ => vec![],
            };
            let redirect = find(asked.redirect).map(|client| client.recipient.clone());
            let noloop = asked.noloop;
            let tracking = Tracking { mode, noloop, redirect, broken: false, prefixes };
            call.router.news.track(me, tracking);
            call.state.track(Some(mode));
        }
        () => return Err(SYNTAX.into()),
    }
    call.reply.ok();
    Ok(())
}

fn caching(call: &mut Call<'_>) -> Result<(), Failure> {
    let mode = call.state.tracks().ok_or(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
         OPTOUT mode enabled",
    )?;
    match () {
        () if call.args.is(2, "yes") && mode == TrackingMode::OptIn => {}
        () if call.args.is(2, "no") && mode == TrackingMode::OptOut => {}
        () if call.args.is(2, "yes") => {
            let why =
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
            return Err(why.into());
        }
        () if call.args.is(2, "no") => {
            let why =
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";
            return Err(why.into());
        }
        () => return Err(SYNTAX.into()),
    }
    call.state.caching = true;
    call.reply.ok();
    Ok(())
}

fn getredir(call: &mut Call<'_>) -> Result<(), Failure> {
    let target = call.state.client.recipient.tracking().as_ref().map_or(-1, Tracking::target);
    call.reply.integer(target);
    Ok(())
}

fn trackinginfo(call: &mut Call<'_>) -> Result<(), Failure> {
    let caching = call.state.caching;
    let tracking = call.state.client.recipient.tracking();
    let (reply, tracking) = (&mut call.reply, tracking.as_ref());
    let is = |mode| tracking.is_some_and(|tracking| tracking.mode == mode);
    let flags = [
        (tracking.is_none(), "off"),
        (tracking.is_some(), "on"),
        (is(TrackingMode::Broadcast), "bcast"),
        (is(TrackingMode::OptIn), "optin"),
        (is(TrackingMode::OptIn) && caching, "caching-yes"),
        (is(TrackingMode::OptOut), "optout"),
        (is(TrackingMode::OptOut) && caching, "caching-no"),
        (tracking.is_some_and(|tracking| tracking.noloop), "noloop"),
        (tracking.is_some_and(|tracking| tracking.broken), "broken_redirect"),
    ];
    let flags: Vec<_> = flags.iter().filter(|one| one.0).collect();
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|(_, name)| reply.bulk(name.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(tracking.map_or(-1, Tracking::target));
    reply.bulk(b"prefixes");
    let prefixes = tracking.map_or(&[][..], |tracking| &tracking.prefixes);
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

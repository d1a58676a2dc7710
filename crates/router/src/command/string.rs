//! One key, one value: `GET`, `SET` and their kin.

use super::call::{Call, SYNTAX};
use super::deadline::{MILLIS, Measure, SECONDS, UNIX_MILLIS, UNIX_SECONDS};
use super::spec::flag::{DENYOOM, FAST, READONLY, STRING, WRITE};
use super::spec::{Command, KeySpec};
use crate::failure::Failure;
use breakwater_engine::{Edit, Expiry};
use breakwater_resp::Args;

pub(super) static COMMANDS: &[Command] = &[
    Command::new("get", 2, READONLY | FAST | STRING, get)
        .keys(&[KeySpec::one(1, &["RO", "access"])])
        .about("string", "1.0.0", "Reads a key."),
    Command::new("set", -3, WRITE | DENYOOM | STRING, set)
        .keys(&[KeySpec::one(1, &["RW", "access", "update", "variable_flags"])])
        .about("string", "1.0.0", "Writes a key, under conditions and for a time if asked."),
    Command::new("setnx", 3, WRITE | DENYOOM | FAST | STRING, setnx)
        .keys(&[KeySpec::one(1, &["OW", "insert"])])
        .about("string", "1.0.0", "Writes a key that is not there."),
    Command::new("setex", 4, WRITE | DENYOOM | STRING, setex)
        .keys(&[KeySpec::one(1, &["OW", "update"])])
        .about("string", "2.0.0", "Writes a key for so many seconds."),
    Command::new("psetex", 4, WRITE | DENYOOM | STRING, psetex)
        .keys(&[KeySpec::one(1, &["OW", "update"])])
        .about("string", "2.6.0", "Writes a key for so many milliseconds."),
    Command::new("getset", 3, WRITE | DENYOOM | FAST | STRING, getset)
        .keys(&[KeySpec::one(1, &["RW", "access", "update"])])
        .about("string", "1.0.0", "Writes a key and replies with what it was."),
    Command::new("getdel", 2, WRITE | FAST | STRING, getdel)
        .keys(&[KeySpec::one(1, &["RW", "access", "delete"])])
        .about("string", "6.2.0", "Removes a key and replies with what it was."),
    Command::new("getex", -2, WRITE | FAST | STRING, getex)
        .keys(&[KeySpec::one(1, &["RW", "access", "update"])])
        .about("string", "6.2.0", "Reads a key and changes when it ends."),
];

#[inline]
fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let (store, key) = (call.store(), call.key(1));
    let reply = &mut call.reply;
    if store.get(&key, |entry| reply.bulk(entry.value().bytes)).is_none() {
        reply.null();
    }
    Ok(())
}

/// Whether the key has to be there for a write.
#[derive(Clone, Copy, PartialEq)]
enum Condition {
    Absent,
    Present,
}

/// When the entry ends that a write leaves.
#[derive(Clone, Copy)]
enum Lifetime<'a> {
    Unchanged,
    Forever,
    Until(Measure, &'a [u8]),
}

struct Write<'a> {
    condition: Option<Condition>,
    /// `None` if the command did not say.
    lifetime: Option<Lifetime<'a>>,
    get: bool,
}

impl<'a> Write<'a> {
    /// Reads options; `getex` says which of the two commands' options they are.
    fn options(args: Args<'a>, getex: bool) -> Result<Self, Failure> {
        let mut write = Self { condition: None, lifetime: None, get: false };
        let mut at = 0;
        while let Some(word) = args.get(at) {
            at += 1;
            let word = word.to_ascii_lowercase();
            let lifetime = match &word[..] {
                b"nx" if !getex => {
                    write.demand(Condition::Absent)?;
                    continue;
                }
                b"xx" if !getex => {
                    write.demand(Condition::Present)?;
                    continue;
                }
                b"get" if !getex => {
                    write.get = true;
                    continue;
                }
                b"keepttl" if !getex => Lifetime::Unchanged,
                b"persist" if getex => Lifetime::Forever,
                b"ex" => Lifetime::Until(SECONDS, args.get(at).ok_or(SYNTAX)?),
                b"px" => Lifetime::Until(MILLIS, args.get(at).ok_or(SYNTAX)?),
                b"exat" => Lifetime::Until(UNIX_SECONDS, args.get(at).ok_or(SYNTAX)?),
                b"pxat" => Lifetime::Until(UNIX_MILLIS, args.get(at).ok_or(SYNTAX)?),
                _ => return Err(SYNTAX.into()),
            };
            at += usize::from(matches!(lifetime, Lifetime::Until(..)));
            write.live(lifetime)?;
        }
        Ok(write)
    }

    fn demand(&mut self, condition: Condition) -> Result<(), Failure> {
        if self.condition.is_some_and(|other| other != condition) {
            return Err(SYNTAX.into());
        }
        self.condition = Some(condition);
        Ok(())
    }

    fn live(&mut self, lifetime: Lifetime<'a>) -> Result<(), Failure> {
        // The same option twice is fine, and the last one counts.
        match (self.lifetime, lifetime) {
            (None, _)
            | (Some(Lifetime::Unchanged), Lifetime::Unchanged)
            | (Some(Lifetime::Forever), Lifetime::Forever) => {}
            (Some(Lifetime::Until(one, _)), Lifetime::Until(other, _)) if one == other => {}
            _ => return Err(SYNTAX.into()),
        }
        self.lifetime = Some(lifetime);
        Ok(())
    }
}

#[inline]
fn set(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.args.len() == 3 {
        call.store().set(&call.key(1), call.args.word(2), Expiry::Never)?;
        call.reply.ok();
        return Ok(());
    }
    let options = Write::options(call.args.from(3), false)?;
    let ends = match options.lifetime {
        Some(Lifetime::Until(measure, text)) => Some(measure.positive(text, call.now, "set")?),
        _ => None,
    };
    let expiry = match (ends, options.lifetime) {
        (Some(ends), _) => call.store().until(ends),
        (None, Some(Lifetime::Unchanged)) => Expiry::Keep,
        _ => Expiry::Never,
    };
    let past = ends.is_some_and(|ends| ends < call.now);
    let (store, key, value, reply) =
        (call.store(), call.key(1), call.args.word(2), &mut call.reply);
    let mark = reply.mark();
    store.update(&key, |old, out| {
        reply.rewind(mark);
        let refused = match options.condition {
            Some(Condition::Absent) => old.is_some(),
            Some(Condition::Present) => old.is_none(),
            None => false,
        };
        match old {
            Some(entry) if options.get => reply.bulk(entry.value().bytes),
            None if options.get => reply.null(),
            _ if refused => reply.null(),
            _ => reply.ok(),
        }
        let edit = match () {
            () if refused => Edit::Keep,
            () if past => Edit::Remove,
            () => {
                out.extend_from_slice(value);
                Edit::Put { format: 0, expiry }
            }
        };
        (edit, ())
    })
}

fn setnx(call: &mut Call<'_>) -> Result<(), Failure> {
    let value = call.args.word(2);
    let stored = call.store().update(&call.key(1), |old, out| match old {
        Some(_) => (Edit::Keep, false),
        None => {
            out.extend_from_slice(value);
            (Edit::Put { format: 0, expiry: Expiry::Never }, true)
        }
    })?;
    call.reply.integer(stored.into());
    Ok(())
}

fn setex(call: &mut Call<'_>) -> Result<(), Failure> {
    set_for(call, SECONDS, "setex")
}

fn psetex(call: &mut Call<'_>) -> Result<(), Failure> {
    set_for(call, MILLIS, "psetex")
}

fn set_for(call: &mut Call<'_>, measure: Measure, name: &str) -> Result<(), Failure> {
    let ends = measure.positive(call.args.word(2), call.now, name)?;
    call.store().set(&call.key(1), call.args.word(3), call.store().until(ends))?;
    call.reply.ok();
    Ok(())
}

fn getset(call: &mut Call<'_>) -> Result<(), Failure> {
    let (store, key, value, reply) =
        (call.store(), call.key(1), call.args.word(2), &mut call.reply);
    let mark = reply.mark();
    store.update(&key, |old, out| {
        reply.rewind(mark);
        match old {
            Some(entry) => reply.bulk(entry.value().bytes),
            None => reply.null(),
        }
        out.extend_from_slice(value);
        (Edit::Put { format: 0, expiry: Expiry::Never }, ())
    })
}

fn getdel(call: &mut Call<'_>) -> Result<(), Failure> {
    let (store, key, reply) = (call.store(), call.key(1), &mut call.reply);
    let mark = reply.mark();
    store.update(&key, |old, _| {
        reply.rewind(mark);
        match old {
            Some(entry) => reply.bulk(entry.value().bytes),
            None => reply.null(),
        }
        (if old.is_some() { Edit::Remove } else { Edit::Keep }, ())
    })
}

fn getex(call: &mut Call<'_>) -> Result<(), Failure> {
    let Write { lifetime, .. } = Write::options(call.args.from(2), true)?;
    let (store, key, now, reply) = (call.store(), call.key(1), call.now, &mut call.reply);
    // A time is looked at only if there is a key to give it to.
    let ends = match lifetime {
        Some(Lifetime::Until(measure, text)) if store.contains(&key) => {
            Some(measure.positive(text, now, "getex")?)
        }
        _ => None,
    };
    let mark = reply.mark();
    store.update(&key, |old, out| {
        reply.rewind(mark);
        let Some(entry) = old else {
            reply.null();
            return (Edit::Keep, ());
        };
        reply.bulk(entry.value().bytes);
        let expiry = match (lifetime, ends) {
            (Some(Lifetime::Forever), _) if entry.deadline().is_some() => Expiry::Never,
            (_, Some(ends)) if ends <= now => return (Edit::Remove, ()),
            (_, Some(ends)) => store.until(ends),
            _ => return (Edit::Keep, ()),
        };
        out.extend_from_slice(entry.value().bytes);
        (Edit::Put { format: entry.value().format, expiry }, ())
    })
}

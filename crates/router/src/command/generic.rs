//! Keys, whatever they hold.

use super::call::{Call, NOT_AN_INTEGER, SYNTAX};
use super::spec::flag::{DENYOOM, FAST, KEYSPACE, READONLY, WRITE};
use super::spec::{Command, KeySpec};
use crate::failure::Failure;
use crate::store::DATABASES;
use crate::store::DbKey;
use breakwater_engine::{Edit, EntryRef, Expiry};
use breakwater_resp::number;

const SUM: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub(super) static COMMANDS: &[Command] = &[
    Command::new("del", -2, WRITE | KEYSPACE, del)
        .keys(&[KeySpec::all(1, &["RM", "delete"])])
        .tips(SUM)
        .about("generic", "1.0.0", "Removes keys."),
    Command::new("unlink", -2, WRITE | FAST | KEYSPACE, del)
        .keys(&[KeySpec::all(1, &["RM", "delete"])])
        .tips(SUM)
        .about("generic", "4.0.0", "Removes keys, as DEL."),
    Command::new("exists", -2, READONLY | FAST | KEYSPACE, exists)
        .keys(&[KeySpec::all(1, &["RO"])])
        .tips(SUM)
        .about("generic", "1.0.0", "Counts the keys that are there."),
    Command::new("touch", -2, READONLY | FAST | KEYSPACE, touch)
        .keys(&[KeySpec::all(1, &["RO"])])
        .tips(SUM)
        .about("generic", "3.2.1", "Marks keys as used and counts those that are there."),
    Command::new("type", 2, READONLY | FAST | KEYSPACE, kind)
        .keys(&[KeySpec::one(1, &["RO"])])
        .about("generic", "1.0.0", "Says what a key holds."),
    Command::new("rename", 3, WRITE | KEYSPACE, rename)
        .keys(&[KeySpec::one(1, &["RW", "access", "delete"]), KeySpec::one(2, &["OW", "update"])])
        .about("generic", "1.0.0", "Gives a value another key."),
    Command::new("renamenx", 3, WRITE | FAST | KEYSPACE, renamenx)
        .keys(&[KeySpec::one(1, &["RW", "access", "delete"]), KeySpec::one(2, &["OW", "insert"])])
        .about("generic", "1.0.0", "Gives a value another key that is not there."),
    Command::new("copy", -3, WRITE | DENYOOM | KEYSPACE, copy)
        .keys(&[KeySpec::one(1, &["RO", "access"]), KeySpec::one(2, &["OW", "update"])])
        .about("generic", "6.2.0", "Copies a value to another key."),
];

fn count(call: &mut Call<'_>, f: impl Fn(&DbKey) -> bool) -> Result<(), Failure> {
    let db = call.state.db;
    let count = call.args.from(1).iter().filter(|name| f(&DbKey::new(db, name))).count();
    call.reply.integer(count as i64);
    Ok(())
}

fn del(call: &mut Call<'_>) -> Result<(), Failure> {
    let store = call.store();
    count(call, |key| store.delete(key))
}

fn exists(call: &mut Call<'_>) -> Result<(), Failure> {
    let store = call.store();
    count(call, |key| store.contains(key))
}

fn touch(call: &mut Call<'_>) -> Result<(), Failure> {
    let store = call.store();
    count(call, |key| store.get(key, |_| ()).is_some())
}

fn kind(call: &mut Call<'_>) -> Result<(), Failure> {
    let there = call.store().contains(&call.key(1));
    call.reply.simple(if there { "string" } else { "none" });
    Ok(())
}

/// A value on its way from one key to another.
struct Copied {
    value: Vec<u8>,
    expiry: Expiry,
}

fn copied(entry: EntryRef<'_>) -> Copied {
    Copied {
        value: entry.value().bytes.to_vec(),
        expiry: entry.deadline().map_or(Expiry::Never, Expiry::At),
    }
}

/// Stores it; whether that was done, which `replace` makes sure of.
fn place(call: &Call<'_>, to: &DbKey, copied: &Copied, replace: bool) -> Result<bool, Failure> {
    call.store().update(to, |old, out| {
        if old.is_some() && !replace {
            return (Edit::Keep, false);
        }
        out.extend_from_slice(&copied.value);
        (Edit::Put { format: 0, expiry: copied.expiry }, true)
    })
}

fn rename(call: &mut Call<'_>) -> Result<(), Failure> {
    relocate(call, true)?;
    call.reply.ok();
    Ok(())
}

fn renamenx(call: &mut Call<'_>) -> Result<(), Failure> {
    let moved = relocate(call, false)?;
    call.reply.integer(moved.into());
    Ok(())
}

fn relocate(call: &mut Call<'_>, replace: bool) -> Result<bool, Failure> {
    let (from, to) = (call.key(1), call.key(2));
    let _alone = call.router.store.several();
    let found = call.store().peek(&from, copied).ok_or("ERR no such key")?;
    if call.args[1] == call.args[2] {
        return Ok(replace);
    }
    let moved = place(call, &to, &found, replace)?;
    if moved {
        call.store().delete(&from);
    }
    Ok(moved)
}

fn copy(call: &mut Call<'_>) -> Result<(), Failure> {
    let (mut db, mut replace, mut at) = (call.state.db, false, 3);
    while at < call.args.len() {
        if call.args.is(at, "replace") {
            replace = true;
            at += 1;
        } else if call.args.is(at, "db") && at + 1 < call.args.len() {
            db = database(call.args.word(at + 1))?;
            at += 2;
        } else {
            return Err(SYNTAX.into());
        }
    }
    if db == call.state.db && call.args[1] == call.args[2] {
        return Err("ERR source and destination objects are the same".into());
    }
    let (from, to) = (call.key(1), DbKey::new(db, call.args.word(2)));
    let _alone = call.router.store.several();
    let done = match call.store().peek(&from, copied) {
        None => false,
        Some(found) => place(call, &to, &found, replace)?,
    };
    call.reply.integer(done.into());
    Ok(())
}

/// The database that a number names.
pub(crate) fn database(text: &[u8]) -> Result<u8, Failure> {
    let number = number::integer(text).filter(|number| i32::try_from(*number).is_ok());
    match number.ok_or(NOT_AN_INTEGER)? {
        number if (0..DATABASES as i64).contains(&number) => Ok(number as u8),
        _ => Err("ERR DB index is out of range".into()),
    }
}

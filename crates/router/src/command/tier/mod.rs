//! What caches ask of a store that they share, each in one step: `BW.STORE` and its kin do by name what
//! `breakwater/redis` has a Redis do by scripts. As those, each begins with the number of its keys.

mod epoch;
mod group;
mod head;
mod value;

use super::call::{Call, NOT_AN_INTEGER};
use super::spec::flag::{DENYOOM, FAST, READONLY, WRITE};
use super::spec::{Command, Handler, KeySpec};
use crate::failure::{Failure, wrong_arity};
use crate::store::DbKey;
use breakwater_resp::{Args, number};

/// The version of this software that had them first.
const SINCE: &str = "0.2.0";
const WRITES: &[KeySpec] = &[KeySpec::counted(1, &["RW", "access", "update"])];
const READS: &[KeySpec] = &[KeySpec::counted(1, &["RO", "access"])];

const fn writes(name: &'static str, arity: i32, run: Handler, summary: &'static str) -> Command {
    let command = Command::new(name, arity, WRITE | DENYOOM | FAST, run);
    command.keys(WRITES).about("generic", SINCE, summary)
}

const fn removes(name: &'static str, arity: i32, run: Handler, summary: &'static str) -> Command {
    Command::new(name, arity, WRITE | FAST, run).keys(WRITES).about("generic", SINCE, summary)
}

const fn reads(name: &'static str, arity: i32, run: Handler, summary: &'static str) -> Command {
    Command::new(name, arity, READONLY | FAST, run).keys(READS).about("generic", SINCE, summary)
}

pub(super) static COMMANDS: &[Command] = &[
    writes("bw.store", -12, value::store, "Stores a cache's value, unless there is a newer one."),
    removes("bw.remove", -5, value::remove, "Removes a cache's values, and remembers that."),
    removes("bw.release", 4, value::release, "Removes a key if it has this value."),
    writes("bw.begin", 5, epoch::begin, "Reads the epoch of a cache, or begins it."),
    writes("bw.advance", -5, epoch::advance, "Ends the epoch of a cache: no value counts."),
    writes("bw.invalidate", -7, epoch::invalidate, "Invalidates a tag of a cache."),
    reads("bw.scores", -3, epoch::scores, "Says when tags of a cache were invalidated."),
    removes("bw.tell", -3, tell, "Tells who tracks keys that they have changed."),
    writes("bw.join", 5, group::join, "Adds a member to a group, for a while."),
    removes("bw.leave", -4, group::leave, "Takes members out of a group."),
    reads("bw.sample", 4, group::sample, "Draws members of a group."),
];

/// The keys of a command, and what follows them.
struct Words<'a> {
    keys: Args<'a>,
    rest: Args<'a>,
}

/// The words of a command that takes so many keys and as many words behind them.
fn words<'a>(
    call: &Call<'a>,
    name: &str,
    keys: std::ops::RangeInclusive<usize>,
    rest: std::ops::RangeInclusive<usize>,
) -> Result<Words<'a>, Failure> {
    let count = number::integer(call.args.word(1)).ok_or(NOT_AN_INTEGER)?;
    let count = usize::try_from(count).map_err(|_| "ERR Number of keys can't be negative")?;
    if count > call.args.len() - 2 {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    if !keys.contains(&count) || !rest.contains(&(call.args.len() - 2 - count)) {
        return Err(wrong_arity(name));
    }
    Ok(Words { keys: call.args.from(2).until(count), rest: call.args.from(2 + count) })
}

impl Words<'_> {
    fn key(&self, call: &Call<'_>, at: usize) -> DbKey {
        DbKey::new(call.state.db, self.keys.word(at))
    }
}

fn tell(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.tell", 1..=usize::MAX, 0..=0)?;
    words.keys.iter().for_each(|key| call.store().changed(key));
    call.reply.integer(words.keys.len() as i64);
    Ok(())
}

//! A database as a whole.

use super::call::{Call, SYNTAX};
use super::spec::Command;
use super::spec::flag::{DANGEROUS, FAST, KEYSPACE, READONLY, WRITE};
use crate::failure::Failure;
use crate::glob;
use breakwater_resp::number;
use breakwater_resp::{Protocol, ReplyWriter};

const ALL_SUCCEED: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

pub(super) static COMMANDS: &[Command] =
    &[
        Command::new("keys", 2, READONLY | KEYSPACE | DANGEROUS, keys)
            .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
            .about("generic", "1.0.0", "Lists the keys that match a pattern."),
        Command::new("scan", -2, READONLY | KEYSPACE, scan)
            .tips(&["nondeterministic_output", "request_policy:special"])
            .about("generic", "2.8.0", "Lists keys, a few a call."),
        Command::new("dbsize", 1, READONLY | FAST | KEYSPACE, dbsize)
            .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
            .about("server", "1.0.0", "Counts the keys of the database."),
        Command::new("randomkey", 1, READONLY | KEYSPACE, randomkey)
            .tips(&["request_policy:all_shards", "nondeterministic_output"])
            .about("generic", "1.0.0", "Picks a key."),
        Command::new("flushdb", -1, WRITE | KEYSPACE | DANGEROUS, flushdb).tips(ALL_SUCCEED).about(
            "server",
            "1.0.0",
            "Removes the keys of the database.",
        ),
        Command::new("flushall", -1, WRITE | KEYSPACE | DANGEROUS, flushall)
            .tips(ALL_SUCCEED)
            .about("server", "1.0.0", "Removes the keys of all databases."),
    ];

/// Entries that one `SCAN` looks at, at most.
const MAX_STEP: u64 = 1 << 20;

fn keys(call: &mut Call<'_>) -> Result<(), Failure> {
    let pattern = call.args.word(1);
    let mut names: Vec<Vec<u8>> = vec![];
    call.store().visit_all(call.state.db, |name, _| {
        if glob::matches(pattern, name, false) {
            names.push(name.to_vec());
        }
    });
    // A walk may meet a key twice while the index grows.
    names.sort_unstable();
    names.dedup();
    call.reply.array(names.len());
    names.iter().for_each(|name| call.reply.bulk(name));
    Ok(())
}

fn scan(call: &mut Call<'_>) -> Result<(), Failure> {
    let cursor = std::str::from_utf8(call.args.word(1)).ok().and_then(|text| text.parse().ok());
    let cursor: u64 = cursor.ok_or("ERR invalid cursor")?;
    let (mut pattern, mut step, mut strings) = (&b"*"[..], 10, true);
    let options = call.args.from(2);
    for (name, value) in options.pairs(0) {
        match &name.to_ascii_lowercase()[..] {
            b"match" => pattern = value,
            b"type" => strings = value.eq_ignore_ascii_case(b"string"),
            b"count" => {
                step = number::integer(value).ok_or(super::call::NOT_AN_INTEGER)?;
                if step < 1 {
                    return Err(SYNTAX.into());
                }
            }
            _ => return Err(SYNTAX.into()),
        }
    }
    if options.len() % 2 == 1 {
        return Err(SYNTAX.into());
    }
    let (mut found, mut count) = (vec![], 0);
    let budget = (step as u64).min(MAX_STEP) as usize;
    let next = call.store().scan(call.state.db, cursor, budget, |name, _| {
        if strings && glob::matches(pattern, name, false) {
            ReplyWriter::new(&mut found, Protocol::Resp2).bulk(name);
            count += 1;
        }
    });
    call.reply.array(2);
    call.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    call.reply.array(count);
    call.reply.raw(&found);
    Ok(())
}

fn dbsize(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.integer(call.store().count(call.state.db) as i64);
    Ok(())
}

fn randomkey(call: &mut Call<'_>) -> Result<(), Failure> {
    match call.store().random(call.state.db, <[u8]>::to_vec) {
        Some(name) => call.reply.bulk(&name),
        None => call.reply.null(),
    }
    Ok(())
}

fn flushdb(call: &mut Call<'_>) -> Result<(), Failure> {
    demand_mode(call)?;
    call.store().flush(call.state.db);
    call.reply.ok();
    Ok(())
}

fn flushall(call: &mut Call<'_>) -> Result<(), Failure> {
    demand_mode(call)?;
    call.store().flush_all();
    call.reply.ok();
    Ok(())
}

/// Both modes do the same here; nothing else is taken.
fn demand_mode(call: &Call<'_>) -> Result<(), Failure> {
    let known = call.args.is(1, "sync") || call.args.is(1, "async");
    match call.args.len() {
        1 => Ok(()),
        2 if known => Ok(()),
        _ => Err(SYNTAX.into()),
    }
}

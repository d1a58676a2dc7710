//! Several keys with their values at once.

use super::call::Call;
use super::spec::flag::{DENYOOM, FAST, READONLY, STRING, WRITE};
use super::spec::{Command, KeySpec};
use crate::failure::Failure;
use crate::store::DbKey;
use breakwater_engine::Expiry;

pub(super) static COMMANDS: &[Command] = &[
    Command::new("mget", -2, READONLY | FAST | STRING, mget)
        .keys(&[KeySpec::all(1, &["RO", "access"])])
        .tips(&["request_policy:multi_shard"])
        .about("string", "1.0.0", "Reads several keys."),
    Command::new("mset", -3, WRITE | DENYOOM | STRING, mset)
        .keys(&[KeySpec::all(2, &["OW", "update"])])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .about("string", "1.0.1", "Writes several keys."),
    Command::new("msetnx", -3, WRITE | DENYOOM | STRING, msetnx)
        .keys(&[KeySpec::all(2, &["OW", "insert"])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_min"])
        .about("string", "1.0.1", "Writes several keys if none of them is there."),
];

fn mget(call: &mut Call<'_>) -> Result<(), Failure> {
    let (store, db, reply) = (call.store(), call.state.db, &mut call.reply);
    let names = call.args.from(1);
    reply.array(names.len());
    for name in names.iter() {
        let key = DbKey::new(db, name);
        if store.get(&key, |entry| reply.bulk(entry.value().bytes)).is_none() {
            reply.null();
        }
    }
    Ok(())
}

fn mset(call: &mut Call<'_>) -> Result<(), Failure> {
    demand_pairs(call, "mset")?;
    let _alone = call.router.store.several();
    write(call)?;
    call.reply.ok();
    Ok(())
}

fn msetnx(call: &mut Call<'_>) -> Result<(), Failure> {
    demand_pairs(call, "msetnx")?;
    let (store, db) = (call.store(), call.state.db);
    let _alone = store.several();
    let taken = call.args.pairs(1).any(|(name, _)| store.contains(&DbKey::new(db, name)));
    if !taken {
        write(call)?;
    }
    call.reply.integer((!taken).into());
    Ok(())
}

/// Writes each pair; when one is refused, those before it stay written.
fn write(call: &Call<'_>) -> Result<(), Failure> {
    call.args.pairs(1).try_for_each(|(name, value)| {
        call.store().set(&DbKey::new(call.state.db, name), value, Expiry::Never)
    })
}

fn demand_pairs(call: &Call<'_>, name: &str) -> Result<(), Failure> {
    if call.args.len() % 2 == 1 {
        return Ok(());
    }
    Err(Failure::new(format!("ERR wrong number of arguments for '{name}' command")))
}

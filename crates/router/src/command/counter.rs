//! Values that are numbers.

use super::call::{Call, NOT_AN_INTEGER};
use super::long_double::LongDouble;
use super::spec::flag::{DENYOOM, FAST, STRING, WRITE};
use super::spec::{Command, KeySpec};
use crate::failure::Failure;
use breakwater_engine::{Edit, Expiry};
use breakwater_resp::number;

const KEYS: &[KeySpec] = &[KeySpec::one(1, &["RW", "access", "update"])];
const FLAGS: u32 = WRITE | DENYOOM | FAST | STRING;

pub(super) static COMMANDS: &[Command] = &[
    Command::new("incr", 2, FLAGS, incr).keys(KEYS).about("string", "1.0.0", "Adds one."),
    Command::new("decr", 2, FLAGS, decr).keys(KEYS).about("string", "1.0.0", "Takes one away."),
    Command::new("incrby", 3, FLAGS, incrby).keys(KEYS).about(
        "string",
        "1.0.0",
        "Adds an integer.",
    ),
    Command::new("decrby", 3, FLAGS, decrby).keys(KEYS).about(
        "string",
        "1.0.0",
        "Takes an integer away.",
    ),
    Command::new("incrbyfloat", 3, FLAGS, incrbyfloat).keys(KEYS).about(
        "string",
        "2.6.0",
        "Adds a number with a fraction.",
    ),
];

fn incr(call: &mut Call<'_>) -> Result<(), Failure> {
    add(call, 1)
}

fn decr(call: &mut Call<'_>) -> Result<(), Failure> {
    add(call, -1)
}

fn incrby(call: &mut Call<'_>) -> Result<(), Failure> {
    let delta = call.integer(2)?;
    add(call, delta)
}

fn decrby(call: &mut Call<'_>) -> Result<(), Failure> {
    let delta = call.integer(2)?.checked_neg().ok_or("ERR decrement would overflow")?;
    add(call, delta)
}

fn add(call: &mut Call<'_>, delta: i64) -> Result<(), Failure> {
    let sum = call.store().update(&call.key(1), |old, out| {
        let value = old.map_or(Some(0), |entry| number::integer(entry.value().bytes));
        let sum = match value.ok_or(NOT_AN_INTEGER).map(|value| value.checked_add(delta)) {
            Ok(Some(sum)) => sum,
            Ok(None) => {
                return (Edit::Keep, Err("ERR increment or decrement would overflow"));
            }
            Err(failure) => return (Edit::Keep, Err(failure)),
        };
        out.extend_from_slice(itoa::Buffer::new().format(sum).as_bytes());
        (Edit::Put { format: 0, expiry: Expiry::Keep }, Ok(sum))
    })??;
    call.reply.integer(sum);
    Ok(())
}

fn incrbyfloat(call: &mut Call<'_>) -> Result<(), Failure> {
    const NOT_A_FLOAT: &str = "ERR value is not a valid float";
    let text = call.args.word(2);
    let (store, key, reply) = (call.store(), call.key(1), &mut call.reply);
    let mark = reply.mark();
    store.update(&key, |old, out| {
        reply.rewind(mark);
        let value = match old {
            Some(entry) => LongDouble::parse(entry.value().bytes),
            None => LongDouble::parse(b"0"),
        };
        // The stored value is looked at first.
        let (Some(value), Some(delta)) = (value, LongDouble::parse(text)) else {
            return (Edit::Keep, Err(NOT_A_FLOAT));
        };
        let Some(sum) = value.add(delta) else {
            return (Edit::Keep, Err("ERR increment would produce NaN or Infinity"));
        };
        sum.write(out);
        reply.bulk(out);
        (Edit::Put { format: 0, expiry: Expiry::Keep }, Ok(()))
    })??;
    Ok(())
}

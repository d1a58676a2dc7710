//! Parts of a value.

use super::call::Call;
use super::spec::flag::{DENYOOM, FAST, READONLY, STRING, WRITE};
use super::spec::{Command, KeySpec};
use crate::failure::Failure;
use breakwater_engine::{Edit, Expiry};
use breakwater_resp::limits::MAX_BULK;

pub(super) static COMMANDS: &[Command] = &[
    Command::new("append", 3, WRITE | DENYOOM | FAST | STRING, append)
        .keys(&[KeySpec::one(1, &["RW", "insert"])])
        .about("string", "2.0.0", "Writes behind the end of a value."),
    Command::new("strlen", 2, READONLY | FAST | STRING, strlen)
        .keys(&[KeySpec::one(1, &["RO"])])
        .about("string", "2.2.0", "Says how many bytes a value has."),
    Command::new("getrange", 4, READONLY | STRING, getrange)
        .keys(&[KeySpec::one(1, &["RO", "access"])])
        .about("string", "2.4.0", "Reads a part of a value."),
    Command::new("substr", 4, READONLY | STRING, getrange)
        .keys(&[KeySpec::one(1, &["RO", "access"])])
        .about("string", "1.0.0", "The old name of GETRANGE."),
    Command::new("setrange", 4, WRITE | DENYOOM | STRING, setrange)
        .keys(&[KeySpec::one(1, &["RW", "update"])])
        .about("string", "2.2.0", "Writes over a part of a value."),
];

const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
const KEEP: Edit = Edit::Put { format: 0, expiry: Expiry::Keep };

fn append(call: &mut Call<'_>) -> Result<(), Failure> {
    let tail = call.args.word(2);
    let len = call.store().update(&call.key(1), |old, out| {
        let head = old.as_ref().map_or(&b""[..], |entry| entry.value().bytes);
        let len = head.len() + tail.len();
        if len > MAX_BULK {
            return (Edit::Keep, Err(TOO_LONG));
        }
        out.reserve_exact(len);
        out.extend_from_slice(head);
        out.extend_from_slice(tail);
        (KEEP, Ok(len))
    })??;
    call.reply.integer(len as i64);
    Ok(())
}

fn strlen(call: &mut Call<'_>) -> Result<(), Failure> {
    let len = call.store().get(&call.key(1), |entry| entry.value().bytes.len());
    call.reply.integer(len.unwrap_or(0) as i64);
    Ok(())
}

fn getrange(call: &mut Call<'_>) -> Result<(), Failure> {
    let (first, last) = (call.integer(2)?, call.integer(3)?);
    let (store, key, reply) = (call.store(), call.key(1), &mut call.reply);
    let found = store.get(&key, |entry| reply.bulk(part(entry.value().bytes, first, last)));
    if found.is_none() {
        reply.bulk(b"");
    }
    Ok(())
}

/// The bytes from `first` to `last`, both included, each counted from the end if negative.
fn part(value: &[u8], first: i64, last: i64) -> &[u8] {
    let len = value.len() as i64;
    if first < 0 && last < 0 && first > last {
        return &[];
    }
    let place = |index: i64| if index < 0 { index.saturating_add(len).max(0) } else { index };
    let (first, last) = (place(first), place(last).min(len - 1));
    if first > last || len == 0 { &[] } else { &value[first as usize..=last as usize] }
}

fn setrange(call: &mut Call<'_>) -> Result<(), Failure> {
    let offset = call.integer(2)?;
    let offset = usize::try_from(offset).map_err(|_| "ERR offset is out of range")?;
    let patch = call.args.word(3);
    let len = call.store().update(&call.key(1), |old, out| {
        let value = old.as_ref().map_or(&b""[..], |entry| entry.value().bytes);
        if patch.is_empty() {
            return (Edit::Keep, Ok(value.len()));
        }
        let end = offset.saturating_add(patch.len());
        if end > MAX_BULK {
            return (Edit::Keep, Err(TOO_LONG));
        }
        out.extend_from_slice(value);
        out.resize(value.len().max(end), 0);
        out[offset..end].copy_from_slice(patch);
        (KEEP, Ok(out.len()))
    })??;
    call.reply.integer(len as i64);
    Ok(())
}

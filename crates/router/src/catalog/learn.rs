//! A command that is not in the table, from what a server's `COMMAND INFO` says of it.

use super::class::Class;
use super::known::Known;
use super::permissions::Permissions;
use super::places::{Keys, Places};
use breakwater_resp::Reply;
use breakwater_resp::limits::MAX_ARGS;

/// The command that one part of a reply to `COMMAND INFO` describes; `None` if there is none of that
/// name. What is not safe to take for a read, or for a change of keys that are named, may change any
/// key.
pub fn learn(reply: &Reply<'_>) -> Option<Known> {
    let fields = list(reply)?;
    let name = String::from_utf8(fields.first()?.text()?.to_ascii_lowercase()).ok()?;
    let Reply::Integer(arity) = *fields.get(1)? else { return None };
    let flags: Vec<&[u8]> = list(fields.get(2)?)?.iter().filter_map(Reply::text).collect();
    let has = |name: &str| flags.contains(&name.as_bytes());
    let keys = match fields.get(8).and_then(list) {
        Some(specs) => specs.iter().map(spec).collect::<Option<Vec<_>>>(),
        // Servers before 7.0 name the first, the last and the step.
        None if has("movablekeys") => None,
        None => range(fields),
    };
    let reads = has("readonly");
    let named = keys.as_ref().is_some_and(|keys| !keys.is_empty());
    let (class, permissions) = match () {
        () if has("admin") => (Class::Scope, Permissions::all()),
        () if has("blocking") && named => (Class::Blocks, Permissions::READ | Permissions::WRITE),
        () if has("blocking") => (Class::Waits, Permissions::all()),
        () if reads => (Class::Read, Permissions::READ),
        () if named => (Class::Write, Permissions::WRITE),
        () => (Class::Scope, Permissions::WRITE),
    };
    let mut keys = keys.unwrap_or_default();
    keys.iter_mut().for_each(|keys| keys.changes = !reads);
    Some(Known {
        name: name.into(),
        arity: i32::try_from(arity).ok()?,
        class,
        permissions,
        cacheable: false,
        alike: false,
        keys: keys.into(),
        parted: false,
    })
}

fn list<'a>(reply: &'a Reply<'_>) -> Option<&'a [Reply<'a>]> {
    match reply {
        Reply::Array(parts) | Reply::Set(parts) => Some(parts),
        _ => None,
    }
}

/// Keys from a place to another, as servers name them that have no more to say.
fn range(fields: &[Reply<'_>]) -> Option<Vec<Keys>> {
    match fields.get(3..6)? {
        [Reply::Integer(0), ..] => Some(vec![]),
        [Reply::Integer(first), Reply::Integer(last), Reply::Integer(step)] => {
            Some(vec![Keys::new(places(*first, *last, *step)?, true)])
        }
        _ => None,
    }
}

/// A number of words that a request can have; others are not understood.
fn words(number: i64) -> Option<i64> {
    (number.unsigned_abs() <= MAX_ARGS as u64).then_some(number)
}

fn places(first: i64, last: i64, step: i64) -> Option<Places> {
    let (first, last, step) = (words(first)?, words(last)?, words(step)?);
    let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
    Some(Places::Range(usize::try_from(first).ok()?, isize::try_from(last).ok()?, step))
}

/// One key specification; `None` if it is of a kind that is not understood.
fn spec(reply: &Reply<'_>) -> Option<Keys> {
    let (begin, find) = (field(reply, "begin_search")?, field(reply, "find_keys")?);
    let (start, end) = (field(begin, "spec")?, field(find, "spec")?);
    let number = |of: &Reply<'_>, name: &str| match field(of, name)? {
        Reply::Integer(number) => words(*number),
        _ => None,
    };
    if field(begin, "type")?.text()? != b"index" {
        return None;
    }
    let first = number(start, "index")?;
    let places = match field(find, "type")?.text()? {
        b"range" if number(end, "limit")? == 0 => {
            let last = number(end, "lastkey")?;
            places(first, if last < 0 { last } else { first + last }, number(end, "keystep")?)?
        }
        b"keynum" if number(end, "firstkey")? == number(end, "keynumidx")? + 1 => {
            let at = usize::try_from(first + number(end, "keynumidx")?).ok()?;
            Places::Counted(at, usize::try_from(number(end, "keystep")?).ok()?.max(1))
        }
        _ => return None,
    };
    Some(Keys::new(places, true))
}

/// A field of a map, which RESP2 has as an array of names and values.
fn field<'a>(reply: &'a Reply<'_>, name: &str) -> Option<&'a Reply<'a>> {
    match reply {
        Reply::Map(pairs) => {
            let mut pairs = pairs.iter();
            pairs.find(|(key, _)| key.text() == Some(name.as_bytes())).map(|(_, value)| value)
        }
        Reply::Array(parts) => {
            let mut pairs = parts.chunks_exact(2);
            pairs.find(|pair| pair[0].text() == Some(name.as_bytes())).map(|pair| &pair[1])
        }
        _ => None,
    }
}

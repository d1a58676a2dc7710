//! Writing on a condition, as one step across all threads.

use crate::cache::{Handle, Shared, ValueBuf, note};
use crate::env::{Call, Returns};
use crate::js::format::{NUMBER, representation};
use crate::js::{Fail, Js, KeyBuf, Val, keys};
use breakwater_engine::{Edit, EntryRef, Error, Expiry, Note, Value};

/// `increment(key, by, initial, ttl?)`: the number that the key has then. A key that is not there
/// counts from `initial` and gets this ttl, or the default; one that is there keeps its deadline.
pub fn increment<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let mut key = KeyBuf::new();
    let key = key.read(js, call.arg::<0>())?;
    let by = js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let initial = js.to_number(call.arg::<2>()).ok_or_else(Fail::argument)?;
    let ttl = js.to_number(call.arg::<3>());
    let format = shared.description.codec_id << 4 | NUMBER;
    let refused = |what| Fail::value_type(&shared.description.codec, what);
    let sum = shared.cache.update(key, |held, out| {
        let before = match held.map(|entry| entry.value()) {
            None => initial,
            Some(value) if value.format == format => keys::to_number(value.bytes),
            Some(_) => return (Edit::Keep, Err(refused("sum with what is no number"))),
        };
        let sum = before + by;
        if !sum.is_finite() {
            return (Edit::Keep, Err(refused("sum that is not finite")));
        }
        out.extend(sum.to_ne_bytes());
        let expiry = match held {
            Some(_) => Expiry::Keep,
            None => shared.expiry_or_default(ttl),
        };
        (Edit::Change { format, expiry }, Ok(sum))
    });
    js.number(sum??)
}

/// `setIfAbsent(key, value, ttl | undefined, note | undefined, own?)`: whether it was stored.
pub fn set_if_absent<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    // All JavaScript that may run does so before the value's bytes are borrowed.
    let ttl = js.to_number(call.arg::<2>());
    let note = read_note(js, call.arg::<3>(), call.arg::<4>(), ttl, &shared)?;
    let (mut key, mut value) = (KeyBuf::new(), ValueBuf::new());
    let key = key.read(js, call.arg::<0>())?;
    let value = value.read(js, call.arg::<1>(), &shared.description)?;
    let expiry = shared.expiry_or_default(ttl);
    stored(js, shared.cache.set_if_absent(key, value, expiry, note.as_ref()))
}

/// `compareAndSet(key, expected | undefined, value, ttl | undefined, note | undefined, own?)`: stores
/// the value if the key has what is expected, or if it has nothing and `undefined` is; whether it
/// did. Without a ttl an entry keeps its deadline, without a note it keeps that.
pub fn compare_and_set<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let ttl = js.to_number(call.arg::<3>());
    let note = read_note(js, call.arg::<4>(), call.arg::<5>(), ttl, &shared)?;
    let (mut key, mut expected, mut value) = (KeyBuf::new(), ValueBuf::new(), ValueBuf::new());
    let key = key.read(js, call.arg::<0>())?;
    let expected = match js.type_name(call.arg::<1>()) {
        "undefined" => None,
        _ => Some(expected.read(js, call.arg::<1>(), &shared.description)?),
    };
    let value = value.read(js, call.arg::<2>(), &shared.description)?;
    // What the condition is true of is what takes the deadline along.
    let expiry = match (ttl, expected) {
        (None, Some(_)) => Expiry::Keep,
        (ttl, _) => shared.expiry_or_default(ttl),
    };
    let is_expected = |held: Option<EntryRef<'_>>| match (held, expected) {
        (None, None) => true,
        (Some(held), Some(expected)) => same(held.value(), expected),
        _ => false,
    };
    stored(js, shared.cache.compare_and_set(key, is_expected, value, expiry, note.as_ref()))
}

/// `compareAndDelete(key, expected)`: removes the key if it has what is expected; whether it did.
pub fn compare_and_delete<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let (mut key, mut expected) = (KeyBuf::new(), ValueBuf::new());
    let key = key.read(js, call.arg::<0>())?;
    let expected = expected.read(js, call.arg::<1>(), &shared.description)?;
    let removed = shared.cache.update(key, |held, _| match held {
        Some(held) if same(held.value(), expected) => (Edit::Remove, true),
        _ => (Edit::Keep, false),
    })?;
    js.boolean(removed)
}

/// Whether JavaScript could not tell the two apart.
fn same(held: Value<'_>, expected: Value<'_>) -> bool {
    let is_nan = |value: Value<'_>| {
        representation(value.format) == NUMBER && keys::to_number(value.bytes).is_nan()
    };
    held == expected || (held.format == expected.format && is_nan(held) && is_nan(expected))
}

/// The note of an entry, if it is to have one. `own`: 1 if `ttl` is to be known to it as its own.
pub fn read_note(
    js: Js<'_>,
    given: Val<'_>,
    own: Val<'_>,
    ttl: Option<f64>,
    shared: &Shared,
) -> Result<Option<Note>, Fail> {
    let note = match js.len(given) {
        Some(_) => Some(note::read(js, given, &shared.cache)?),
        None => None,
    };
    let life = ttl.filter(|ttl| js.to_number(own) == Some(1.0) && ttl.is_finite());
    Ok(match life {
        None => note,
        Some(life) => Some(Note { life: Some(life.ceil() as u64), ..note.unwrap_or_default() }),
    })
}

fn stored<'s>(js: Js<'s>, stored: Result<bool, Error>) -> Returns<'s> {
    match stored {
        Ok(stored) => js.boolean(stored),
        Err(Error::Outdated) => js.boolean(false),
        Err(error) => Err(error.into()),
    }
}

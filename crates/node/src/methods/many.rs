//! Several keys in one call. Reading an array may run JavaScript of the user (a proxy, a getter),
//! so that the cache is held for the whole call.

use crate::cache::{Handle, ValueBuf};
use crate::env::{Call, Returns};
use crate::js::format::{is_bytes, to_js};
use crate::js::{Bytes, Fail, KeyBuf, Val};

/// `getMany(keys)`: an array of what `get` gives for each, and after them one ArrayBuffer if any
/// are bytes: they lie there one after the other, each behind its length.
pub fn get<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let keys = call.arg::<0>();
    let count = js.len(keys).ok_or_else(Fail::argument)?;
    let values = js.array(count)?;
    let mut all = Bytes::default();
    let mut copy = Vec::new();
    for i in 0..count {
        js.scoped(|js| {
            let mut key = KeyBuf::new();
            let key = key.read(js, js.at(keys, i)?)?;
            copy.clear();
            let found = shared.cache.get(key, |entry| {
                let value = entry.value();
                if is_bytes(value.format) {
                    all.add(value.bytes);
                } else {
                    copy.extend_from_slice(value.bytes);
                }
                value.format
            });
            let value = match found {
                None => js.undefined()?,
                Some(format) if format >> 4 != shared.description.codec_id => {
                    return Err(Fail::codec());
                }
                Some(format) if is_bytes(format) => js.boolean(true)?,
                Some(format) => to_js(js, format, &copy)?,
            };
            js.put_at(values, i, value)
        })?;
    }
    all.append_to(js, values, count)?;
    Ok(values)
}

/// `setMany(keys, values, ttls?)`: stores them in order, up to the first that fails.
pub fn set<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let (keys, values, ttls) = (call.arg::<0>(), call.arg::<1>(), call.arg::<2>());
    let count = js.len(keys).ok_or_else(Fail::argument)?;
    let has_ttls = js.len(ttls).is_some();
    for i in 0..count {
        js.scoped(|js| {
            // All JavaScript that may run does so before the value's bytes are borrowed.
            let (key_at, value_at) = (js.at(keys, i)?, js.at(values, i)?);
            let ttl = if has_ttls { js.at(ttls, i)? } else { js.undefined()? };
            let (mut key, mut value) = (KeyBuf::new(), ValueBuf::new());
            let key = key.read(js, key_at)?;
            let value = value.read(js, value_at, &shared.description)?;
            shared.cache.set(key, value, shared.expiry_or_default(js.to_number(ttl)))?;
            Ok(())
        })?;
    }
    Ok(Val::UNDEFINED)
}

/// `deleteMany(keys)`: how many had an entry.
pub fn delete<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.owned()?);
    let keys = call.arg::<0>();
    let mut gone = 0.0;
    for i in 0..js.len(keys).ok_or_else(Fail::argument)? {
        js.scoped(|js| {
            let mut key = KeyBuf::new();
            gone += f64::from(shared.cache.delete(key.read(js, js.at(keys, i)?)?));
            Ok(())
        })?;
    }
    js.number(gone)
}

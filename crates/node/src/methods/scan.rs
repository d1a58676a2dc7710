//! Iteration, a batch of entries per call.

use crate::cache::Handle;
use crate::env::{Call, Returns};
use crate::js::{Bytes, Fail, format, keys};
use breakwater_engine::KeyKind;
use std::ops::Range;

/// An entry as it was when the scan passed it; the ranges are of one buffer.
struct Seen {
    kind: KeyKind,
    format: u8,
    key: Range<usize>,
    value: Range<usize>,
}

/// `scan(cursor, budget, values)`: `[next cursor, key, value, key, value, ...]`, and after them an
/// ArrayBuffer as in `getMany`; values are `undefined` unless asked for.
pub fn scan<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    let (js, shared) = (call.js, call.on.shared()?);
    let cursor = js.to_u64(call.arg::<0>()).ok_or_else(Fail::argument)?;
    let budget = js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)? as usize;
    let with_values = js.to_number(call.arg::<2>()) == Some(1.0);

    let (mut seen, mut bytes) = (Vec::new(), Vec::new());
    let mut keep = |part: &[u8]| {
        let start = bytes.len();
        bytes.extend_from_slice(part);
        start..bytes.len()
    };
    let next = shared.cache.scan(cursor, budget, |entry| {
        let (key, value) = (entry.key(), entry.value());
        seen.push(Seen {
            kind: key.kind,
            format: value.format,
            key: keep(key.bytes),
            value: keep(if with_values { value.bytes } else { &[] }),
        });
    });

    let list = js.array(1 + 2 * seen.len())?;
    let mut all = Bytes::default();
    js.put_at(list, 0, js.bigint(next)?)?;
    for (i, entry) in seen.iter().enumerate() {
        js.scoped(|js| {
            js.put_at(list, 1 + 2 * i, keys::to_js(js, entry.kind, &bytes[entry.key.clone()])?)?;
            if !with_values {
                return Ok(());
            }
            if entry.format >> 4 != shared.description.codec_id {
                return Err(Fail::codec());
            }
            let value = &bytes[entry.value.clone()];
            let value = if format::is_bytes(entry.format) {
                all.add(value);
                js.boolean(true)?
            } else {
                format::to_js(js, entry.format, value)?
            };
            js.put_at(list, 2 + 2 * i, value)
        })?;
    }
    all.append_to(js, list, 1 + 2 * seen.len())?;
    Ok(list)
}

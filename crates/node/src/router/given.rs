//! What options of JavaScript hold: numbers and texts.

use crate::js::{Fail, Js, Val};
use breakwater_router::Quota;
use std::ffi::CStr;
use std::num::NonZeroU64;

/// A whole number among the options, if there is one.
pub fn number<'s>(js: Js<'s>, options: Val<'s>, name: &CStr) -> Result<Option<u64>, Fail> {
    Ok(js.to_whole(js.prop(options, name)?))
}

/// The texts in an array, as bytes; none, if there is no array.
pub fn texts<'s>(js: Js<'s>, array: Val<'s>) -> Result<Vec<Vec<u8>>, Fail> {
    let text = |at| Ok(js.to_text(js.at(array, at)?).unwrap_or_default().into_bytes());
    (0..js.len(array).unwrap_or(0)).map(text).collect()
}

/// How much somebody may use, in `{ requestsPerSecond?, bytesPerSecond?, connections?, inFlight?, bufferedBytes? }`;
/// as much as it likes, if there is no such object.
pub fn quota<'s>(js: Js<'s>, limits: Val<'s>) -> Result<Quota, Fail> {
    if js.type_name(limits) != "object" {
        return Ok(Quota::default());
    }
    let most = |name: &CStr| number(js, limits, name);
    Ok(Quota {
        requests: most(c"requestsPerSecond")?.and_then(NonZeroU64::new),
        bytes: most(c"bytesPerSecond")?.and_then(NonZeroU64::new),
        connections: most(c"connections")?.map(|most| most as usize),
        in_flight: most(c"inFlight")?.map(|most| most as usize),
        buffered: most(c"bufferedBytes")?,
    })
}

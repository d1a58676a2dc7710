//! Recordings of a store's reads, for JavaScript, which has the sockets.

use crate::env::{Call, Env, Function, Returns, function};
use crate::js::{Fail, Val};
use breakwater_lab::{Recorder, Refused};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the module exports of it.
pub const EXPORTS: &[Function<Env>] = &[
    function!(Env, c"openRecorder", open),
    function!(Env, c"closeRecorder", close),
    function!(Env, c"recordMonitored", monitored),
    function!(Env, c"recordAnswered", answered),
    function!(Env, c"recordedRows", rows),
];

static RECORDERS: Mutex<BTreeMap<u64, Arc<Mutex<Recorder>>>> = Mutex::new(BTreeMap::new());

/// `openRecorder(withSizes)`: the number of a recording, and the first line of its trace.
fn open<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let with_sizes = call.js.to_index(call.arg::<0>()).ok_or_else(Fail::argument)? == 1;
    let recorder = Recorder::new(with_sizes);
    let header = recorder.header();
    // Relaxed: the numbers only have to differ.
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    RECORDERS.lock().insert(number, Arc::new(Mutex::new(recorder)));
    let both = call.js.array(2)?;
    call.js.put_at(both, 0, call.js.number(number as f64)?)?;
    call.js.put_at(both, 1, call.js.text(header)?)?;
    Ok(both)
}

/// `closeRecorder(recorder)`: frees it.
fn close<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let number = call.js.to_whole(call.arg::<0>()).ok_or_else(Fail::argument)?;
    RECORDERS.lock().remove(&number);
    Ok(Val::UNDEFINED)
}

fn recorder(call: &Call<'_, Env>) -> Result<Arc<Mutex<Recorder>>, Fail> {
    let number = call.js.to_whole(call.arg::<0>()).ok_or_else(Fail::argument)?;
    RECORDERS.lock().get(&number).cloned().ok_or_else(Fail::argument)
}

/// `recordMonitored(recorder, bytes)`: takes what `MONITOR` tells; a Buffer of what is to be asked.
fn monitored<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, recorder) = (call.js, recorder(call)?);
    // SAFETY: no JavaScript runs on this thread until the call returns, and the bytes came from a
    // socket of this thread: no other one has them.
    let bytes = unsafe { js.to_bytes(call.arg::<1>()) }.ok_or_else(Fail::argument)?;
    let mut asks = Vec::new();
    recorder.lock().monitored(bytes, &mut asks).map_err(failed)?;
    js.buffer(&asks)
}

/// `recordAnswered(recorder, bytes)`: takes the answers.
fn answered<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, recorder) = (call.js, recorder(call)?);
    // SAFETY: as in `monitored`.
    let bytes = unsafe { js.to_bytes(call.arg::<1>()) }.ok_or_else(Fail::argument)?;
    recorder.lock().answered(bytes).map_err(failed)?;
    Ok(Val::UNDEFINED)
}

/// `recordedRows(recorder, most)`: how many rows are complete, so many at the most, and their text.
fn rows<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, recorder) = (call.js, recorder(call)?);
    let most = js.to_index(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let mut text = String::new();
    let count = recorder.lock().rows(most, &mut text);
    let both = js.array(2)?;
    js.put_at(both, 0, js.number(count as f64)?)?;
    js.put_at(both, 1, js.text(&text)?)?;
    Ok(both)
}

fn failed(Refused(why): Refused) -> Fail {
    Fail::trace(&why)
}

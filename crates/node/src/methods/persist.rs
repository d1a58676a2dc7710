//! Saving and loading on the runtime's thread pool, with a promise for the end.

use crate::cache::Handle;
use crate::env::{Call, Returns, promise};
use crate::js::Fail;
use breakwater_engine::{Cache, PersistError};
use std::path::{Path, PathBuf};

/// `save(path)`: a promise of how many entries were written.
pub fn save<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    start(call, Cache::save)
}

/// `load(path)`: a promise of how many entries came in.
pub fn load<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    start(call, Cache::load)
}

/// What is done with the cache and the file; how many entries that were.
type Work = fn(&Cache, &Path) -> Result<u64, PersistError>;

fn start<'s>(call: &Call<'s, Handle>, work: Work) -> Returns<'s> {
    let js = call.js;
    let shared = call.on.owned()?;
    let path: PathBuf = js.to_text(call.arg::<0>()).ok_or_else(Fail::argument)?.into();
    let work = move || work(&shared.cache, &path).map_err(Fail::from);
    promise(js, &call.on.env, work, |js, count| js.number(count as f64))
}

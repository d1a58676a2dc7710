//! Notes, on their way in: `[early, cost, version or -1, epoch or -1, ...tags]`.

use crate::js::{Fail, Js, Val};
use breakwater_engine::{Cache, MOST_TAGS, Nature, Note};

/// Where the tags begin.
const TAGS: usize = 4;

/// Reads a note. The array may be a proxy: JavaScript may run.
pub fn read(js: Js<'_>, array: Val<'_>, cache: &Cache) -> Result<Note, Fail> {
    let count = js.len(array).ok_or_else(Fail::argument)?;
    let tags = count.checked_sub(TAGS).filter(|&tags| tags <= MOST_TAGS);
    let tags = tags.ok_or_else(Fail::argument)?;
    let number = |at| js.to_number(js.at(array, at)?).ok_or_else(Fail::argument);
    Ok(Note {
        early: number(0)? as u32,
        cost: number(1)? as u32,
        version: unless_negative(number(2)?),
        epoch: unless_negative(number(3)?),
        tags: slots_from(js, array, TAGS, tags, cache)?,
        life: None,
        nature: Nature::Value,
    })
}

/// The slots of an array of tags; none if it is no array. JavaScript may run.
pub fn slots(js: Js<'_>, array: Val<'_>, cache: &Cache) -> Result<Box<[u32]>, Fail> {
    let count = js.len(array).unwrap_or(0).min(MOST_TAGS);
    slots_from::<Vec<_>>(js, array, 0, count, cache).map(Into::into)
}

fn slots_from<T: FromIterator<u32>>(
    js: Js<'_>,
    array: Val<'_>,
    first: usize,
    count: usize,
    cache: &Cache,
) -> Result<T, Fail> {
    let slot = |at| {
        let name = js.to_text(js.at(array, at)?).ok_or_else(Fail::argument)?;
        Ok(cache.tag_group(&name))
    };
    (first..first + count).map(slot).collect()
}

/// The note of the knowledge that there is no value, which may have tags and a version as a value.
pub fn negative(given: Option<Note>) -> Note {
    Note { nature: Nature::Negative, ..given.unwrap_or_default() }
}

fn unless_negative(n: f64) -> Option<u64> {
    (n >= 0.0).then_some(n as u64)
}

//! The routes of a node, as the facade has checked them.

use crate::js::{Fail, Js, Val};
use breakwater_engine::ConfigError;
use breakwater_router::{Concern, Mode, ReadFrom, Route, Routes, is_cacheable};
use std::ffi::CStr;

/// The routes in an array of objects; the usual one, if there is no array.
pub fn routes<'s>(js: Js<'s>, array: Val<'s>) -> Result<Routes, Fail> {
    let Some(len) = js.len(array) else { return Ok(Routes::default()) };
    let all: Result<Vec<_>, _> = (0..len).map(|at| route(js, js.at(array, at)?)).collect();
    Ok(Routes::new(all?))
}

fn route<'s>(js: Js<'s>, object: Val<'s>) -> Result<Route, Fail> {
    let text = |name: &CStr| Ok::<_, Fail>(js.to_text(js.prop(object, name)?).unwrap_or_default());
    let number = |name: &CStr| Ok::<_, Fail>(js.to_number(js.prop(object, name)?));
    let share = |name: &CStr| Ok::<_, Fail>(number(name)?.unwrap_or(0.0));
    let usual = Route::default();
    Ok(Route {
        prefix: text(c"prefix")?.into_bytes(),
        mode: match text(c"mode")?.as_str() {
            "shadow" => Mode::Shadow,
            "off" => Mode::Off,
            _ => Mode::On,
        },
        concern: Concern::parse(text(c"readConcern")?.as_bytes()).unwrap_or_default(),
        read_from: ReadFrom::parse(&text(c"readFrom")?).unwrap_or_default(),
        ttl: number(c"ttl")?.map(|ms| ms as u64),
        jitter: share(c"jitter")?,
        negative_ttl: share(c"negativeTtl")? as u64,
        stale_if_error: share(c"staleIfError")? as u64,
        stale_while_busy: share(c"staleWhileBusy")? as u64,
        commands: commands(&text(c"commands")?)?,
        largest: number(c"maxReplyBytes")?.map_or(usual.largest, |bytes| bytes as usize),
        verify: share(c"verify")?,
        refresh_ahead: share(c"refreshAhead")?,
        copies: number(c"copies")?.map_or(usual.copies, |copies| copies as usize),
        admission: share(c"admission")? != 0.0,
    })
}

/// Names of commands whose replies can be remembered, separated by commas; all, if there are none.
fn commands(names: &str) -> Result<Option<Vec<String>>, Fail> {
    if names.is_empty() {
        return Ok(None);
    }
    let check = |name: &str| match is_cacheable(name) {
        true => Ok(name.to_owned()),
        false => Err(ConfigError {
            option: "commands",
            value: name.to_owned(),
            allowed: "commands whose replies can be remembered, as get, hgetall and zrange",
        }),
    };
    Ok(Some(names.split(',').map(check).collect::<Result<_, _>>()?))
}

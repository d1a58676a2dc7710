//! Opening a cache and attaching to one.

use super::clock;
use crate::cache::{Description, Handle, Instances, Shared, maintenance, process, registry};
use crate::env::{Call, Owner, Returns};
use crate::js::{Fail, Js};
use breakwater_engine::{Cache, Clock, Config, Weigh};
use std::sync::Arc;

/// `open(options)`: the cache of this name; or else a new one, if there is a bound. The facade has
/// checked the options and compares them with what the cache turns out to be.
pub fn open<'s>(call: &Call<'s, Instances>) -> Returns<'s> {
    let (js, options) = (call.js, call.arg::<0>());
    let description = Description {
        name: js.to_text(js.prop(options, c"name")?),
        max: js.to_whole(js.prop(options, c"max")?),
        max_bytes: js.to_whole(js.prop(options, c"maxBytes")?),
        policy: js.to_text(js.prop(options, c"policy")?).unwrap_or_default(),
        weigh: js
            .to_text(js.prop(options, c"weigh")?)
            .unwrap_or_else(|| Weigh::default().name().to_owned()),
        codec: js.to_text(js.prop(options, c"codec")?).unwrap_or_default(),
        codec_id: js.to_number(js.prop(options, c"codecId")?).unwrap_or_default() as u8,
        accepts: js.to_number(js.prop(options, c"accepts")?).unwrap_or_default() as u8,
        ttl: js.to_number(js.prop(options, c"ttl")?),
        jitter: js.to_number(js.prop(options, c"jitter")?).unwrap_or_default(),
        near: js.to_number(js.prop(options, c"near")?) == Some(1.0),
        grace: js.to_number(js.prop(options, c"grace")?).unwrap_or_default(),
    };
    let shards = js.to_whole(js.prop(options, c"shards")?).map(|n| n as usize);
    let clock = clock::from_js(js, js.prop(options, c"clock")?);
    let name = description.name.clone();
    let mut created = false;
    let shared = registry::open(name.as_deref(), || {
        created = true;
        make(description, shards, clock.clone().unwrap_or_else(Clock::system))
    })?;
    instance(call, shared, created, clock)
}

/// `attach(id, process, clock?)`: the cache of this number in the process of this name.
pub fn attach<'s>(call: &Call<'s, Instances>) -> Returns<'s> {
    let js = call.js;
    let id = js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)?;
    let here = js.to_text(call.arg::<1>()).is_some_and(|name| name == process::name());
    let shared = here.then(|| registry::attach(id as u64)).flatten().ok_or_else(Fail::handle)?;
    let clock = clock::from_js(js, call.arg::<2>());
    instance(call, shared, false, clock)
}

fn make(description: Description, shards: Option<usize>, clock: Clock) -> Result<Shared, Fail> {
    if let (Some(name), None, None) = (&description.name, description.max, description.max_bytes) {
        return Err(Fail::no_such_cache(name));
    }
    let cache = Cache::new(Config {
        max_entries: description.max,
        max_bytes: description.max_bytes,
        policy: description.policy.parse()?,
        weigh: description.weigh.parse()?,
        room: None,
        awaited: None,
        shards,
        clock,
        near_copies: description.near,
        grace: description.grace.ceil() as u64,
    })?;
    let shared = Shared::new(cache, description);
    maintenance::watch(&shared);
    Ok(shared)
}

/// What the cache is, with the number by which this environment's methods know it. When the object
/// is collected the cache is closed.
///
/// `clock` is the one that was given, if any was: whether it is the cache's is told.
fn instance<'s>(
    call: &Call<'s, Instances>,
    shared: Arc<Shared>,
    created: bool,
    clock: Option<Clock>,
) -> Returns<'s> {
    let js = call.js;
    // First of all: what fails from here on lets the cache go again.
    let handle = Handle::new(call.on.env().this()?, shared.clone());
    let object = describe(js, &shared, created)?;
    let same_clock = clock.is_none_or(|clock| clock.is(shared.cache.clock()));
    js.put(object, c"sameClock", js.boolean(same_clock)?)?;
    let number = call.on.adopt(js, object, handle)?;
    js.put_number(object, c"number", number as f64)?;
    Ok(object)
}

/// What the cache is, for the facade.
fn describe<'s>(js: Js<'s>, shared: &Shared, created: bool) -> Returns<'s> {
    let (object, description) = (js.object()?, &shared.description);
    js.put_number(object, c"id", shared.id as f64)?;
    js.put(object, c"process", js.text(process::name())?)?;
    js.put(object, c"created", js.boolean(created)?)?;
    if let Some(name) = &description.name {
        js.put(object, c"name", js.text(name)?)?;
    }
    js.put(object, c"policy", js.text(&description.policy)?)?;
    js.put(object, c"weigh", js.text(&description.weigh)?)?;
    js.put(object, c"codec", js.text(&description.codec)?)?;
    js.put(object, c"near", js.boolean(description.near)?)?;
    js.put(object, c"systemClock", js.boolean(shared.cache.clock().is_system())?)?;
    js.put_number(object, c"jitter", description.jitter)?;
    js.put_number(object, c"grace", description.grace)?;
    js.put_number(object, c"shards", shared.cache.shards() as f64)?;
    let numbers = [
        (c"max", description.max.map(|n| n as f64)),
        (c"maxBytes", description.max_bytes.map(|n| n as f64)),
        (c"ttl", description.ttl),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            js.put_number(object, name, number)?;
        }
    }
    Ok(object)
}

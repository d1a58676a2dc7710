//! Opening a cache and attaching to one.

use super::clock;
use crate::cache::{Description, Handle, Instances, Shared, maintenance, registry};
use crate::env::{Call, Owner, Returns};
use crate::js::{Fail, Js};
use breakwater_engine::{Cache, Clock, Config, ConfigError, Policy};
use std::sync::Arc;

/// The policies' names.
const POLICIES: [(&str, Policy); 4] = [
    ("lru", Policy::Lru),
    ("lfu", Policy::Lfu),
    ("random", Policy::Random),
    ("none", Policy::None),
];

/// `open(options)`: a new cache, or the one of this name. The facade has checked the options and
/// compares them with what the cache turns out to be.
pub fn open<'s>(call: &Call<'s, Instances>) -> Returns<'s> {
    let (js, options) = (call.js, call.arg::<0>());
    let description = Description {
        name: js.to_text(js.prop(options, c"name")?),
        max: js.to_whole(js.prop(options, c"max")?),
        max_bytes: js.to_whole(js.prop(options, c"maxBytes")?),
        policy: js.to_text(js.prop(options, c"policy")?).unwrap_or_default(),
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
    let (shared, created) = registry::open(name.as_deref(), || {
        make(description, shards, clock.unwrap_or_else(Clock::system))
    })?;
    instance(call, shared, created)
}

/// `attach(id)`: the cache of this number.
pub fn attach<'s>(call: &Call<'s, Instances>) -> Returns<'s> {
    let id = call.js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)?;
    let shared = registry::attach(id as u64).ok_or_else(Fail::handle)?;
    instance(call, shared, false)
}

fn make(description: Description, shards: Option<usize>, clock: Clock) -> Result<Shared, Fail> {
    let policy = POLICIES.iter().find(|(name, _)| *name == description.policy);
    let (_, policy) = policy.ok_or_else(|| ConfigError {
        option: "policy",
        value: description.policy.clone(),
        allowed: "lru, lfu, random or none",
    })?;
    let cache = Cache::new(Config {
        max_entries: description.max,
        max_bytes: description.max_bytes,
        policy: *policy,
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
fn instance<'s>(call: &Call<'s, Instances>, shared: Arc<Shared>, created: bool) -> Returns<'s> {
    let js = call.js;
    // First of all: what fails from here on lets the cache go again.
    let handle = Handle::new(call.on.env().this()?, shared.clone());
    let object = describe(js, &shared, created)?;
    let number = call.on.adopt(js, object, handle)?;
    js.put_number(object, c"number", number as f64)?;
    Ok(object)
}

/// What the cache is, for the facade.
fn describe<'s>(js: Js<'s>, shared: &Shared, created: bool) -> Returns<'s> {
    let (object, description) = (js.object()?, &shared.description);
    js.put_number(object, c"id", shared.id as f64)?;
    js.put(object, c"created", js.boolean(created)?)?;
    if let Some(name) = &description.name {
        js.put(object, c"name", js.text(name)?)?;
    }
    js.put(object, c"policy", js.text(&description.policy)?)?;
    js.put(object, c"codec", js.text(&description.codec)?)?;
    js.put(object, c"near", js.boolean(description.near)?)?;
    js.put(object, c"systemClock", js.boolean(shared.cache.clock().is_system())?)?;
    js.put_number(object, c"jitter", description.jitter)?;
    js.put_number(object, c"grace", description.grace)?;
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

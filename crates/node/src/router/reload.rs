//! Changing the rules of a router while it runs: all of them at one moment, or none.

use super::driver::now;
use super::{edge, given, list, open};
use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_net::Group;
use breakwater_router::Router;
use std::sync::Arc;

/// `reloadRouter(router, options, { tls, storeTls })`: the rules in the options of `createRouter`,
/// and how clients and the store are met, count from now on. The numbers of the clients whose connections
/// have to end, which the native drivers know already. If anything is wrong, nothing has changed.
pub fn reload<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, options) = (call.js, call.arg::<1>());
    let (router, group) = listed(call)?;
    let rules = open::rules(js, options)?;
    let met = call.arg::<2>();
    let tls = given(js, js.prop(met, c"tls")?, edge::server_tls)?;
    let tls = tls.map(|tls| edge::prepare(&group, &tls)).transpose()?;
    let store_tls = given(js, js.prop(met, c"storeTls")?, edge::store_tls)?;
    let ring = open::ring(
        js,
        js.prop(options, c"ring")?,
        &open::servers(js, js.prop(options, c"servers")?)?,
    )?;
    // Of what may fail these are the last; all else is ready.
    router.cache().resize(None, given::number(js, options, c"maxBytes")?)?;
    if let Some(ring) = ring
        && !router.set_ring(&ring)
    {
        return Err(Fail::internal(
            "a node knows 64 different stores while it runs: start it anew",
        ));
    }
    if let Some(tls) = tls {
        group.set_tls(tls);
    }
    if let Some(tls) = store_tls {
        group.set_store_tls(tls);
    }
    let kills = router.reload(rules, now());
    group.kill(&kills);
    let array = js.array(kills.len())?;
    for (at, id) in kills.into_iter().enumerate() {
        js.put_at(array, at, js.number(id as f64)?)?;
    }
    Ok(array)
}

/// `refuseReload(router, why)`: other rules were asked for, which cannot be.
pub fn refuse<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (router, _) = listed(call)?;
    router.refuse_reload(&call.js.to_text(call.arg::<1>()).unwrap_or_default(), now());
    call.js.undefined()
}

/// The router whose number is given first, and its native drivers.
fn listed(call: &Call<'_, Env>) -> Result<(Arc<Router>, Arc<Group>), Fail> {
    let id = call.js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)? as u64;
    list::find(id).ok_or_else(Fail::handle)
}

/// What an object says, if there is one.
fn given<'s, T>(
    js: Js<'s>,
    object: Val<'s>,
    read: impl FnOnce(Js<'s>, Val<'s>) -> Result<T, Fail>,
) -> Result<Option<T>, Fail> {
    if js.type_name(object) == "object" { read(js, object).map(Some) } else { Ok(None) }
}

//! TLS of a router, as JavaScript gives it: texts of PEM, read and checked there.

use super::list;
use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_engine::ConfigError;
use breakwater_net::{
    ClientAuth, Group, Identity, PreparedTls, ServerTls, StoreTls, TlsError, connector,
};
use std::ffi::CStr;
use std::sync::Arc;

/// `setTls(router, options)`: clients are met this way from now on.
pub fn set_tls<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let group = group(call)?;
    let tls = server_tls(call.js, call.arg::<1>())?;
    group.set_tls(prepare(&group, &tls)?);
    call.js.undefined()
}

/// Makes ready how clients are to be met.
pub fn prepare(group: &Group, tls: &ServerTls) -> Result<PreparedTls, Fail> {
    group.prepare_tls(tls).map_err(|error| refusal(error, ["tls.cert", "tls.key", "tls.ca"]))
}

/// How clients are met.
pub fn server_tls<'s>(js: Js<'s>, options: Val<'s>) -> Result<ServerTls, Fail> {
    let list = js.prop(options, c"certificates")?;
    let mut identities = vec![];
    for at in 0..js.len(list).unwrap_or(0) {
        let one = js.at(list, at)?;
        let names = js.prop(one, c"names")?;
        let names = (0..js.len(names).unwrap_or(0))
            .map(|at| Ok(js.to_text(js.at(names, at)?).unwrap_or_default()))
            .collect::<Result<_, Fail>>()?;
        let chain = text(js, one, c"chain")?.unwrap_or_default();
        let key = text(js, one, c"key")?.unwrap_or_default();
        identities.push(Identity { chain, key, names });
    }
    let clients = match js.to_text(js.prop(options, c"clients")?).as_deref() {
        Some("yes") => ClientAuth::Required,
        Some("optional") => ClientAuth::Optional,
        _ => ClientAuth::No,
    };
    Ok(ServerTls { identities, ca: text(js, options, c"ca")?, clients })
}

/// `setStoreTls(router, options)`: the store is met this way from now on.
pub fn set_store_tls<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let tls = store_tls(call.js, call.arg::<1>())?;
    group(call)?.set_store_tls(tls);
    call.js.undefined()
}

/// How the store is met.
pub fn store_tls<'s>(js: Js<'s>, options: Val<'s>) -> Result<StoreTls, Fail> {
    let ca = text(js, options, c"ca")?.unwrap_or_default();
    let identity = text(js, options, c"chain")?.zip(text(js, options, c"key")?);
    let identity = identity.as_ref().map(|(chain, key)| (&chain[..], &key[..]));
    let name = js.to_text(js.prop(options, c"name")?);
    let names = ["storeTls.cert", "storeTls.key", "storeTls.ca"];
    connector(&ca, identity, name.as_deref()).map_err(|error| refusal(error, names))
}

/// The native drivers of the router whose number is given first.
fn group(call: &Call<'_, Env>) -> Result<Arc<Group>, Fail> {
    let id = call.js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)? as u64;
    let (_, group) = list::find(id).ok_or_else(Fail::handle)?;
    Ok(group)
}

fn text<'s>(js: Js<'s>, object: Val<'s>, name: &CStr) -> Result<Option<Vec<u8>>, Fail> {
    Ok(js.to_text(js.prop(object, name)?).map(String::into_bytes))
}

/// An error that names the option of the text that is wrong.
fn refusal(error: TlsError, [cert, key, ca]: [&'static str; 3]) -> Fail {
    let option = match error.role {
        "key" => key,
        "ca" => ca,
        _ => cert,
    };
    let allowed = "PEM of a certificate, its key or authorities";
    ConfigError { option, value: error.why, allowed }.into()
}

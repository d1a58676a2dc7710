//! TLS of a router, as JavaScript gives it: texts of PEM, read and checked there.

use super::list;
use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_engine::ConfigError;
use breakwater_net::{ClientAuth, Identity, ServerTls, TlsError};
use std::ffi::CStr;

/// `setTls(router, options)`: clients are met this way from now on.
pub fn set_tls<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, options) = (call.js, call.arg::<1>());
    let id = js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)? as u64;
    let (_, group) = list::find(id).ok_or_else(Fail::handle)?;
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
    let tls = ServerTls { identities, ca: text(js, options, c"ca")?, clients };
    group.set_tls(&tls).map_err(refusal)?;
    js.undefined()
}

fn text<'s>(js: Js<'s>, object: Val<'s>, name: &CStr) -> Result<Option<Vec<u8>>, Fail> {
    Ok(js.to_text(js.prop(object, name)?).map(String::into_bytes))
}

fn refusal(error: TlsError) -> Fail {
    let option = match error.role {
        "key" => "tls.key",
        "ca" => "tls.ca",
        _ => "tls.cert",
    };
    ConfigError { option, value: error.why, allowed: "PEM of a certificate, its key or authorities" }
        .into()
}

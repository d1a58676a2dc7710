//! Which tokens a router takes, as JavaScript gives it: keys as parts of JWKs, read and checked there.

use super::given::{number, quota, texts};
use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_engine::ConfigError;
use breakwater_router::{Template, TokenKey, TokenRules};
use std::ffi::CStr;

/// The rules of tokens in `{ keys: [{ algorithm, id?, parts }], issuer?, audience, claim, skew,
/// template?, limits?, revoked? }`; none, if there is no such object.
pub fn token_rules<'s>(js: Js<'s>, given: Val<'s>) -> Result<Option<TokenRules>, Fail> {
    if js.type_name(given) != "object" {
        return Ok(None);
    }
    let text = |name: &CStr| Ok::<_, Fail>(js.to_text(js.prop(given, name)?));
    let list = js.prop(given, c"keys")?;
    let keys = (0..js.len(list).unwrap_or(0)).map(|at| key(js, js.at(list, at)?));
    let template = text(c"template")?.map(|rules| template(&rules)).transpose()?;
    let revoked = text(c"revoked")?;
    let audience = texts(js, js.prop(given, c"audience")?)?;
    Ok(Some(TokenRules {
        keys: keys.collect::<Result<_, Fail>>()?,
        issuer: text(c"issuer")?,
        audience: audience.into_iter().filter_map(|text| String::from_utf8(text).ok()).collect(),
        claim: text(c"claim")?.unwrap_or_default(),
        skew: number(js, given, c"skew")?.unwrap_or(0),
        template,
        quota: quota(js, js.prop(given, c"limits")?)?,
        revoked: revoked.map(|lines| lines.split_whitespace().map(str::to_owned).collect()),
    }))
}

fn key<'s>(js: Js<'s>, key: Val<'s>) -> Result<TokenKey, Fail> {
    let algorithm = js.to_text(js.prop(key, c"algorithm")?).unwrap_or_default();
    let id = js.to_text(js.prop(key, c"id")?);
    let parts = texts(js, js.prop(key, c"parts")?)?;
    let parts: Vec<_> = parts.into_iter().filter_map(|part| String::from_utf8(part).ok()).collect();
    // Nothing of a key stands in an error.
    let wrong = |allowed| ConfigError { option: "tokens.keys", value: algorithm.clone(), allowed };
    TokenKey::new(&algorithm, id, &parts).map_err(|allowed| wrong(allowed).into())
}

fn template(rules: &str) -> Result<Template, Fail> {
    let allowed = "rules with a claim in braces, as in '~{sub}:* +@read'";
    Template::parse(rules)
        .map_err(|value| ConfigError { option: "tokens.acl", value, allowed }.into())
}

/// `wrongTemplate(rules)`: the first of these rules with claims that is none, without what may be a
/// secret.
pub fn wrong_template<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let rules = call.js.to_text(call.arg::<0>()).unwrap_or_default();
    match Template::parse(&rules) {
        Ok(_) => call.js.undefined(),
        Err(wrong) => call.js.text(&wrong),
    }
}

//! What a token says, and when that counts.

use super::TokenRules;
use serde_json::{Map, Value};

/// The last second of the year 9999: no token is for longer.
const LAST: u64 = 253_402_300_799;

/// From when to when a token counts, in Unix milliseconds; `None` if the rules do not take what it says.
pub(super) fn accept(claims: &Map<String, Value>, rules: &TokenRules) -> Option<(i64, i64)> {
    let second = |name: &str| match claims.get(name) {
        None => Some(None),
        // Whole seconds: a date that parsers could round differently is refused.
        Some(value) => value.as_u64().filter(|at| *at <= LAST).map(Some),
    };
    let until = second("exp")??;
    let from = second("nbf")?.unwrap_or(0);
    second("iat")?;
    let issued = rules
        .issuer
        .as_ref()
        .is_none_or(|issuer| claims.get("iss").and_then(Value::as_str) == Some(issuer));
    let meant = rules.audience.is_empty() || is_for(claims.get("aud")?, &rules.audience)?;
    let id = claims.get("jti");
    let revoked = rules.revoked.as_ref().is_some_and(|revoked| {
        id.and_then(Value::as_str).is_none_or(|id| id.is_empty() || revoked.contains(id))
    });
    let milliseconds = |seconds: u64| i64::try_from(seconds * 1000).ok();
    let skew = milliseconds(rules.skew)?;
    (issued && meant && !revoked)
        .then_some(Some((milliseconds(from)? - skew, milliseconds(until)? + skew)))?
}

/// Whether one of these is meant; `None` if that is no list of names.
fn is_for(audience: &Value, names: &[String]) -> Option<bool> {
    let all = match audience {
        Value::String(_) => std::slice::from_ref(audience),
        Value::Array(all) => all,
        _ => return None,
    };
    let texts = all.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
    Some(texts.iter().any(|text| names.iter().any(|name| name == text)))
}

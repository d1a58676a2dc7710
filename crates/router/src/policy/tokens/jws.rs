//! The three parts of a token (RFC 7515, RFC 7519): its header, what it says, its signature.

use super::json;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

/// The most bytes of a token.
const LONGEST: usize = 8 * 1024;

/// A token that is well-formed, whose signature is not checked.
pub(super) struct Token<'a> {
    /// What it says that it is signed with.
    pub(super) algorithm: String,
    /// The name of its key, if it says one.
    pub(super) key: Option<String>,
    /// What is signed.
    pub(super) signed: &'a [u8],
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// The parts of a token; `None` if it is none, or asks for what is not done here.
    pub(super) fn parse(token: &'a [u8]) -> Option<Self> {
        let fits = token.len() <= LONGEST;
        let mut dots = memchr::memchr_iter(b'.', token).filter(|_| fits);
        let (first, second, None) = (dots.next()?, dots.next()?, dots.next()) else { return None };
        let decode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let header = json::object(&decode(&token[..first])?)?;
        let text = |name: &str| match header.get(name) {
            None => Some(None),
            Some(Value::String(text)) => Some(Some(text.clone())),
            Some(_) => None,
        };
        // A token within a token, one that is encrypted, or signs something else than what it shows.
        let other =
            ["crit", "b64", "cty", "enc", "zip"].iter().any(|name| header.contains_key(*name));
        let typed = text("typ")?.is_none_or(|kind| {
            kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("at+jwt")
        });
        if other || !typed {
            return None;
        }
        Some(Self {
            algorithm: text("alg")??,
            key: text("kid")?,
            signed: &token[..second],
            payload: decode(&token[first + 1..second])?,
            signature: decode(&token[second + 1..])?,
        })
    }
}

//! Rules in which claims of a token stand: `~{tenant}:* +@read`.

use crate::policy::user::User;
use serde_json::{Map, Value};

/// The most values of a claim that is a list.
const MOST: usize = 64;
/// The most bytes of one.
const LONGEST: usize = 128;

/// Rules of a user with claims in them.
#[derive(Clone, Debug)]
pub struct Template {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    /// What stands before the claim; all of a rule that has none.
    before: String,
    /// The claim, and what stands behind it.
    claim: Option<(String, String)>,
}

impl Template {
    /// Rules of a user, some of whose patterns of keys and channels have one claim each, in braces. If
    /// one of them is wrong, that one, without what may be a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = |rule: &str| rule.chars().take(64).collect::<String>();
        let rules = text.split_ascii_whitespace().map(|text| {
            let rule = match text.split_once('{') {
                Some(_) if !text.starts_with(['~', '%', '&']) => return Err(shown(text)),
                None => return Ok(Rule { before: text.into(), claim: None }),
                Some((before, rest)) => {
                    let (claim, after) = rest.split_once('}').ok_or_else(|| shown(text))?;
                    Rule { before: before.into(), claim: Some((claim.into(), after.into())) }
                }
            };
            let whole = rule
                .claim
                .as_ref()
                .is_some_and(|(claim, after)| !claim.is_empty() && !after.contains(['{', '}']));
            if whole { Ok(rule) } else { Err(shown(text)) }
        });
        let template = Self { rules: rules.collect::<Result<_, String>>()? };
        let any = |rule: &Rule| rule.with("x");
        User::by_rules("", &template.rules.iter().map(any).collect::<Vec<_>>().join(" "))?;
        Ok(template)
    }

    /// The user of this name that it makes of the claims; `None` if one is not there, or nothing that may
    /// stand in a pattern.
    pub(super) fn user(&self, name: &str, claims: &Map<String, Value>) -> Option<User> {
        if !is_plain(name) {
            return None;
        }
        let mut rules = vec![];
        for rule in &self.rules {
            let Some((claim, _)) = &rule.claim else {
                rules.push(rule.before.clone());
                continue;
            };
            let given = claims.get(claim)?;
            let values = match given {
                Value::Array(values) if values.len() <= MOST => values,
                Value::String(_) => std::slice::from_ref(given),
                _ => return None,
            };
            for value in values {
                rules.push(rule.with(value.as_str().filter(|value| is_plain(value))?));
            }
        }
        User::by_rules(name, &rules.join(" ")).ok()
    }
}

impl Rule {
    fn with(&self, value: &str) -> String {
        match &self.claim {
            None => self.before.clone(),
            Some((_, after)) => [&self.before, value, after].concat(),
        }
    }
}

/// Whether it means nothing in a rule or a pattern, and does not divide a key.
fn is_plain(value: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@|+".contains(&byte);
    (1..=LONGEST).contains(&value.len()) && value.bytes().all(usual)
}

//! The rules of an access control list, in the words of Redis: `on >secret ~user:* +@read`.

use super::grant::Grant;
use super::user::User;
use crate::catalog::{Access, Permissions};

impl User {
    /// The user that these rules make, separated by spaces, as those of `ACL SETUSER` do; from one who
    /// may do nothing on. If one of them is wrong, that one, without what may be a secret.
    ///
    /// ```
    /// use breakwater_router::User;
    /// assert!(User::by_rules("ada", "on >secret ~user:* +@read").is_ok());
    /// assert_eq!(User::by_rules("ada", "on +@reed").unwrap_err(), "+@reed");
    /// ```
    pub fn by_rules(name: impl Into<String>, rules: &str) -> Result<Self, String> {
        let mut user = Self::new(name, None, Permissions::all());
        let mut grant = Grant::default();
        (user.on, user.open) = (true, false);
        for rule in rules.split_ascii_whitespace() {
            apply(&mut user, &mut grant, rule)?;
        }
        grant.commands.settle();
        // What is asked of every request is asked only of those whom it concerns.
        user.grant = (!grant.is_all()).then_some(grant);
        Ok(user)
    }
}

fn apply(user: &mut User, grant: &mut Grant, rule: &str) -> Result<(), String> {
    let wrong = || Err(shown(rule));
    let lower = rule.to_ascii_lowercase();
    match &*lower {
        "on" => user.on = true,
        "off" => user.on = false,
        "nopass" => (user.open, user.secrets) = (true, vec![]),
        "resetpass" => (user.open, user.secrets) = (false, vec![]),
        "allkeys" => grant.keys.add("*", Access::all()),
        "resetkeys" => grant.keys = Default::default(),
        "allchannels" => grant.channels.add("*"),
        "resetchannels" => grant.channels = Default::default(),
        "allcommands" => return command(grant, true, "@all", rule),
        "nocommands" => return command(grant, false, "@all", rule),
        "reset" => {
            (user.on, user.open, user.secrets) = (false, false, vec![]);
            *grant = Grant::default();
        }
        // What Redis writes of payloads says nothing of a user.
        "sanitize-payload" | "skip-sanitize-payload" => {}
        _ => {
            let (sign, rest) = rule.split_at(rule.chars().next().map_or(0, char::len_utf8));
            match sign {
                "+" | "-" => return command(grant, sign == "+", rest, rule),
                "~" => grant.keys.add(rest, Access::all()),
                "%" => {
                    match rest.split_once('~').and_then(|(kind, keys)| Some((access(kind)?, keys)))
                    {
                        Some((access, keys)) => grant.keys.add(keys, access),
                        None => return wrong(),
                    }
                }
                "&" => grant.channels.add(rest),
                ">" => user.add_password(rest.as_bytes()),
                "#" if user.add_hash(rest) => {}
                "$" if user.add_hash(rule) => {}
                _ => return wrong(),
            }
        }
    }
    Ok(())
}

fn command(grant: &mut Grant, adds: bool, what: &str, rule: &str) -> Result<(), String> {
    let named = !what.is_empty() && what.bytes().all(|byte| byte.is_ascii_graphic());
    if named && grant.commands.add(adds, what) {
        return Ok(());
    }
    Err(shown(rule))
}

fn access(kind: &str) -> Option<Access> {
    Some(match &*kind.to_ascii_uppercase() {
        "R" => Access::READ,
        "W" => Access::WRITE,
        "RW" | "WR" => Access::all(),
        _ => return None,
    })
}

/// A rule as an error may show it: never what may be a secret.
fn shown(rule: &str) -> String {
    match rule.chars().next() {
        Some(sign @ ('>' | '<' | '#' | '!' | '$')) => format!("{sign}..."),
        _ => rule.chars().take(64).collect(),
    }
}

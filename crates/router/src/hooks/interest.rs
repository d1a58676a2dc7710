//! Which commands hooks are interested in: what is left out costs nothing but this look.

use super::Question;
use crate::catalog::Known;
use breakwater_resp::Args;
use foldhash::fast::FixedState;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashMap;

/// The most hooks: each has a bit.
pub const MOST_HOOKS: usize = 64;
/// No command has a longer name.
const LONGEST_NAME: usize = 64;
/// What says who a client is holds passwords: no hook is asked about it.
const SECRET: [&str; 2] = ["auth", "hello"];

/// What a hook is interested in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Names of commands, in lower case: `set`; `config` with all its parts, or `config|set`. Any
    /// command, if there is none.
    pub commands: Vec<String>,
    /// Beginnings of keys: one key of a command has to begin with one. Any command, if there is none.
    pub prefixes: Vec<Vec<u8>>,
}

/// What the hooks of a driver are interested in. Of those that are interested in a command, the first
/// is asked.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    interests: Vec<Interest>,
    /// A bit for each hook that names a command.
    named: HashMap<Vec<u8>, u64, FixedState>,
    /// A bit for each that names none.
    any: u64,
    /// Those that are interested in `GET`.
    get: u64,
    greets: bool,
    /// Beginnings of the keys whose routes one chooses; all keys, if there are none.
    routes: Option<Vec<Vec<u8>>>,
}

impl Hooks {
    /// Hooks with these interests, [`MOST_HOOKS`] at the most, in the order in which they are asked;
    /// `greets` if clients that come interest one.
    pub fn new(interests: Vec<Interest>, greets: bool) -> Self {
        let mut hooks = Self { greets, ..Self::default() };
        for (at, interest) in interests.iter().take(MOST_HOOKS).enumerate() {
            if interest.commands.is_empty() {
                hooks.any |= 1 << at;
            }
            for name in &interest.commands {
                *hooks.named.entry(name.to_lowercase().into_bytes()).or_default() |= 1 << at;
            }
        }
        hooks.interests = interests;
        hooks.get = hooks.of(b"get");
        hooks
    }

    /// The same, and one that chooses the routes of the keys that begin so; of all, if there are no
    /// beginnings.
    pub fn choosing(self, prefixes: Vec<Vec<u8>>) -> Self {
        Self { routes: Some(prefixes), ..self }
    }

    /// Beginnings of the keys whose routes a hook chooses, if one does: what the router is
    /// [to know](crate::Router::choose_routes).
    pub fn routes(&self) -> Option<&[Vec<u8>]> {
        self.routes.as_deref()
    }

    /// Whether clients that come interest one.
    pub(crate) fn greets(&self) -> bool {
        self.greets
    }

    /// Whether `GET` of this key interests one.
    #[inline]
    pub(crate) fn concern_get(&self, key: &[u8]) -> bool {
        self.get != 0 && self.first(self.get, || [key].into_iter()).is_some()
    }

    /// What is to be asked about a command; `known` if the catalog has it, or the store.
    pub(crate) fn question(&self, known: Option<&Known>, args: Args<'_>) -> Option<Box<Question>> {
        let Some(known) = known else { return self.about_unknown(args) };
        let mut asked = self.of(known.name.as_bytes());
        if let Some((command, _)) = known.name.split_once('|') {
            asked |= self.of(command.as_bytes());
        }
        if asked == 0 || SECRET.contains(&&*known.name) {
            return None;
        }
        let mut keys = SmallVec::new();
        known.each_key(args, |place, _| keys.push(place));
        let hook = self.first(asked, || keys.iter().map(|place| args.word(*place)))?;
        Some(Box::new(Question { hook, name: known.name.clone(), keys }))
    }

    /// Of a command that nobody knows, nobody knows the keys.
    fn about_unknown(&self, args: Args<'_>) -> Option<Box<Question>> {
        let word = args.word(0);
        let name = String::from_utf8_lossy(&word[..word.len().min(LONGEST_NAME)]).to_lowercase();
        let hook = self.first(self.of(name.as_bytes()), std::iter::empty)?;
        Some(Box::new(Question { hook, name: Cow::Owned(name), keys: SmallVec::new() }))
    }

    /// Those that are interested in a command of this name.
    fn of(&self, name: &[u8]) -> u64 {
        self.any | self.named.get(name).copied().unwrap_or(0)
    }

    /// The first of these that is interested in one of the keys.
    fn first<'k, K: Iterator<Item = &'k [u8]>>(
        &self,
        mut asked: u64,
        keys: impl Fn() -> K,
    ) -> Option<usize> {
        while asked != 0 {
            let at = asked.trailing_zeros() as usize;
            let prefixes = &self.interests[at].prefixes;
            let begins = |key: &[u8]| prefixes.iter().any(|prefix| key.starts_with(prefix));
            if prefixes.is_empty() || keys().any(begins) {
                return Some(at);
            }
            asked &= asked - 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Hooks, Interest};
    use crate::catalog;
    use breakwater_resp::{RequestParser, write_request};

    fn interest(commands: &str, prefixes: &str) -> Interest {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let prefixes = list(prefixes).into_iter().map(String::into_bytes).collect();
        Interest { commands: list(commands), prefixes }
    }

    /// Which of the hooks is asked about a request, and the places of its keys.
    fn asked(hooks: &Hooks, request: &str) -> Option<(usize, Vec<usize>)> {
        let (mut bytes, mut parser) = (vec![], RequestParser::default());
        write_request(&mut bytes, &request.split(' ').collect::<Vec<_>>());
        parser.parse(&bytes, true);
        let args = parser.args(&bytes);
        let question = hooks.question(catalog::find(args), args)?;
        Some((question.hook, question.keys.to_vec()))
    }

    #[test]
    fn the_first_that_is_interested_is_asked() {
        let interests = vec![
            interest("get mget", "user: team:"),
            interest("config|set acl", ""),
            interest("", "secret:"),
            interest("get ft.search", ""),
        ];
        let hooks = Hooks::new(interests, false);
        for (request, expected) in [
            ("GET user:1", Some((0, vec![1]))),
            ("get team:1", Some((0, vec![1]))),
            ("GET secret:1", Some((2, vec![1]))),
            ("GET other", Some((3, vec![1]))),
            ("MGET other user:1", Some((0, vec![1, 2]))),
            ("MGET other", None),
            ("SET secret:1 x", Some((2, vec![1]))),
            ("SET user:1 x", None),
            ("CONFIG SET a b", Some((1, vec![]))),
            ("CONFIG GET a", None),
            ("ACL WHOAMI", Some((1, vec![]))),
            ("FT.SEARCH index", Some((3, vec![]))),
            ("GET", Some((3, vec![]))),
        ] {
            assert_eq!(asked(&hooks, request), expected, "{request}");
        }
        assert!(hooks.concern_get(b"user:1") && hooks.concern_get(b"other"));
        assert!(!Hooks::new(vec![interest("get", "user:")], false).concern_get(b"other"));
    }

    #[test]
    fn no_hook_is_told_a_password() {
        let hooks = Hooks::new(vec![interest("", ""), interest("auth hello", "")], true);
        for request in ["AUTH secret", "HELLO 3 AUTH default secret"] {
            assert_eq!(asked(&hooks, request), None, "{request}");
        }
        assert!(asked(&hooks, "PING").is_some());
    }
}

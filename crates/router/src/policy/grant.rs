//! What a user may do by the rules of an access control list: which commands, on which keys, in which
//! channels.

use super::commands::CommandRules;
use super::patterns::{ChannelPatterns, KeyPatterns};
use crate::catalog::{Access, Known};
use crate::failure::Failure;
use breakwater_resp::Args;

/// What some rules permit; nothing, before the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) commands: CommandRules,
    pub(crate) keys: KeyPatterns,
    pub(crate) channels: ChannelPatterns,
}

/// Why a request is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The command itself.
    Command,
    /// A key: the word at this place, or keys that it does not name.
    Key(Option<usize>),
    /// The channel at this place.
    Channel(usize),
    /// An option of `SORT`, which reads keys that it does not name.
    Option(&'static str),
}

impl Denial {
    /// As a reply to the request.
    pub(crate) fn failure(self, known: &Known) -> Failure {
        Failure::new(match self {
            Self::Command => {
                format!("NOPERM this user has no permissions to run the '{}' command", known.name)
            }
            Self::Key(_) => {
                "NOPERM this user has no permissions to access one of the keys used as \
                             arguments"
                    .into()
            }
            Self::Channel(_) => {
                "NOPERM this user has no permissions to access one of the channels \
                                 used as arguments"
                    .into()
            }
            Self::Option(name) => {
                format!("ERR {name} option of SORT denied due to insufficient ACL permissions")
            }
        })
    }
}

impl Grant {
    /// Whether a request may be made.
    pub(crate) fn judge(&self, known: &Known, args: Args<'_>) -> Result<(), Denial> {
        // Who is not known yet has to be able to say who it is, and to leave.
        let exempt = matches!(&*known.name, "auth" | "hello" | "quit" | "reset");
        if !exempt && !self.commands.allow(known) {
            return Err(Denial::Command);
        }
        let reach = known.reach();
        if !reach.is_empty() && !self.keys.allow_all(reach) {
            return Err(Denial::Key(None));
        }
        let mut denied = None;
        known.each_access(args, |place, access| {
            if denied.is_none() && !self.keys.allow(args.word(place), access) {
                denied = Some(Denial::Key(Some(place)));
            }
        });
        let (mut places, patterns) = known.channels(args.len());
        let channel = places.find(|at| !self.channels.allow(args.word(*at), patterns));
        denied
            .or(channel.map(Denial::Channel))
            .or(self.judge_others(known, args))
            .map_or(Ok(()), Err)
    }

    /// What reads keys by other words than their names.
    fn judge_others(&self, known: &Known, args: Args<'_>) -> Option<Denial> {
        match &*known.name {
            "sort" | "sort_ro" if !self.keys.allow_all(Access::READ) => sort_option(args),
            "client|tracking" => {
                let reads_all = self.keys.allow_all(Access::READ);
                let broadcasts = (3..args.len()).any(|at| args.is(at, "bcast"));
                let mut prefixes = (3..args.len()).filter(|at| args.is(*at, "prefix"));
                let all = prefixes.clone().next().is_none();
                let hidden = prefixes.find(|at| {
                    !args.get(at + 1).is_some_and(|prefix| self.keys.reads_prefix(prefix))
                });
                let denied = broadcasts && !reads_all && (all || hidden.is_some());
                denied.then(|| Denial::Key(hidden.map(|at| at + 1)))
            }
            _ => None,
        }
    }

    /// Whether a key may be read by `GET`.
    #[inline]
    pub(crate) fn gets(&self, key: &[u8]) -> bool {
        self.commands.allow_get() && self.keys.allow(key, Access::READ)
    }

    /// Whether everything may be done.
    pub(crate) fn is_all(&self) -> bool {
        self.commands.is_all() && self.keys.allow_all(Access::all()) && self.channels.is_all()
    }

    /// Whether nothing that `other` permits is lost.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.commands.cover(&other.commands)
            && self.keys.cover(&other.keys)
            && self.channels.cover(&other.channels)
    }
}

/// The first option of `SORT` that reads keys which it does not name.
fn sort_option(args: Args<'_>) -> Option<Denial> {
    let mut at = 2;
    while at + 1 < args.len() {
        at += match () {
            () if args.is(at, "limit") => 3,
            () if args.is(at, "store") => 2,
            () if args.is(at, "by") && args.word(at + 1).contains(&b'*') => {
                return Some(Denial::Option("BY"));
            }
            () if args.is(at, "by") => 2,
            () if args.is(at, "get") => return Some(Denial::Option("GET")),
            () => 1,
        };
    }
    None
}

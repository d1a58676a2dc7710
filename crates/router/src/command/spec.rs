//! What is known of a command besides how it runs.

use super::call::Call;
use crate::catalog::Permissions;
use crate::failure::{Failure, unknown_part};
use crate::sight::CommandClass;
use breakwater_resp::{Args, number};

/// Properties and categories of commands, one bit each.
pub(super) mod flag {
    pub(crate) const WRITE: u32 = 1;
    pub(crate) const READONLY: u32 = 1 << 1;
    pub(crate) const DENYOOM: u32 = 1 << 2;
    pub(crate) const ADMIN: u32 = 1 << 3;
    pub(crate) const NOSCRIPT: u32 = 1 << 4;
    pub(crate) const LOADING: u32 = 1 << 5;
    pub(crate) const STALE: u32 = 1 << 6;
    pub(crate) const FAST: u32 = 1 << 7;
    pub(crate) const NO_AUTH: u32 = 1 << 8;
    pub(crate) const ALLOW_BUSY: u32 = 1 << 9;
    pub(crate) const PUBSUB: u32 = 1 << 10;
    // Categories that no property implies.
    pub(crate) const KEYSPACE: u32 = 1 << 16;
    pub(crate) const STRING: u32 = 1 << 17;
    pub(crate) const DANGEROUS: u32 = 1 << 18;
    pub(crate) const CONNECTION: u32 = 1 << 19;
    /// It tells of the names of keys, or of messages: a user needs to be allowed to read.
    pub(crate) const TELLS: u32 = 1 << 24;
    /// It may be sent by a client of RESP2 that subscribes to something.
    pub(crate) const SUBSCRIBED: u32 = 1 << 25;

    /// The properties' names, in the order in which they are listed.
    pub(crate) const NAMES: [(u32, &str); 11] = [
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (ALLOW_BUSY, "allow_busy"),
    ];
}

pub(super) type Handler = fn(&mut Call<'_>) -> Result<(), Failure>;

/// Where keys stand among the words, and what is done to them.
pub(super) struct KeySpec {
    /// The first one.
    pub(super) first: usize,
    /// The last one, counted from the first, or from the end if negative.
    pub(super) last: i64,
    pub(super) step: usize,
    /// Whether the word at `first` says how many there are, which follow it.
    pub(super) counted: bool,
    pub(super) flags: &'static [&'static str],
}

impl KeySpec {
    pub(super) const fn one(first: usize, flags: &'static [&'static str]) -> Self {
        Self { first, last: 0, step: 1, counted: false, flags }
    }

    /// As many as the word at `first` says, behind it.
    pub(super) const fn counted(first: usize, flags: &'static [&'static str]) -> Self {
        Self { first, last: 0, step: 1, counted: true, flags }
    }

    /// All words, every `step`th of them.
    pub(super) const fn all(step: usize, flags: &'static [&'static str]) -> Self {
        Self { first: 1, last: -1, step, counted: false, flags }
    }
}

/// A command or a subcommand.
pub(super) struct Command {
    /// In lower case; a subcommand's begins with its command's name and a bar.
    pub(super) name: &'static str,
    /// How many words it has, its name included; if negative, at least so many.
    pub(super) arity: i32,
    pub(super) flags: u32,
    pub(super) run: Handler,
    pub(super) keys: &'static [KeySpec],
    pub(super) tips: &'static [&'static str],
    pub(super) subcommands: &'static [Command],
    pub(super) group: &'static str,
    pub(super) since: &'static str,
    pub(super) summary: &'static str,
}

impl Command {
    /// Of which class it is, as far as latencies are told apart.
    #[inline]
    pub(super) fn class(&self) -> CommandClass {
        match self.flags & (flag::READONLY | flag::WRITE) {
            flag::READONLY => CommandClass::Read,
            0 => CommandClass::Other,
            _ => CommandClass::Write,
        }
    }

    pub(super) const fn new(name: &'static str, arity: i32, flags: u32, run: Handler) -> Self {
        Self {
            name,
            arity,
            flags,
            run,
            keys: &[],
            tips: &[],
            subcommands: &[],
            group: "",
            since: "",
            summary: "",
        }
    }

    pub(super) const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.keys = keys;
        self
    }

    pub(super) const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    pub(super) const fn subcommands(mut self, subcommands: &'static [Command]) -> Self {
        self.subcommands = subcommands;
        self
    }

    /// For people: its group, the Redis version that had it first, what it does.
    pub(super) const fn about(
        mut self,
        group: &'static str,
        since: &'static str,
        summary: &'static str,
    ) -> Self {
        (self.group, self.since, self.summary) = (group, since, summary);
        self
    }

    /// Whether it can have so many words.
    #[inline]
    pub(super) fn takes(&self, words: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= arity } else { words == arity }
    }

    /// The subcommand that the second word names.
    pub(super) fn subcommand(&self, args: Args<'_>) -> Result<&'static Command, Failure> {
        let name = args.word(1);
        let found = self
            .subcommands
            .iter()
            .find(|command| command.short_name().as_bytes().eq_ignore_ascii_case(name));
        found.ok_or_else(|| unknown_part(self.name, name))
    }

    /// A subcommand's name without its command's.
    pub(super) fn short_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, name)| name)
    }

    /// What a user needs to run it.
    #[inline]
    pub(super) fn permissions(&self) -> Permissions {
        let is = |flags: u32| self.flags & flags == flags;
        let mut needed = Permissions::empty();
        needed.set(Permissions::READ, is(flag::READONLY) || is(flag::TELLS));
        needed.set(Permissions::WRITE, is(flag::WRITE));
        let flushes = is(flag::WRITE | flag::DANGEROUS);
        needed.set(Permissions::ADMIN, is(flag::ADMIN) || flushes);
        needed
    }

    /// The names of its properties.
    pub(super) fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        flag::NAMES.iter().filter(|(bit, _)| self.flags & bit != 0).map(|(_, name)| *name)
    }

    /// Its categories, as access control lists name them.
    pub(super) fn categories(&self) -> Vec<&'static str> {
        let has = |bit: u32| self.flags & bit != 0;
        [
            (has(flag::KEYSPACE), "@keyspace"),
            (has(flag::READONLY), "@read"),
            (has(flag::WRITE), "@write"),
            (has(flag::STRING), "@string"),
            (has(flag::PUBSUB), "@pubsub"),
            (has(flag::ADMIN), "@admin"),
            (has(flag::FAST), "@fast"),
            (!has(flag::FAST), "@slow"),
            (has(flag::DANGEROUS) || has(flag::ADMIN), "@dangerous"),
            (has(flag::CONNECTION), "@connection"),
        ]
        .into_iter()
        .filter_map(|(applies, name)| applies.then_some(name))
        .collect()
    }

    /// The places of the first and last key and the step between, as older clients ask for them.
    pub(super) fn key_range(&self) -> (i64, i64, i64) {
        let (Some(first), Some(last)) = (self.keys.first(), self.keys.last()) else {
            return (0, 0, 0);
        };
        if first.counted {
            return (0, 0, 0);
        }
        let end = if last.last < 0 { last.last } else { last.first as i64 + last.last };
        (first.first as i64, end, first.step as i64)
    }

    /// The places of the keys in a command.
    pub(super) fn key_places(&self, args: Args<'_>) -> Vec<usize> {
        let mut places = vec![];
        for keys in self.keys {
            let (first, last) = match keys.last {
                _ if keys.counted => {
                    let count = number::integer(args.word(keys.first)).unwrap_or(0);
                    (keys.first + 1, (keys.first as i64).saturating_add(count))
                }
                last if last < 0 => (keys.first, args.len() as i64 + last),
                last => (keys.first, keys.first as i64 + last),
            };
            let last = last.clamp(0, args.len() as i64 - 1) as usize;
            places.extend((first..=last).step_by(keys.step));
        }
        places
    }
}

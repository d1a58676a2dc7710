//! One command: its row of the table, and what follows from it.

use super::class::{Class, Effect};
use super::permissions::Permissions;
use super::places::{self, Keys, Places};
use breakwater_resp::Args;
use std::borrow::Cow;

/// A command of the store, or a part of one, as `xgroup|create`.
#[derive(Debug)]
pub struct Known {
    /// Its name, in lower case.
    pub name: Cow<'static, str>,
    /// How many words it has, its name included; at least so many, if negative.
    pub arity: i32,
    /// How the node treats it.
    pub class: Class,
    /// What a user needs to run it.
    pub permissions: Permissions,
    /// Whether its reply depends on the values of its keys and on nothing else, so that it may be
    /// kept until one of them changes.
    pub cacheable: bool,
    /// Whether its replies have the same bytes in both protocols, unless there is no value.
    pub alike: bool,
    pub(super) keys: Cow<'static, [Keys]>,
    /// Whether it is nothing but the names of its parts.
    pub(super) parted: bool,
}

impl Known {
    /// A command of the embedded store alone: behind the first word stands the number of its keys, then
    /// they do, which it `changes` or reads.
    pub(crate) fn counted(name: &'static str, arity: i32, changes: bool) -> Self {
        let (class, permissions) = match changes {
            true => (Class::Write, Permissions::WRITE),
            false => (Class::Read, Permissions::READ),
        };
        let keys = vec![Keys::new(Places::Counted(1, 1), changes)].into();
        let (cacheable, alike, parted) = (false, false, false);
        Self { name: name.into(), arity, class, permissions, cacheable, alike, keys, parted }
    }

    /// Whether it ends a script that its server is busy with, or tells of it: what a busy server
    /// answers.
    pub fn interrupts(&self) -> bool {
        matches!(&*self.name, "script|kill" | "function|kill" | "function|stats")
    }

    /// Whether it can have so many words.
    pub fn takes(&self, words: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= arity } else { words == arity }
    }

    /// Whether the second word should name a part of it, and names none.
    pub fn misses_part(&self, args: Args<'_>) -> bool {
        self.parted && args.len() > 1
    }

    /// Whether it has one key, which is its first word.
    pub fn has_one_key(&self) -> bool {
        matches!(&*self.keys, [keys] if keys.is_first_word())
    }

    /// Tells of the place of each key, and whether the command may change it.
    pub fn each_key(&self, args: Args<'_>, mut tell: impl FnMut(usize, bool)) {
        for keys in self.keys.iter() {
            keys.each(args, |place| tell(place, keys.changes));
        }
    }

    /// The places of its keys.
    pub fn key_places(&self, args: Args<'_>) -> Vec<usize> {
        let mut places = vec![];
        self.each_key(args, |place, _| places.push(place));
        places
    }

    /// Its keys.
    pub(crate) fn keys_of<'a>(&self, args: Args<'a>) -> Vec<&'a [u8]> {
        self.key_places(args).into_iter().filter_map(|place| args.get(place)).collect()
    }

    /// What it changes.
    pub fn effect(&self, args: Args<'_>) -> Effect {
        match self.class {
            Class::Scope => return Effect::Everything,
            Class::Write | Class::Script | Class::Blocks | Class::MayBlock => {}
            _ => return Effect::Nothing,
        }
        let mut places = vec![];
        self.each_key(args, |place, changes| places.extend(changes.then_some(place)));
        match (places.is_empty(), self.class) {
            (false, _) => Effect::Keys(places),
            (true, Class::Script) => Effect::Everything,
            (true, _) => Effect::Nothing,
        }
    }

    /// Whether it may wait for its keys.
    pub fn blocks(&self, args: Args<'_>) -> bool {
        match self.class {
            Class::Blocks => true,
            Class::MayBlock => places::blocks(args),
            _ => false,
        }
    }
}

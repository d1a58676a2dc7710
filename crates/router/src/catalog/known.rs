//! One command: its row of the table, and what follows from it.

use super::class::{Class, Effect};
use super::places::{self, Keys};
use super::rows;
use crate::policy::Permissions;
use breakwater_resp::Args;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A command of the store, or a part of one, as `xgroup|create`.
#[derive(Debug)]
pub struct Known {
    /// Its name, in lower case.
    pub name: &'static str,
    /// How many words it has, its name included; at least so many, if negative.
    pub arity: i32,
    /// How the node treats it.
    pub class: Class,
    /// What a user needs to run it.
    pub permissions: Permissions,
    /// Whether its reply depends on the values of its keys and on nothing else, so that it may be
    /// kept until one of them changes.
    pub cacheable: bool,
    pub(super) keys: &'static [Keys],
}

impl Known {
    /// Whether it can have so many words.
    pub fn takes(&self, words: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= arity } else { words == arity }
    }

    /// Tells of the place of each key, and whether the command may change it.
    pub fn each_key(&self, args: Args<'_>, mut tell: impl FnMut(usize, bool)) {
        for keys in self.keys {
            keys.each(args, |place| tell(place, keys.changes));
        }
    }

    /// The places of its keys.
    pub fn key_places(&self, args: Args<'_>) -> Vec<usize> {
        let mut places = vec![];
        self.each_key(args, |place, _| places.push(place));
        places
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

/// The command that these words begin with, in any case; the part of it that the second word names,
/// if it has parts and that is one.
pub fn find(args: Args<'_>) -> Option<&'static Known> {
    let name = args.word(0);
    let command = lookup(&[name])?;
    if !PARTED.contains(command.name) {
        return Some(command);
    }
    Some(args.get(1).and_then(|part| lookup(&[name, b"|", part])).unwrap_or(command))
}

/// All commands and parts of commands.
pub fn known() -> impl Iterator<Item = &'static Known> {
    rows::ALL.iter().copied().flatten()
}

type Set<T> = std::collections::HashSet<T, FixedState>;

static TABLE: LazyLock<HashMap<&'static [u8], &'static Known, FixedState>> =
    LazyLock::new(|| known().map(|known| (known.name.as_bytes(), known)).collect());

/// The commands that have parts.
static PARTED: LazyLock<Set<&'static str>> = LazyLock::new(|| {
    known().filter_map(|known| known.name.split_once('|')).map(|(name, _)| name).collect()
});

fn lookup(pieces: &[&[u8]]) -> Option<&'static Known> {
    let mut lower = [0; 40];
    let mut len = 0;
    for piece in pieces {
        lower.get_mut(len..len + piece.len())?.copy_from_slice(piece);
        len += piece.len();
    }
    let lower = &mut lower[..len];
    lower.make_ascii_lowercase();
    TABLE.get(&*lower).copied()
}

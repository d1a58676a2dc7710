//! Finding a command by its words.

use super::class::Class;
use super::known::Known;
use super::rows;
use breakwater_resp::Args;
use foldhash::fast::FixedState;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The command that these words begin with, in any case; the part of it that the second word names,
/// if it has parts and that is one.
pub fn find(args: Args<'_>) -> Option<&'static Known> {
    let name = args.word(0);
    let command = lookup(&[name])?;
    if !command.parted {
        return Some(command);
    }
    Some(args.get(1).and_then(|part| lookup(&[name, b"|", part])).unwrap_or(command))
}

/// The command of this name, in any case.
pub(crate) fn named(name: &[u8]) -> Option<&'static Known> {
    lookup(&[name])
}

/// Whether these words begin or end subscriptions.
pub(crate) fn subscribes(args: Args<'_>) -> bool {
    find(args).is_some_and(|known| known.class == Class::Subscribes)
}

/// The name of the command that these words are, if they are any.
pub(crate) fn name_of(known: Option<&Known>, args: Args<'_>) -> Cow<'static, str> {
    let named = known.filter(|known| !known.misses_part(args));
    named.map_or(Cow::Borrowed(""), |known| known.name.clone())
}

/// All commands and parts of commands.
pub fn known() -> impl Iterator<Item = &'static Known> {
    rows::ALL.iter().copied().flatten()
}

static TABLE: LazyLock<HashMap<&'static [u8], &'static Known, FixedState>> =
    LazyLock::new(|| known().map(|known| (known.name.as_bytes(), known)).collect());

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

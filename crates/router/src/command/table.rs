//! All commands, by name.

use super::introspect;
use super::spec::Command;
use crate::catalog::{self, Known, Permissions};
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::sync::LazyLock;

static TABLE: LazyLock<HashMap<u128, &'static Command, FixedState>> = LazyLock::new(|| {
    let named = introspect::all().map(|command| Some((pack(command.name.as_bytes())?, command)));
    named.flatten().collect()
});

/// Commands that no other store has.
static OWN: LazyLock<HashMap<&'static str, Known, FixedState>> = LazyLock::new(|| {
    let own = introspect::all().filter(|command| catalog::named(command.name.as_bytes()).is_none());
    let known = |command: &Command| {
        let changes = command.permissions().contains(Permissions::WRITE);
        (command.name, Known::counted(command.name, command.arity, changes))
    };
    own.map(known).collect()
});

/// What the rules of users are held against.
pub(super) fn known(command: &Command) -> &'static Known {
    let found = catalog::named(command.name.as_bytes());
    found.unwrap_or_else(|| &OWN[command.name])
}

/// A name in any case as one number: fifteen bytes and the length, so that no two names collide.
#[inline]
fn pack(name: &[u8]) -> Option<u128> {
    let mut packed = [0u8; 16];
    packed[15] = name.len() as u8;
    packed.get_mut(..name.len()).filter(|bytes| bytes.len() < 16)?.copy_from_slice(name);
    packed[..15].make_ascii_lowercase();
    Some(u128::from_le_bytes(packed))
}

/// The command of this name, in any case.
#[inline]
pub(super) fn find(name: &[u8]) -> Option<&'static Command> {
    TABLE.get(&pack(name)?).copied()
}

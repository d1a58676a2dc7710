//! All commands, by name.

use super::introspect;
use super::spec::Command;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::sync::LazyLock;

static TABLE: LazyLock<HashMap<u128, &'static Command, FixedState>> = LazyLock::new(|| {
    let named = introspect::all().map(|command| Some((pack(command.name.as_bytes())?, command)));
    named.flatten().collect()
});

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

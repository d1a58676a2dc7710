//! What a request does to keys.

use super::pending::Scope;
use crate::cache::KeyList;

/// What a request changes.
#[derive(Default)]
pub(crate) enum Changes {
    #[default]
    Nothing,
    Keys(KeyList),
    Everything,
}

impl Changes {
    /// Whether it changes no key.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Adds others.
    pub(super) fn merge(&mut self, others: Self) {
        match (&mut *self, others) {
            (Self::Everything, _) | (_, Self::Nothing) => {}
            (Self::Keys(keys), Self::Keys(more)) => more.iter().for_each(|key| keys.push(key)),
            (_, others) => *self = others,
        }
    }

    /// The keys that they concern.
    pub(super) fn scope(&self) -> Scope {
        match self {
            Self::Nothing => Scope::Nothing,
            Self::Keys(keys) => Scope::of(keys.iter()),
            Self::Everything => Scope::All,
        }
    }
}

//! Patterns of keys and channels, as `~user:*`, `%R~shared:*` and `&news:*`.

use crate::catalog::Access;
use crate::glob;
use std::fmt::Write;

/// How something begins. A key is held against it by one word, which is asked for every hit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prefix {
    /// Its first bytes, and which bits of a word they have.
    head: u64,
    mask: u64,
    all: Box<[u8]>,
}

impl Prefix {
    const WORD: usize = size_of::<u64>();

    fn new(all: &[u8]) -> Self {
        let (mut head, mut mask) = ([0; Self::WORD], [0; Self::WORD]);
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(all) {
            (*head, *mask) = (*byte, u8::MAX);
        }
        let (head, mask) = (u64::from_ne_bytes(head), u64::from_ne_bytes(mask));
        Self { head, mask, all: all.into() }
    }

    /// Whether this text begins so.
    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(word) => {
                u64::from_ne_bytes(*word) & self.mask == self.head
                    && (self.all.len() <= Self::WORD || text.starts_with(&self.all))
            }
            None => text.starts_with(&self.all),
        }
    }
}

/// What a pattern matches, found out once.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// Anything.
    All,
    /// What begins so: the usual pattern, one comparison a key.
    Prefix(Prefix),
    /// Any other pattern.
    Glob(Box<[u8]>),
}

impl Shape {
    fn of(pattern: &str) -> Self {
        let bytes = pattern.as_bytes();
        let plain = |part: &[u8]| !part.iter().any(|byte| b"*?[\\".contains(byte));
        match bytes {
            b"*" => Self::All,
            [head @ .., b'*'] if plain(head) => Self::Prefix(Prefix::new(head)),
            _ => Self::Glob(bytes.into()),
        }
    }

    #[inline]
    fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => prefix.begins(text),
            Self::Glob(pattern) => glob::matches(pattern, text, false),
        }
    }
}

/// A pattern of keys, and what may be done to those that it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyPattern {
    text: String,
    shape: Shape,
    access: Access,
}

/// The keys that a user may use: those that one of the patterns matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyPatterns(Vec<KeyPattern>);

impl KeyPatterns {
    /// Adds a pattern; what was permitted for the same one before stays.
    pub(super) fn add(&mut self, pattern: &str, access: Access) {
        match self.0.iter_mut().find(|known| known.text == pattern) {
            Some(known) => known.access |= access,
            None => {
                let (text, shape) = (pattern.to_owned(), Shape::of(pattern));
                self.0.push(KeyPattern { text, shape, access });
            }
        }
    }

    /// Whether one pattern permits that for a key.
    #[inline]
    pub(crate) fn allow(&self, key: &[u8], access: Access) -> bool {
        self.0.iter().any(|one| one.access.contains(access) && one.shape.matches(key))
    }

    /// Whether that is permitted for all keys.
    pub(crate) fn allow_all(&self, access: Access) -> bool {
        self.0.iter().any(|one| one.access.contains(access) && one.shape == Shape::All)
    }

    /// Whether all keys that begin so may be read.
    pub(crate) fn reads_prefix(&self, begin: &[u8]) -> bool {
        self.0.iter().any(|one| {
            one.access.contains(Access::READ)
                && match &one.shape {
                    Shape::All => true,
                    Shape::Prefix(prefix) => prefix.begins(begin),
                    Shape::Glob(_) => false,
                }
        })
    }

    /// Whether nothing that `other` permits is lost.
    pub(super) fn cover(&self, other: &Self) -> bool {
        self.allow_all(Access::all())
            || other.0.iter().all(|one| {
                self.0.iter().any(|own| own.text == one.text && own.access.contains(one.access))
            })
    }

    /// As rules.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        for one in &self.0 {
            let sign = match one.access {
                Access::READ => "%R~",
                Access::WRITE => "%W~",
                _ => "~",
            };
            let _ = write!(text, "{}{sign}{}", if text.is_empty() { "" } else { " " }, one.text);
        }
        text
    }
}

/// The channels that a user may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelPatterns(Vec<(String, Shape)>);

impl ChannelPatterns {
    pub(super) fn add(&mut self, pattern: &str) {
        if !self.0.iter().any(|(text, _)| text == pattern) {
            self.0.push((pattern.to_owned(), Shape::of(pattern)));
        }
    }

    /// Whether a channel may be used. To subscribe to a pattern is permitted where it is one of these
    /// itself, byte for byte.
    pub(crate) fn allow(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.0.iter().any(|(text, shape)| match is_pattern {
            true => *shape == Shape::All || text.as_bytes() == channel,
            false => shape.matches(channel),
        })
    }

    /// Whether nothing that `other` permits is lost.
    pub(super) fn cover(&self, other: &Self) -> bool {
        self.is_all() || other.0.iter().all(|one| self.0.contains(one))
    }

    pub(super) fn is_all(&self) -> bool {
        self.0.iter().any(|(_, shape)| *shape == Shape::All)
    }

    /// As rules.
    pub(crate) fn describe(&self) -> String {
        let all: Vec<_> = self.0.iter().map(|(text, _)| format!("&{text}")).collect();
        all.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::Prefix;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_prefix_is_found_as_byte_by_byte(
            prefix in prop::collection::vec(97u8..99, 0..12),
            text in prop::collection::vec(97u8..99, 0..14),
        ) {
            prop_assert_eq!(Prefix::new(&prefix).begins(&text), text.starts_with(&prefix));
            let longer = [&prefix[..], &text[..]].concat();
            prop_assert!(Prefix::new(&prefix).begins(&longer));
        }
    }
}

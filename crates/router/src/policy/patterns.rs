//! Patterns of keys and channels, as `~user:*`, `%R~shared:*` and `&news:*`.

use crate::catalog::Access;
use crate::glob;
use std::fmt::Write;

/// What a pattern matches, found out once.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// Anything.
    All,
    /// What begins so: the usual pattern, one comparison a key.
    Prefix(Box<[u8]>),
    /// Any other pattern.
    Glob(Box<[u8]>),
}

impl Shape {
    fn of(pattern: &str) -> Self {
        let bytes = pattern.as_bytes();
        let plain = |part: &[u8]| !part.iter().any(|byte| b"*?[\\".contains(byte));
        match bytes {
            b"*" => Self::All,
            [head @ .., b'*'] if plain(head) => Self::Prefix(head.into()),
            _ => Self::Glob(bytes.into()),
        }
    }

    #[inline]
    fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => text.starts_with(prefix),
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
                    Shape::Prefix(prefix) => begin.starts_with(prefix),
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

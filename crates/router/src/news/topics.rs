//! What clients subscribe to: channels, patterns of channels, and channels of shards.

use std::collections::BTreeSet;

/// A kind of subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Channel,
    Pattern,
    Shard,
}

impl Kind {
    /// The kind that a command is about, and whether it begins subscriptions.
    pub(crate) fn of(command: &str) -> (Self, bool) {
        match command {
            "psubscribe" => (Self::Pattern, true),
            "punsubscribe" => (Self::Pattern, false),
            "ssubscribe" => (Self::Shard, true),
            "sunsubscribe" => (Self::Shard, false),
            "unsubscribe" => (Self::Channel, false),
            _ => (Self::Channel, true),
        }
    }

    /// The commands that begin and end such subscriptions.
    pub(crate) fn commands(self) -> (&'static str, &'static str) {
        match self {
            Self::Channel => ("subscribe", "unsubscribe"),
            Self::Pattern => ("psubscribe", "punsubscribe"),
            Self::Shard => ("ssubscribe", "sunsubscribe"),
        }
    }

    /// The kind whose messages a push of this name brings.
    pub(crate) fn of_message(name: &[u8]) -> Option<Self> {
        match name {
            b"message" => Some(Self::Channel),
            b"pmessage" => Some(Self::Pattern),
            b"smessage" => Some(Self::Shard),
            _ => None,
        }
    }
}

/// Something that can be subscribed to.
pub(crate) type Topic = (Kind, Vec<u8>);

/// What one client subscribes to.
#[derive(Default)]
pub(crate) struct Topics(BTreeSet<Topic>);

impl Topics {
    /// Adds a topic; whether it is a new one.
    pub(crate) fn add(&mut self, topic: Topic) -> bool {
        self.0.insert(topic)
    }

    /// Takes a topic out; whether it was in.
    pub(crate) fn remove(&mut self, topic: &Topic) -> bool {
        self.0.remove(topic)
    }

    /// Whether a topic is in.
    pub(crate) fn contains(&self, topic: &Topic) -> bool {
        self.0.contains(topic)
    }

    /// How many a client is told that it has: those of shards are counted apart.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        let alike = |other: Kind| (kind == Kind::Shard) == (other == Kind::Shard);
        self.0.iter().filter(|(other, _)| alike(*other)).count()
    }

    /// How many there are of each kind: channels, patterns, channels of shards.
    pub(crate) fn counts(&self) -> [u32; 3] {
        let mut counts = [0; 3];
        self.0.iter().for_each(|(kind, _)| counts[*kind as usize] += 1);
        counts
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of one kind.
    pub(crate) fn of(&self, kind: Kind) -> Vec<Topic> {
        self.0.iter().filter(|(other, _)| *other == kind).cloned().collect()
    }

    /// Takes out all.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Topic> + use<> {
        std::mem::take(&mut self.0).into_iter()
    }
}

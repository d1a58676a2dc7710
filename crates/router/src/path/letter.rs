//! What the relays of several threads tell each other: of reads that they share, and of what one of
//! them hears for all.

use super::pending::LinkId;
use crate::news::Topic;
use crate::shared::ClientId;
use breakwater_engine::Lease;
use breakwater_resp::Kind;
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};

/// A letter to the relay of another thread.
pub struct Letter {
    /// The number of the relay that it is for: see [`Relay::number`](crate::Relay::number).
    pub to: u64,
    pub(super) word: Word,
}

impl Letter {
    /// The connections to the store that go with it, by the numbers that they have at its writer: the
    /// driver hands their sockets over as well.
    pub fn connections(&self) -> &[LinkId] {
        match &self.word {
            Word::Ears { numbers, .. } | Word::Legacy { numbers, .. } => numbers,
            _ => &[],
        }
    }
}

/// What it says.
pub(super) enum Word {
    /// The store's reply to the read of a flight, in RESP3, whether it tells of changes, and how many
    /// reads have waited for it in other threads.
    Reply { flight: u64, kind: Kind, bytes: Arc<[u8]>, tracked: bool, crowd: Arc<AtomicU64> },
    /// There is none, for this reason.
    Failed { flight: u64, why: Arc<str> },
    /// Who asked the store is gone: ask in its place.
    Lead(Lease),
    /// To who hears: subscribe, and say when that stands.
    Listen(Box<Listen>),
    /// To who hears: this thread subscribes to these no more.
    Unlisten { thread: u64, topics: Vec<Topic> },
    /// To who hears: this thread is gone.
    Gone(u64),
    /// From who hears: what was asked for stands, or is refused by this error.
    Stands { ask: u64, refusal: Option<Arc<[u8]>> },
    /// From who hears: a message, in RESP3.
    Message { topic: Arc<Topic>, bytes: Arc<[u8]> },
    /// To who hears: hear all that anybody is to be told of, and say when that stands.
    Feed { thread: u64, ask: u64 },
    /// News of changes for a client.
    News { client: ClientId, bytes: Arc<[u8]>, redirected: bool },
    /// Whoever was paused goes on.
    Unpaused,
    /// From who hears: messages to these topics may have been lost, which are not subscribed to any
    /// more; to all, if it names none.
    Deaf(Option<Vec<Topic>>),
    /// From who heard, and ends: hear in its place, over connections that had these numbers there.
    /// What goes with them is known to relays alone.
    Ears { numbers: Vec<LinkId>, ears: Box<dyn Any + Send> },
    /// From a thread that ends: hear what the store tells of what it has read, over connections that had
    /// these numbers there.
    Legacy { numbers: Vec<LinkId>, legacy: Box<dyn Any + Send> },
    /// From who hears in its place: this one does.
    Moved(u64),
    /// To who hears: this is all that the thread subscribes to.
    Wants { thread: u64, topics: BTreeSet<Topic> },
}

/// What a thread wants to be heard for it.
pub(super) struct Listen {
    pub(super) thread: u64,
    /// What it knows this by.
    pub(super) ask: u64,
    /// Of one kind.
    pub(super) topics: Vec<Topic>,
    /// How many bytes of messages are on their way to it: it takes off what it has read.
    pub(super) load: Arc<AtomicUsize>,
}

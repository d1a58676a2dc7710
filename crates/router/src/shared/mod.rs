//! What all sessions of all threads share.

mod audit;
mod buffers;
mod clients;
mod copies;
mod ear;
mod heirs;
mod hot;
mod journal;
mod limits;
mod memory;
mod pause;
mod refusals;
mod refuse;
mod router;
mod rules;
mod seen;
mod tracked;

pub(crate) use crate::news::ClientId;
pub use audit::AuditKeys;
pub(crate) use audit::Noted;
pub use buffers::BufferCounts;
pub(crate) use buffers::ThreadBuffers;
pub(crate) use clients::{Client, Engagement};
pub use clients::{Peer, ShownClient};
pub(crate) use copies::{pack, unpack};
pub(crate) use ear::Left;
pub(crate) use hot::Heated;
pub use hot::HotKey;
pub(crate) use journal::{Ended, Ending};
pub use limits::Limits;
pub use memory::KnownKey;

pub use refusals::RefusalReason;
pub use router::{Counts, Options, Router, ServerCounts, TOO_MANY_CLIENTS};
pub(crate) use rules::Edition;
pub use rules::{Reloads, Rules};
pub(crate) use tracked::{Told, TrackedReads, Tracker};

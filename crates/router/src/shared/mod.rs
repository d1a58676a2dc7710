//! What all sessions of all threads share.

mod clients;
mod ear;
mod limits;
mod router;
mod rules;
mod tracked;

pub(crate) use crate::news::ClientId;
pub(crate) use clients::Client;
pub use clients::Peer;
pub use limits::Limits;
pub use router::{Counts, Options, Router, ServerCounts};
pub(crate) use rules::Edition;
pub use rules::{Reloads, Rules};
pub(crate) use tracked::{Told, Tracker};

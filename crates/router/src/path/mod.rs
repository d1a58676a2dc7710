//! What becomes of a request where a store stands behind the node. From the bottom up: `replies`
//! (in the order of their requests), `pending` (what may not overtake them), `changes` (what they do
//! to keys), `execution` and `transaction` (what a client queues, and what of it the node does itself),
//! `topics` and `tracking` (what it subscribes to, and tracks), `hold` (what it has a connection of its
//! own for), `course` (what a session and the relay tell each other), `letter` (what relays tell each
//! other), `relay` (one thread's requests on their way to the store and back).

use crate::catalog;

mod candidate;
mod changes;
mod course;
mod execution;
mod heat;
mod hold;
mod letter;
mod pending;
mod relay;
mod replies;
mod split;
mod tracking;
mod transaction;

pub(crate) use candidate::Candidate;
pub(crate) use course::{Course, Note, Request, Stand, Taken};
pub use course::{Delivery, Payload};
pub(crate) use execution::Piece;
pub use letter::Letter;
pub use pending::LinkId;
pub use relay::Relay;
pub(crate) use relay::as_message;

/// Whether replies to a command of this name, in lower case, can be remembered.
pub fn is_cacheable(name: &str) -> bool {
    catalog::known().any(|known| known.name == name && known.cacheable)
}

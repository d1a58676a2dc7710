//! What becomes of a request where a store stands behind the node. From the bottom up: `class` and
//! `table` (what a command does to keys), `replies` (in the order of their requests), `pending`
//! (what may not overtake them), `course` (what a session and the relay tell each other), `letter`
//! (what relays tell each other), `relay` (one thread's requests on their way to the
//! store and back).

mod class;
mod course;
mod letter;
mod pending;
mod relay;
mod replies;
mod table;

pub(crate) use course::{Course, Request, Taken};
pub use course::{Delivery, LinkId};
pub use letter::Letter;
pub use relay::Relay;

/// Whether replies to a command of this name, in lower case, can be remembered.
pub fn is_cacheable(name: &str) -> bool {
    table::find(name.as_bytes()).is_some_and(|known| known.name == name && known.cacheable())
}

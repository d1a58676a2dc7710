//! What becomes of a request where a store stands behind the node. From the bottom up: `replies`
//! (in the order of their requests), `transaction` and `topics` (what a client queues, and subscribes
//! to), `course` (what a session and the relay tell each other), `relay` (one thread's requests on
//! their way to the store and back).

mod course;
mod relay;
mod replies;
mod topics;
mod transaction;

pub(crate) use course::{Course, Note, Request, Taken};
pub use course::{Delivery, LinkId};
pub use relay::Relay;
pub(crate) use relay::as_message;

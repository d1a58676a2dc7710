//! What becomes of a request where a store stands behind the node. From the bottom up: `replies`
//! (in the order of their requests), `course` (what a session and the relay tell each other), `relay`
//! (one thread's requests on their way to the store and back).

mod course;
mod relay;
mod replies;

pub(crate) use course::{Course, Request, Taken};
pub use course::{Delivery, LinkId};
pub use relay::Relay;

//! What becomes of a request where a store stands behind the node. From the bottom up: `class` and
//! `table` (what a command does to keys), `replies` (in the order of their requests), `course` (what
//! a session and the relay tell each other), `relay` (one thread's requests on their way to the
//! store and back).

mod class;
mod course;
mod relay;
mod replies;
mod table;

pub(crate) use course::{Course, Request, Taken};
pub use course::{Delivery, LinkId};
pub use relay::Relay;

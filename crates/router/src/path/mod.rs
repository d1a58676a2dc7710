//! What becomes of a request where a store stands behind the node. From the bottom up: `class` and
//! `table` (what a command does to keys), `relay` (one thread's requests on their way to the store
//! and back).

mod class;
mod relay;
mod replies;
mod table;

pub(crate) use relay::{Course, Request, Taken};
pub use relay::{Delivery, LinkId, Relay};

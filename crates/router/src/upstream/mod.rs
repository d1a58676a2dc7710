//! Connections to the servers behind the node. They own no socket and no clock: a driver connects,
//! reads, writes and wakes them, and hears by [`Sink`] what came of it.

mod address;
mod back_off;
mod breaker;
mod connection;
mod greeting;
mod options;
mod phase;
mod waiters;

pub use address::StoreAddress;
pub(crate) use breaker::{Breaker, BreakerEffect, BreakerEvent, BreakerRules};
pub use connection::{Sink, Upstream};
pub use greeting::tells_of_state;
pub use options::UpstreamOptions;
pub use phase::Phase;
pub use waiters::{Busy, Lost};

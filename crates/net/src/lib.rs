//! The sockets of Breakwater's routing node.
//!
//! A [`Driver`] owns the connections of one thread and drives the sans-IO core
//! (`breakwater-router`): it accepts, reads, feeds, writes and closes. It has no thread and no loop
//! of its own. Its host, the event loop of a worker thread of Node.js or a loop in a test, watches
//! one descriptor ([`Driver::descriptor`]) and one time-out ([`Driver::timeout`]) and calls
//! [`Driver::turn`] when either is due.
//!
//! Drivers of one router in several threads form a [`Group`]: what one of them has to tell the
//! others, as the clients that `CLIENT KILL` ends, goes through it.

#![forbid(unsafe_code)]

mod arrival;
mod backlog;
mod channel;
mod client;
mod connection;
mod deadlines;
mod driver;
mod gate;
mod group;
mod links;
mod listener;
mod proxy;
mod reading;
mod room;
mod socket;
mod spare;
mod tls;

pub use driver::{Cost, Driver, Fault, Settings};
pub use group::{Group, PreparedTls};
#[cfg(unix)]
pub use listener::hang_up;
pub use listener::{Entrance, Listening};
pub use room::Room;
pub use tls::{ClientAuth, Identity, ServerTls, StoreTls, TlsError, connector, shown};

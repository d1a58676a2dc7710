//! The sans-IO core of Breakwater's routing node: bytes of a client in, bytes for the client out.
//!
//! It owns no socket and no clock. A driver accepts connections, opens a [`Session`] for each with
//! [`Router::connect`], hands it what it read with [`Session::feed`], writes what [`Output`] holds,
//! and does what [`Next`] says. One [`Router`] serves any number of threads.
//!
//! ```
//! use breakwater_engine::{Cache, Config};
//! use breakwater_router::{Options, Output, Peer, Router};
//! use std::sync::Arc;
//!
//! let cache = Arc::new(Cache::new(Config::default()).unwrap());
//! let router = Arc::new(Router::new(cache, Options::default(), 1_700_000_000_000));
//! let mut session = router.connect(Peer::default(), 1_700_000_000_000).unwrap();
//! let mut output = Output::default();
//! session.feed(b"SET boat moored\r\nGET boat\r\n", 1_700_000_000_000, &mut output);
//! assert_eq!(output.bytes, b"+OK\r\n$6\r\nmoored\r\n");
//! ```

#![forbid(unsafe_code)]

mod client;
mod command;
mod limits;
mod router;
mod session;
mod store;
mod users;

pub use client::{ClientId, Peer};
pub use limits::Limits;
pub use router::{Counts, Options, Router};
pub use session::{Next, Output, Session};
pub use users::{Permissions, User, Users};

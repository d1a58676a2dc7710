//! The cache engine of Breakwater: pure Rust, knows nothing of Node.js.
//!
//! (stub: final API over a plain map, while the engine is being written)

mod cache;
mod clock;
mod config;
mod entry;
mod flight;
mod hot;
mod key;

pub use cache::{Cache, Edit, PersistError, Reason, RemovalListener, Stats};
pub use clock::Clock;
pub use config::{Config, ConfigError, Error, Policy};
pub use entry::{EntryRef, Expiry, Value};
pub use flight::{FlightTable, Handover, Landing, Lease, Role};
pub use hot::{HotKey, HotKeys};
pub use key::{Key, KeyKind, MAX_KEY_LEN};

//! The cache engine of Breakwater: a sharded, lock-free hash table whose entries lie outside any
//! garbage-collected heap, bounded to the byte. Pure Rust; it knows nothing of Node.js.
//!
//! ```text
//! cache      reads, writes, room, upkeep, scans: what a user calls
//!   shard      index + policy + wheel + account + garbage
//!     index      lock-free hash table of words: pointer, tag, frequency
//!     policy     lru, lfu (S3-FIFO), auto, random: hints about who leaves
//!     wheel      hints about who has expired
//!     ledger     one byte budget, an account on it for each shard
//!     limbo      what was unlinked and may still be read
//!   entry      one allocation: header, key, value, note
//!   lane       what a thread has of a cache: replaced entries, bytes of the ledger
//!   spares     free blocks that a thread keeps for its next entries
//!   reclaim    epochs: when what was unlinked can be freed
//! flight     who loads a key, and who waits
//! hot        which keys are read most
//! versions   whether a copy of a value is still good
//! tags       which entries were invalidated together
//! persist    snapshots in files
//! ```
//!
//! # Waiting
//! A thread that is *pinned* keeps everybody from freeing memory. A thread that needs memory waits
//! until others have freed some. So that the two never wait for each other:
//!
//! - Whoever waits for memory is not pinned, and holds no lock but the one that serialises `clear`
//!   and `resize`.
//! - No lock that is held while memory is awaited is ever taken while pinned. To be sure of it,
//!   neither is any lock of the flight table, under which loads are stored.
//! - What a shard's lock, a flight's lock or a pin covers is a bounded number of steps, however many
//!   entries there are. What takes longer gives them back in between.
//!
//! The first two are assertions in builds that have them on.

mod cache;
mod clock;
mod config;
mod cursor;
mod entry;
mod fifo;
mod flight;
mod hash;
mod hot;
mod index;
mod key;
mod lane;
mod ledger;
mod limbo;
mod memory;
mod note;
mod persist;
mod policy;
mod prefetch;
mod reclaim;
mod removal;
mod repeats;
mod shard;
mod shim;
mod spares;
mod stats;
mod tags;
mod thread;
mod versions;
mod wheel;

pub use cache::{Cache, Choice, Edit, Expected, Found, Freshness, Info};
pub use clock::Clock;
pub use config::{Config, ConfigError, Error, Policy, Weigh};
pub use cursor::run_to_end;
pub use entry::{EntryRef, Expiry, Value};
pub use flight::{Cancelled, FlightTable, Gone, Handover, Landing, Lease, Left, Role, Ticket};
pub use hot::{HotKey, HotKeys};
pub use key::{Key, KeyKind, MAX_KEY_LEN};
pub use note::{MOST_TAGS, Nature, Note, NoteRef};
pub use persist::PersistError;
#[doc(hidden)]
pub use policy::Simulation;
pub use policy::{RULES, Rule};
pub use prefetch::expect;
pub use removal::{Reason, RemovalListener};
pub use stats::Stats;
pub use thread::rest;
pub use versions::{Stamp, Versions};

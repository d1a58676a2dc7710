//! The commands of a store: what each does to keys, to its connection, and who may run it. Those of
//! Redis 7 and 8, of Valkey 8 and of RedisJSON; `tests/catalog.rs` holds them against a server.

mod class;
mod find;
mod known;
mod learn;
mod places;
mod rows;
mod split;

pub use class::{Class, Effect};
pub(crate) use find::subscribes;
pub use find::{find, known};
pub use known::Known;
pub use learn::learn;
pub use places::Keys;
pub use split::{KeyWords, Merge, Split};

//! The commands of a store: what each does to keys, to its connection, and who may run it. Those of
//! Redis 7 and 8, of Valkey 8 and of RedisJSON; `tests/catalog.rs` holds them against a server.

mod access;
mod categories;
mod certain;
mod class;
mod find;
mod known;
mod learn;
mod permissions;
mod places;
mod rows;
mod split;

pub(crate) use access::Access;
pub(crate) use categories::{categories, category};
pub(crate) use certain::{certain, idle};
pub use class::{Class, Effect};
pub use find::{find, known};
pub(crate) use find::{name_of, named, subscribes};
pub use known::Known;
pub use learn::learn;
pub use permissions::Permissions;
pub use places::Keys;
pub use split::{KeyWords, Merge, Split};

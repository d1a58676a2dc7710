//! The store that the node has itself: `databases` of strings, `records` of what caches share by it,
//! both in the `hand` of a client, whose changes are told to those who track keys.
//! `lives` says how many keys end.

mod databases;
mod hand;
mod lives;
mod records;

pub(crate) use databases::{DATABASES, DbKey, Store};
pub(crate) use hand::Hand;
pub(crate) use lives::Lives;
pub(crate) use records::TagRecords;

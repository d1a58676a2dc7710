//! The store that the node has itself.

mod databases;

pub(crate) use databases::{DATABASES, DbKey, Store};

//! The table: a row a command. What `COMMAND` says of it, and besides the class, what a user needs,
//! and whether its reply may be kept.

mod collections;
mod json;
mod keyspace;
mod servers;
mod sessions;
mod streams;
mod values;

use super::class::Class;
use super::known::Known;
use super::places::{Keys, Places};
use crate::catalog::permissions::Permissions;
use std::borrow::Cow;

/// All rows.
pub(super) static ALL: &[&[Known]] = &[
    collections::ROWS,
    json::ROWS,
    keyspace::ROWS,
    servers::ROWS,
    sessions::ROWS,
    streams::ROWS,
    values::ROWS,
];

const NONE: Permissions = Permissions::empty();
const READ: Permissions = Permissions::READ;
const WRITE: Permissions = Permissions::WRITE;
const ADMIN: Permissions = Permissions::ADMIN;
const BOTH: Permissions = Permissions::WRITE.union(Permissions::ADMIN);

/// Why some are refused.
const SERVERS: &str = "ERR this command is for servers";
const STORE: &str = "ERR this command ends or replaces the store: connect to the store for it";
const DEBUGGER: &str = "ERR scripts are debugged at the store: connect to it";
const CLUSTERLESS: &str = "ERR This instance has cluster support disabled";

const fn row(
    name: &'static str,
    arity: i32,
    class: Class,
    permissions: Permissions,
    keys: &'static [Keys],
) -> Known {
    let (name, keys) = (Cow::Borrowed(name), Cow::Borrowed(keys));
    Known { name, arity, class, permissions, cacheable: false, alike: false, keys, parted: false }
}

impl Known {
    /// It has parts, which have rows of their own.
    const fn parted(mut self) -> Self {
        self.parted = true;
        self
    }

    /// See [`Known::cacheable`].
    const fn cached(mut self) -> Self {
        self.cacheable = true;
        self
    }

    /// See [`Known::alike`].
    const fn alike(mut self) -> Self {
        self.alike = true;
        self
    }
}

// Keys that a command reads, and keys that it may change: one, those from a place to another in
// steps, or as many as the word at a place says.

const fn reads(place: usize) -> Keys {
    reads_from(place, place as isize, 1)
}

const fn writes(place: usize) -> Keys {
    writes_from(place, place as isize, 1)
}

const fn reads_from(first: usize, last: isize, step: usize) -> Keys {
    Keys::new(Places::Range(first, last, step), false)
}

const fn writes_from(first: usize, last: isize, step: usize) -> Keys {
    Keys::new(Places::Range(first, last, step), true)
}

const fn counted(place: usize, step: usize) -> Keys {
    Keys::new(Places::Counted(place, step), false)
}

const fn counted_writes(place: usize, step: usize) -> Keys {
    Keys::new(Places::Counted(place, step), true)
}

const SORT_STORE: Keys = Keys::new(Places::SortStore, true);
const GEO_STORE: Keys = Keys::new(Places::GeoStore(6), true);
const MEMBER_STORE: Keys = Keys::new(Places::GeoStore(5), true);
const STREAMS: Keys = Keys::new(Places::Streams, true);
const STREAMS_READ: Keys = Keys::new(Places::Streams, false);
const MIGRATE: Keys = Keys::new(Places::Migrate, true);

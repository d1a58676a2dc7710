//! A request whose keys are in several places: its parts (`parts`), and how the replies to them become
//! one (`merge`); `page` is for those of scans. No connection is known here.

mod merge;
mod page;
mod parts;

pub(crate) use merge::{AskedPart, WholeRequest};
pub(crate) use page::with_cursor;
pub(crate) use parts::{Portion, by_place};

/// What Redis Cluster says of keys that are not in one place.
pub(crate) const CROSSSLOT: &str = "CROSSSLOT Keys in request don't hash to the same slot";

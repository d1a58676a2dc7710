//! A request whose keys are in several places: its parts (`parts`), and how the replies to them become
//! one (`merge`). No connection is known here.

mod merge;
mod parts;

pub(crate) use merge::{AskedPart, WholeRequest};
pub(crate) use parts::{Portion, by_place, place_of_all};

/// What Redis Cluster says of keys that are not in one place.
pub(crate) const CROSSSLOT: &str = "CROSSSLOT Keys in request don't hash to the same slot";

//! What the node remembers of the store behind it. From the bottom up: `route` (what is remembered of
//! which keys, and for how long), `choices` (which routes hooks
//! have chosen for keys), `counts` (what came of it), `keys`, `entry` (how a reply lies in
//! the engine), `floors` (what ends all that was read of a server), `sources` (what ends all that was
//! read over a connection), `admission` (which keys are left out), `shelf` (where replies lie), `found` (what is
//! found there), `replies` (replies, and how one change of a key ends all that was read of it), `generations` (how
//! those of keys are drawn), `landing` (how replies come there).

mod admission;
mod choices;
mod counts;
mod described;
mod entry;
mod floors;
mod found;
mod generations;
mod hot_set;
mod keys;
mod landing;
mod replies;
mod route;
mod shelf;
mod sources;

pub use counts::{AGES, RouteCounts};
pub(crate) use counts::{Count, RouteTally, RouteTotals};
pub(crate) use described::{HotRead, HotSet};
pub(crate) use entry::Form;
pub use entry::awaits_reply;
pub(crate) use found::{Hit, Staleness};
pub use found::{Remembered, RememberedReply};
pub(crate) use keys::KeyList;
pub(crate) use replies::Replies;
pub use route::{Concern, Mode, Route, Routes};
pub(crate) use shelf::{Generations, Shelf};
pub(crate) use sources::{Source, when_of};

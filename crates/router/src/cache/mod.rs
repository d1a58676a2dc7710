//! What the node remembers of the store behind it. From the bottom up: `route` (what is remembered of
//! which keys, and for how long), `choices` (which routes hooks
//! have chosen for keys), `counts` (what came of it), `keys`, `entry` (how a reply lies in
//! the engine), `floors` (what ends all that was read of a server), `sources` (what ends all that was
//! read over a connection), `admission` (which keys are left out), `replies` (replies, and how one change of a key ends all that was read of it).

mod admission;
mod choices;
mod counts;
mod described;
mod entry;
mod floors;
mod hot_set;
mod keys;
mod replies;
mod route;
mod sources;

pub use counts::{AGES, RouteCounts};
pub(crate) use counts::{Count, RouteTally, RouteTotals};
pub(crate) use described::{HotRead, HotSet};
pub(crate) use entry::Form;
pub(crate) use keys::KeyList;
pub(crate) use replies::{Generations, Hit, Replies, Shelf, Staleness};
pub use replies::{Remembered, RememberedReply};
pub use route::{Concern, Mode, Route, Routes};
pub(crate) use sources::{Source, when_of};

//! What is seen of a node at work: how long requests take, what waits, and how evenly threads work.
//!
//! Each driver has a *lane*, which its thread alone writes: counts without locked operations. Whoever
//! reads adds all lanes up. The core has no clock; a driver says how long a step took, once for all
//! requests of it ([`Lane::close`]), and what time it is ([`Relay::tick`](crate::Relay::tick)).

mod histogram;
mod invalidations;
mod lane;
mod step;
mod tape;
mod totals;

pub use histogram::{Latencies, POWERS};
pub(crate) use invalidations::Invalidations;
pub use invalidations::{Cause, Invalidated, MOST_SHOWN};
pub use lane::{HERD, Lane, Seat};
pub(crate) use lane::{StaleReason, StoreLatencies};
pub use step::{CommandClass, StepCounts};
pub use tape::{RecordingStart, Seen};
pub(crate) use totals::Sight;
pub use totals::{Cold, Crowding, Sighting, Skew, ThreadCounts};

/// Whether anything is counted: nothing is where it is measured what that costs.
pub(crate) const COUNTED: bool = !cfg!(feature = "uncounted");

//! The laboratory: what a cache would do for recorded requests.
//!
//! A [`trace`] is read from a file into requests of dense keys. [`simulate`](fn@simulate) runs them
//! through a [`Policy`] of some capacity and counts hits; [`Curve`] estimates the hit ratio of every
//! capacity at once from a sample; a [`Recorder`] makes a trace of what a store tells. Nothing here knows of Node.js, and nothing but [`trace`] does I/O.

#![deny(unsafe_code)]

mod capacity;
mod curve;
mod lists;
mod mix;
mod policy;
mod record;
mod simulate;
pub mod trace;

pub use capacity::Capacity;
pub use curve::{Curve, Point};
pub use policy::{Policy, PolicyName, UnknownPolicy};
pub use record::{Recorder, Refused};
pub use simulate::{Outcome, Plan, Routing, simulate};
pub use trace::{Format, Progress, Trace, TraceError};

//! Clients' side of the node: their bytes in, their replies out.

mod admission;
mod ahead;
mod arrivals;
mod concern;
mod gate;
mod news;
mod output;
mod session;
mod way;

pub use output::Output;
pub use session::{Next, Session};

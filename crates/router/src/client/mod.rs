//! Clients' side of the node: their bytes in, their replies out.

mod concern;
mod news;
mod session;

pub use session::{Next, Output, Session};

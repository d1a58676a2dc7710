//! Replies: what servers send, and pushes between them.

mod error;
mod frame;
mod parser;
mod tree;
mod writer;

pub use error::ReplyError;
pub use frame::{Frame, Kind};
pub use parser::{ReplyLimits, ReplyParser};
pub use tree::Reply;
pub use writer::ReplyWriter;

//! The protocol: requests in, replies out.

mod args;
mod inline;
mod reply;
mod request;

pub(crate) use args::Args;
pub(crate) use reply::Reply;
pub(crate) use request::{Parsed, Requests};

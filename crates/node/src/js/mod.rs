//! Raw JavaScript values: what Node-API knows, with lifetimes, and nothing of caches.

mod bytes;
mod fail;
pub mod format;
pub mod keys;
mod lend;
mod text;
mod value;

pub use bytes::Bytes;
pub use fail::{Detail, Fail};
pub use keys::KeyBuf;
pub use lend::lend;
pub use text::{Text, TextBuf};
pub use value::{Js, Val};

//! Entries: one allocation that holds an 8-byte header, the key, the value and, for some, a note.
//!
//! In front of the header lie, where an entry needs them, its deadline and timer, and before these,
//! under the `lru` policy, two links. An entry never changes but for what lies in front of its header;
//! a new value is a new entry, and so is an entry that gets its first deadline.

mod bytes;
mod expiry;
mod layout;
mod pointer;
mod read;
mod value;

pub use expiry::Expiry;
pub(crate) use expiry::LAST_DEADLINE;
pub(crate) use pointer::EntryPtr;
pub use read::EntryRef;
pub use value::Value;

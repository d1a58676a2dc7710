//! What an environment has: the way into it and out of it, its areas of memory, and what waits to be
//! told to its JavaScript.

mod call;
mod deliver;
mod letter;
mod listeners;
pub mod mail;
mod outbox;
mod removal;
pub mod setup;
mod state;
mod work;

pub(crate) use call::function;
pub use call::{Call, Function, Owner, Returns, define, enter};
pub use letter::{Enclosure, Letter, News};
pub use listeners::Listener;
pub use state::Env;
pub use work::promise;

//! What clients are told without having asked: changes of keys that they track, and messages of
//! channels.
//!
//! From the bottom up: `mail` (news on their way to the thread of a client), `recipient` (a client
//! and what it tracks), `bound` (how many
//! keys), `keys` and `prefixes` (who tracks what), `topics` (what one client subscribes
//! to), `channels` (who subscribes to what), `desk` (all of it).

mod bound;
mod channels;
mod desk;
mod keys;
mod mail;
mod prefixes;
mod recipient;
mod topics;

pub(crate) use bound::{AT_ONCE, Bound, own_weight, weight};
pub(crate) use channels::Channels;
pub(crate) use desk::{NOBODY, NewsDesk};
pub use mail::{ClientId, Mailbox, Message, Notice};
pub(crate) use recipient::{Recipient, Tracking, TrackingMode};
pub(crate) use topics::{Kind, Topic, Topics};

//! What becomes of a reply that changes a session.

use crate::path::changes::Changes;
use crate::path::topics::Topic;
use crate::shared::ClientId;

/// Whose reply it is, and what is done with it.
pub(super) enum Step {
    /// The reply to the last request over a client's own connection.
    Last { client: ClientId, ticket: u64, changes: Changes },
    /// To `SELECT` over one.
    Select { client: ClientId, ticket: u64, db: u8 },
    /// To `EXEC`; the connection comes back if it is the client's own.
    Exec { client: ClientId, ticket: u64, changes: Changes, db: Option<u8>, own: bool },
    /// The store has begun the subscriptions that these bytes confirm.
    Confirm { client: ClientId, ticket: u64, bytes: Vec<u8>, topics: Vec<Topic> },
    /// The number that the store knows a client's own connection by, which others may redirect to.
    Number { client: ClientId, ticket: u64, bytes: Vec<u8> },
    /// What the store says of a command of this name.
    Learn(Vec<u8>),
}

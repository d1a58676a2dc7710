//! A client's connection, from its first byte to its last.
//!
//! ```text
//! stage      what it does                          ends with
//! Arriving   header of a proxy, handshake of TLS   all agreed (Serving, or Leaving if there are
//!                                                  too many clients), a deadline (gone)
//! Serving    commands and replies                  the last reply written (Leaving)
//! Leaving    what still comes goes to nobody: a    the client's end of file, a deadline (gone)
//!            socket that is closed over unread
//!            bytes is reset, and the last replies
//!            would be lost
//! ```
//! An error of the socket ends any stage.

use crate::arrival::Arrival;
use crate::channel::{Channel, Space};
use crate::client::{Client, Rest};

/// How far a connection has come.
#[allow(clippy::large_enum_variant, reason = "almost all connections are served")]
pub enum Stage {
    Arriving(Arrival),
    Serving(Client),
    Leaving(Channel),
    /// On its way from one to another.
    Between,
}

/// A connection.
pub struct Connection {
    pub stage: Stage,
    /// It stands in the driver's queue.
    pub queued: bool,
    /// It is ended by force at some time.
    pub timed: bool,
}

impl Connection {
    /// One that was accepted.
    pub fn new(arrival: Arrival) -> Self {
        Self { stage: Stage::Arriving(arrival), queued: false, timed: false }
    }

    /// Its bytes.
    pub fn channel(&mut self) -> Option<&mut Channel> {
        match &mut self.stage {
            Stage::Arriving(arrival) => Some(arrival.channel()),
            Stage::Serving(client) => Some(client.channel()),
            Stage::Leaving(channel) => Some(channel),
            Stage::Between => None,
        }
    }

    /// The client that is served.
    pub fn client(&mut self) -> Option<&mut Client> {
        match &mut self.stage {
            Stage::Serving(client) => Some(client),
            _ => None,
        }
    }
}

/// Receives what a client that leaves still sends, for nobody.
pub fn see_off(channel: &mut Channel, space: &mut Space) -> Rest {
    if !channel.is_readable() {
        return Rest::Idle;
    }
    match channel.receive(space) {
        Ok(received) if received.ended => Rest::Gone,
        Ok(_) if channel.is_readable() => Rest::More,
        Ok(_) => Rest::Idle,
        Err(_) => Rest::Gone,
    }
}

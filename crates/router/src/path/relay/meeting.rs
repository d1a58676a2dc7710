//! Which version the store is: clients decide by the reply to `HELLO` what they may send, so it names
//! that of the store. The first to ask waits until a connection to the store has said it.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::path::course::Delivery;
use crate::path::transaction::command as word;
use crate::shared::ClientId;
use breakwater_resp::Protocol;

/// How far the thread has come with that.
#[derive(Default)]
pub(super) enum Meeting {
    #[default]
    Unasked,
    /// These clients wait.
    Asked(Vec<ClientId>),
    /// The store has answered, or does not: nobody waits for it any more.
    Over,
}

impl Relay {
    /// Opens the connections that reads of most clients will share, before anybody asks: one to each
    /// server that takes writes. Of a cluster the map is asked for, which opens one.
    pub fn meet(&mut self) {
        let masters: Vec<_> = self.map.masters().collect();
        for server in masters {
            self.shared_with(server, Protocol::Resp3, 0);
        }
    }

    /// Whether a client has to wait until the store has said which version it is.
    pub(super) fn must_meet(&mut self, client: ClientId) -> bool {
        match &mut self.meeting {
            Meeting::Over => return false,
            Meeting::Asked(waiting) => {
                waiting.push(client);
                return true;
            }
            Meeting::Unasked => {}
        }
        if self.router.store_version().is_some() {
            self.meeting = Meeting::Over;
            return false;
        }
        let Ok(server) = self.any_master() else { return false };
        let link = self.shared_with(server, Protocol::Resp3, 0);
        if self.is_down(link) {
            return false;
        }
        self.meeting = Meeting::Asked(vec![client]);
        // The greeting of the connection comes before its reply.
        self.for_all(|relay| relay.send(link, &word("PING"), To::Session(Step::Met)));
        true
    }

    /// The store has answered, or does not.
    pub(super) fn met(&mut self) {
        if let Meeting::Asked(waiting) = std::mem::replace(&mut self.meeting, Meeting::Over) {
            self.deliveries.extend(waiting.into_iter().map(Delivery::wake));
        }
    }
}

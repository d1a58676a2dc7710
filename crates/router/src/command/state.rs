//! What commands see of a client's session.

use crate::cache::Concern;
use crate::policy::{DEFAULT, User};
use crate::shared::{Client, Router};
use breakwater_resp::Protocol;
use std::sync::Arc;

/// A session: who the client is and what it chose.
pub(crate) struct State {
    pub(crate) client: Arc<Client>,
    /// Who it is; nobody, if it still has to authenticate.
    pub(crate) user: Option<Arc<User>>,
    pub(crate) db: u8,
    pub(crate) protocol: Protocol,
    /// Where it wants its reads to be answered from, if it said so.
    pub(crate) concern: Option<Concern>,
    /// The command that ran last.
    pub(crate) last: &'static str,
    /// No further command is to be run.
    pub(crate) closing: bool,
}

impl State {
    pub(crate) fn new(client: Arc<Client>, user: Option<Arc<User>>) -> Self {
        Self {
            client,
            user,
            db: 0,
            protocol: Protocol::Resp2,
            concern: None,
            last: "",
            closing: false,
        }
    }

    /// Shows other clients how it is; `input` bytes of it wait.
    pub(crate) fn show(&self, now: u64, input: usize) {
        let user = self.user.as_ref().map_or(DEFAULT, |user| &user.name);
        let mut profile = self.client.profile.lock();
        if profile.user != user {
            profile.user = user.into();
        }
        (profile.db, profile.protocol, profile.command) = (self.db, self.protocol, self.last);
        (profile.active, profile.input) = (now, input);
    }

    /// Forgets everything but the connection.
    pub(crate) fn reset(&mut self, router: &Router) {
        self.user = router.options.users.anonymous();
        (self.db, self.protocol, self.concern) = (0, Protocol::Resp2, None);
        let mut profile = self.client.profile.lock();
        profile.name.clear();
        (profile.no_evict, profile.no_touch) = (false, false);
    }
}

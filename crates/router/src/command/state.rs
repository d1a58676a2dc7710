//! What commands see of a client's session.

use crate::cache::Concern;
use crate::policy::{DEFAULT, User};
use crate::shared::{Client, Router};
use breakwater_resp::Protocol;
use std::sync::Arc;

/// Whether a client gets replies: what `CLIENT REPLY` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replying {
    #[default]
    On,
    Off,
    /// Not to the next command.
    Skip,
    /// Not to this one.
    Skipping,
}

impl Replying {
    /// A command begins; whether its reply is for nobody.
    pub(crate) fn begin(&mut self) -> bool {
        *self = match *self {
            Self::Skip => Self::Skipping,
            Self::Skipping => Self::On,
            other => other,
        };
        self.is_mute()
    }

    /// The command begins again later.
    pub(crate) fn again(&mut self, mute: bool) {
        if mute && *self == Self::Skipping {
            *self = Self::Skip;
        }
    }

    /// Whether replies are for nobody.
    pub(crate) fn is_mute(self) -> bool {
        matches!(self, Self::Off | Self::Skipping)
    }
}

/// A session: who the client is and what it chose.
pub(crate) struct State {
    pub(crate) client: Arc<Client>,
    /// Who it is; nobody, if it still has to authenticate.
    pub(crate) user: Option<Arc<User>>,
    pub(crate) db: u8,
    pub(crate) protocol: Protocol,
    /// Whether it gets replies.
    pub(crate) replying: Replying,
    /// Where it wants its reads to be answered from, if it said so.
    pub(crate) concern: Option<Concern>,
    /// The command that ran last.
    pub(crate) last: &'static str,
    /// No further command is to be run.
    pub(crate) closing: bool,
}

impl State {
    pub(crate) fn new(client: Arc<Client>, user: Option<Arc<User>>) -> Self {
        let (db, protocol, replying) = (0, Protocol::Resp2, Replying::On);
        Self { client, user, db, protocol, replying, concern: None, last: "", closing: false }
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
        self.replying = Replying::On;
        let mut profile = self.client.profile.lock();
        profile.name.clear();
        (profile.no_evict, profile.no_touch) = (false, false);
    }
}

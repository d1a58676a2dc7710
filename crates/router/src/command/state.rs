//! What commands see of a client's session.

use crate::cache::Concern;
use crate::catalog::Permissions;
use crate::news::{Topics, TrackingMode};
use crate::policy::{DEFAULT, Metered, Over, Stay, User};
use crate::shared::{Client, Edition, Engagement, Router};
use breakwater_resp::Protocol;
use std::borrow::Cow;
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
    /// The rules that its requests are judged by.
    pub(crate) rules: Arc<Edition>,
    /// Who it is; nobody, if it still has to authenticate.
    pub(crate) user: Option<Arc<User>>,
    /// What it may use of what its user may, if limits bind that one.
    pub(crate) stay: Option<Stay>,
    pub(crate) db: u8,
    pub(crate) protocol: Protocol,
    /// Whether it gets replies.
    pub(crate) replying: Replying,
    /// Where it wants its reads to be answered from, if it said so.
    pub(crate) concern: Option<Concern>,
    /// What it subscribes to in the node's own store.
    pub(crate) topics: Topics,
    /// Which keys of that store it tracks, if any: as its recipient says.
    tracks: Option<TrackingMode>,
    /// What its user has to be permitted for what a store behind the node tells it.
    pub(crate) hears: Permissions,
    /// Whether it said `CLIENT CACHING`, for the next command.
    pub(crate) caching: bool,
    /// The command that ran last; none if that was no command.
    last: Cow<'static, str>,
    /// What it is in the middle of.
    engagement: Engagement,
    /// No further command is to be run.
    pub(crate) closing: bool,
    /// What other clients were shown last.
    shown: Option<Shown>,
}

/// What other clients are shown of one.
struct Shown {
    user: Option<Arc<User>>,
    last: Cow<'static, str>,
    /// Database, protocol, what its user has to be permitted, bytes that wait.
    rest: (u8, Protocol, Permissions, usize),
}

impl State {
    /// The session of a client that has sent nothing yet; `Err` if its user has as many connections as it
    /// may.
    pub(crate) fn new(client: Arc<Client>, rules: Arc<Edition>) -> Result<Self, Over> {
        let user = rules.users.at_first(client.peer.certificate.as_ref());
        let mut stay = None;
        Stay::enter(&mut stay, metered(&user))?;
        client.profile.lock().known = user.clone();
        let (db, protocol, replying) = (0, Protocol::Resp2, Replying::On);
        Ok(Self {
            client,
            rules,
            user,
            stay,
            db,
            protocol,
            replying,
            concern: None,
            topics: Topics::default(),
            hears: Permissions::empty(),
            tracks: None,
            caching: false,
            last: Cow::Borrowed(""),
            engagement: Engagement::default(),
            closing: false,
            shown: None,
        })
    }

    /// It is this user from now on, if that one may have one more connection.
    pub(crate) fn log_in(&mut self, user: Arc<User>) -> Result<(), Over> {
        Stay::enter(&mut self.stay, user.metered.as_ref())?;
        self.user = Some(user);
        Ok(())
    }

    /// Takes the rules in force, if they are others. Its user goes on with the permissions that it
    /// has in them; a client whose user is gone is to be disconnected. What the client may do no
    /// longer.
    #[inline]
    pub(crate) fn keep_up(&mut self, router: &Router, now: i64) -> Permissions {
        if router.edition() == self.rules.number {
            Permissions::empty()
        } else {
            self.adopt(router, now)
        }
    }

    #[cold]
    fn adopt(&mut self, router: &Router, now: i64) -> Permissions {
        self.rules = router.rules();
        let users = &self.rules.users;
        let Some(user) = &self.user else {
            self.user = users.at_first(self.client.peer.certificate.as_ref());
            Stay::go_on(&mut self.stay, metered(&self.user));
            return Permissions::empty();
        };
        match users.again(user, now) {
            Some(again) => {
                let lost = again.lost(user);
                Stay::go_on(&mut self.stay, again.metered.as_ref());
                self.user = Some(again);
                lost
            }
            None => {
                self.closing = true;
                user.permissions
            }
        }
    }

    /// A client whose token counts no longer is to be disconnected; `now` in Unix milliseconds.
    #[inline]
    pub(crate) fn expire(&mut self, now: i64) {
        if self.user.as_ref().is_some_and(|user| user.until() <= now) {
            self.closing = true;
        }
    }

    /// What its user has to be permitted for what it hears without asking.
    pub(crate) fn needs(&self) -> Permissions {
        if self.heeds() { self.hears | Permissions::READ } else { self.hears }
    }

    /// Whether it is told of changes or of messages.
    #[inline]
    pub(crate) fn heeds(&self) -> bool {
        self.tracks.is_some() || !self.topics.is_empty()
    }

    /// Which keys it tracks.
    pub(crate) fn tracks(&self) -> Option<TrackingMode> {
        self.tracks
    }

    /// It tracks keys from now on, or does no longer.
    pub(super) fn track(&mut self, tracks: Option<TrackingMode>) {
        (self.tracks, self.caching) = (tracks, self.caching && tracks.is_some());
    }

    /// Shows other clients to what it subscribes.
    pub(super) fn show_topics(&mut self) {
        let topics = self.topics.counts();
        self.engage(Engagement { topics, ..self.engagement });
    }

    /// A command runs; none if that is no command. In a transaction it is `EXEC` that does.
    #[inline]
    pub(super) fn run(&mut self, command: &'static str) {
        if self.engagement.queued.is_none() {
            self.last = Cow::Borrowed(command);
        }
    }

    /// A command of a node with a store has run.
    #[inline]
    pub(crate) fn ran(&mut self, command: Cow<'static, str>) {
        self.last = command;
    }

    /// What it is in the middle of from now on, as other clients are shown it.
    #[inline]
    pub(crate) fn engage(&mut self, engagement: Engagement) {
        if self.engagement != engagement {
            self.engagement = engagement;
            self.client.profile.lock().engagement = engagement;
        }
    }

    /// How many commands it has queued, as other clients are shown it.
    pub(crate) fn queued(&self) -> Option<u32> {
        self.engagement.queued
    }

    /// Whether it is in the middle of anything.
    pub(crate) fn is_amid(&self) -> bool {
        self.engagement != Engagement::default()
    }

    /// Is told of nothing any more.
    pub(crate) fn ignore(&mut self, router: &Router) {
        if !self.heeds() {
            return;
        }
        for (kind, topic) in self.topics.take() {
            router.channels.unsubscribe(kind, &topic, self.client.id);
        }
        router.news.untrack(&self.client.recipient);
        self.track(None);
        self.show_topics();
    }

    /// Shows other clients how it is; `input` bytes of it wait.
    pub(crate) fn show(&mut self, now: u64, input: usize, router: &Router) {
        self.client.act(now);
        let rest = (self.db, self.protocol, self.needs(), input);
        let user = self.user.as_ref().map(Arc::as_ptr);
        let knows = |shown: &Shown| shown.user.as_ref().map(Arc::as_ptr) == user;
        let same_user = self.shown.as_ref().is_some_and(knows);
        // The usual case: nothing has changed but the time.
        let same = |shown: &Shown| same_user && shown.rest == rest && shown.last == self.last;
        if self.shown.as_ref().is_some_and(same) {
            return;
        }
        let mut profile = self.client.profile.lock();
        if !same_user {
            let name = self.user.as_ref().map_or(DEFAULT, |user| &user.name);
            profile.user = name.into();
            profile.known = self.user.clone();
            let until = self.user.as_ref().map_or(i64::MAX, |user| user.until());
            router.registry.limit(&self.client, until);
        }
        (profile.db, profile.protocol, profile.needs, profile.input) = rest;
        profile.command = self.last.clone();
        drop(profile);
        self.shown = Some(Shown { user: self.user.clone(), last: self.last.clone(), rest });
    }

    /// Forgets everything but the connection.
    pub(crate) fn reset(&mut self, router: &Router) {
        self.user = self.rules.users.at_first(self.client.peer.certificate.as_ref());
        if Stay::enter(&mut self.stay, metered(&self.user)).is_err() {
            (self.user, self.stay) = (None, None);
        }
        (self.db, self.protocol, self.concern) = (0, Protocol::Resp2, None);
        // That this very reply is for nobody it has said before.
        if self.replying != Replying::Skipping {
            self.replying = Replying::On;
        }
        self.ignore(router);
        let mut profile = self.client.profile.lock();
        profile.name.clear();
        (profile.no_evict, profile.no_touch) = (false, false);
    }
}

/// The limits that bind somebody, if there are any.
fn metered(user: &Option<Arc<User>>) -> Option<&Metered> {
    user.as_ref()?.metered.as_ref()
}

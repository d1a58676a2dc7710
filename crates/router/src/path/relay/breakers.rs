//! Breakers of the servers, as a relay has to do with them: it tells what servers answer, asks whether
//! one is there that has failed too often, and says why one is not asked. `upstream/breaker.rs` has their
//! states.

use super::Relay;
use super::reply::To;
use crate::path::pending::LinkId;
use crate::topology::ServerId;
use crate::upstream::{Breaker, BreakerEffect, BreakerEvent, BreakerRules};
use breakwater_resp::Protocol;

impl Relay {
    fn breaker_rules(&self) -> BreakerRules {
        let limits = &self.rules.limits;
        BreakerRules {
            failures: limits.breaker_failures,
            pause: limits.breaker_pause,
            trial: limits.longest_read(),
            seed: self.router.setup.seed,
        }
    }

    fn breaker(&self, server: ServerId) -> Option<&Breaker> {
        self.router.topology.servers.get(server).map(|server| &server.breaker)
    }

    /// Whether a server has failed so often that it is not asked.
    #[inline]
    pub(super) fn is_open(&self, server: ServerId) -> bool {
        self.breaker(server).is_some_and(|breaker| !breaker.is_closed())
    }

    /// A server has answered a request.
    #[inline]
    pub(super) fn has_answered(&self, server: ServerId) {
        self.breaker(server).into_iter().for_each(Breaker::answered);
    }

    /// A request to a server, or a try to connect to it, has come to nothing.
    pub(super) fn has_failed(&mut self, server: ServerId) {
        let (now, rules) = (self.now, self.breaker_rules());
        if self.breaker(server).and_then(|breaker| breaker.failed(now, &rules)).is_some() {
            self.mind_breaker(server);
        }
    }

    /// A connection to a server is made.
    pub(super) fn has_met(&mut self, server: ServerId) {
        self.has_answered(server);
        self.tell_breaker(server, BreakerEvent::Met);
    }

    /// A server has answered what it was asked for a trial, or has not.
    pub(super) fn is_tried(&mut self, server: ServerId, answers: bool) {
        let event = if answers { BreakerEvent::Proved } else { BreakerEvent::Disproved };
        self.tell_breaker(server, event);
    }

    fn tell_breaker(&mut self, server: ServerId, event: BreakerEvent) -> Option<BreakerEffect> {
        let (now, rules) = (self.now, self.breaker_rules());
        let effect = self.breaker(server)?.tell(event, now, &rules);
        match effect {
            Some(BreakerEffect::Resume) => self.wake_awaiting(),
            Some(_) => self.mind_breaker(server),
            None => {}
        }
        effect
    }

    /// Sees to it that a server which is not asked is tried in time: whoever notices it does, so that
    /// it does not depend on one thread.
    pub(super) fn mind_breaker(&mut self, server: ServerId) {
        if let Some(due) = self.breaker(server).and_then(Breaker::due) {
            self.minded.insert(server);
            self.wake_by(Some(due));
        }
    }

    /// Tries servers whose time has come.
    pub(super) fn wake_breakers(&mut self) {
        if self.minded.is_empty() {
            return;
        }
        for server in self.minded.clone() {
            // A connection of its own that is down says by itself when the server is there. Another
            // thread's may be up: that one is not held up by this one.
            let link = self.shared_with(server, Protocol::Resp3, 0);
            if self.is_down(link) {
                self.minded.remove(&server);
                continue;
            }
            if self.rules.limits.breaker_failures == 0 {
                self.tell_breaker(server, BreakerEvent::Off);
            } else if self.tell_breaker(server, BreakerEvent::Due) == Some(BreakerEffect::Try) {
                self.send(link, b"*1\r\n$4\r\nPING\r\n", To::Trial(server));
            }
            if !self.is_open(server) {
                self.minded.remove(&server);
            }
        }
    }

    /// When a server is to be tried next.
    pub(super) fn breakers_due(&self) -> Option<u64> {
        self.minded.iter().filter_map(|server| self.breaker(*server)?.due()).min()
    }

    /// Why a server is not asked that may be there.
    pub(super) fn why_open(&self, id: LinkId) -> Option<String> {
        let server = self.links.get(&id)?.server;
        self.is_open(server).then(|| {
            format!(
                "it has failed {} times in a row, and is asked again in a while",
                self.rules.limits.breaker_failures
            )
        })
    }
}

//! Probes: one thread at a time asks the primary and its replicas how far each has come, and all
//! threads know it then. Without need it does so once a second; soon, once a read has gone to the
//! primary since no replica was known to have a write that it has to see.

use super::Relay;
use super::reply::{Probe, To};
use crate::topology::{PRIMARY, Standing};
use crate::upstream::Phase;
use breakwater_resp::{Protocol, Reply, write_request};

/// Milliseconds between probes.
const USUAL: u64 = 1_000;
const SOON: u64 = 20;

/// When this thread looks whether to ask.
#[derive(Default)]
pub(super) struct Probes {
    /// `None` where there are no replicas.
    due: Option<u64>,
    hurried: bool,
}

impl Probes {
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.due
    }
}

impl Relay {
    /// Asks, if it is time to and no other thread does.
    pub(super) fn probe(&mut self) {
        let router = self.router.clone();
        let topology = &router.topology;
        if topology.replicas.is_empty() || self.probes.due.is_some_and(|due| due > self.now) {
            return;
        }
        let pause = if std::mem::take(&mut self.probes.hurried) { SOON } else { USUAL };
        self.probes.due = Some(self.now + pause);
        let at = self.router.replies.now();
        for late in topology.replicas.expire(at) {
            self.router.replies.lose(late);
            self.tell_flushed();
        }
        if !topology.replicas.begin(at, pause) {
            return;
        }
        let fence = topology.fences.last();
        // Each thread that asks is connected to all of them from then on.
        for server in topology.replica_ids() {
            self.shared_with(server, Protocol::Resp3, 0);
        }
        self.ask_standing(Probe { server: PRIMARY, fence, at });
    }

    /// A replica would do, if it was known to be far enough.
    pub(super) fn hurry(&mut self) {
        if !std::mem::replace(&mut self.probes.hurried, true) {
            let soon = self.now + SOON;
            self.probes.due = self.probes.due.map(|due| due.min(soon));
            self.wake_by(Some(soon));
        }
    }

    fn ask_standing(&mut self, probe: Probe) {
        let link = self.shared_with(probe.server, Protocol::Resp3, 0);
        let ready = self.links.get(&link).map(|link| link.upstream.phase()) == Some(Phase::Ready);
        if ready || (probe.server == PRIMARY && !self.refuses(link)) {
            let mut question = vec![];
            write_request(&mut question, &["INFO", "replication"]);
            self.send(link, &question, To::Probe(probe));
        } else if probe.server == PRIMARY {
            self.ask_replicas(probe);
        }
    }

    fn ask_replicas(&mut self, probe: Probe) {
        for server in self.router.topology.replica_ids() {
            self.ask_standing(Probe { server, ..probe });
        }
    }

    /// A server has said how far it is, or does not.
    pub(super) fn replied_probe(&mut self, probe: Probe, reply: Option<&[u8]>) {
        let text = match reply.map(Reply::decode) {
            Some(Ok(reply @ (Reply::Bulk(_) | Reply::Verbatim(..)))) => {
                String::from_utf8_lossy(reply.text().unwrap_or_default()).into_owned()
            }
            _ => String::new(),
        };
        let standing = Standing::parse(&text);
        let replicas = &self.router.topology.replicas;
        if probe.server == PRIMARY {
            if let Some(standing) = standing {
                replicas.mark(&standing, probe.fence, probe.at);
            }
            return self.ask_replicas(probe);
        }
        let lost = match standing {
            Some(standing) => replicas.hear(probe.server, &standing),
            None => replicas.fail(probe.server),
        };
        if lost {
            self.router.replies.lose(probe.server);
            self.tell_flushed();
        }
    }
}

//! Probes: one thread at a time asks the primary and its replicas how far each has come, and all
//! threads know it then. Without need it does so once a second; soon, once a read has gone to the
//! primary since no replica was known to have a write that it has to see.

use super::Relay;
use super::reply::{Probe, To};
use crate::cache::Route;
use crate::topology::Standing;
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
        if !topology.fences.are_kept() || self.probes.due.is_some_and(|due| due > self.now) {
            return;
        }
        if self.clustered() && !self.rules.routes.all().iter().any(Route::reads_replicas) {
            self.probes.due = Some(self.now + USUAL);
            return;
        }
        let pause = if std::mem::take(&mut self.probes.hurried) { SOON } else { USUAL };
        self.probes.due = Some(self.now + pause);
        let at = self.router.replies.now();
        topology.expire(at).into_iter().for_each(|late| self.lose(late));
        if !topology.begin(at, pause) {
            return;
        }
        let fence = topology.fences.last();
        self.look();
        let map = self.map.clone();
        // Each thread that asks is connected to all of them from then on.
        for server in map.replicas() {
            self.shared_with(server, Protocol::Resp3, 0);
        }
        for shard in map.shards().iter().filter(|shard| !shard.replicas.is_empty()) {
            let primary = shard.master;
            self.ask_standing(Probe { server: primary, primary, fence, at });
        }
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
        let leads = probe.server == probe.primary;
        if ready || (leads && !self.is_down(link)) {
            let mut question = vec![];
            write_request(&mut question, &["INFO", "replication"]);
            self.send(link, &question, To::Probe(probe));
        } else if leads {
            self.ask_replicas(probe);
        }
    }

    fn ask_replicas(&mut self, probe: Probe) {
        let map = self.map.clone();
        let shard = map.shards().iter().find(|shard| shard.master == probe.primary);
        for &server in shard.into_iter().flat_map(|shard| &shard.replicas) {
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
        let topology = &self.router.topology;
        if probe.server == probe.primary {
            if let Some(standing) = standing {
                topology.mark(probe.primary, &standing, probe.fence, probe.at);
            }
            return self.ask_replicas(probe);
        }
        let lost = match standing {
            Some(standing) => topology.hear(probe.primary, probe.server, &standing),
            None => topology.fail(probe.server),
        };
        if lost {
            self.lose(probe.server);
        }
    }
}

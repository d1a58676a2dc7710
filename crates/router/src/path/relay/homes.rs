//! Which server a request goes to: the one that takes writes of its keys, by the map of the
//! `topology` that is valid now.

use super::Relay;
use super::link::Link;
use crate::catalog::Known;
use crate::failure::Failure;
use crate::path::course::Request;
use crate::path::pending::LinkId;
use crate::path::split::CROSSSLOT;
use crate::topology::{PRIMARY, Partition, ServerId, Span};
use breakwater_resp::{Args, Protocol};
use smallvec::SmallVec;

/// How the errors begin that say that nobody has a key.
pub(super) const DOWN: &[u8] = b"CLUSTERDOWN";
/// Why a connection to a server is closed that is not in the map any more.
const LEFT: &str = "the server has left the cluster";
pub(super) const UNSERVED: &str = "CLUSTERDOWN Hash slot not served";

/// Milliseconds between looks at the map of a ring by a thread that has nothing else to do.
const LOOK: u64 = 250;

/// Where the keys of a request are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) partition: Partition,
    /// The server that takes writes of them.
    pub(super) server: ServerId,
}

impl Home {
    /// Where all keys are that one store has.
    const ONE: Self = Self { partition: 0, server: PRIMARY };
}

impl Relay {
    /// Sees to it that the map is the one that is valid now.
    #[inline]
    pub(super) fn look(&mut self) {
        if self.map.epoch != self.router.topology.epoch() {
            self.map = self.router.topology.map();
            self.retire();
            self.wake_awaiting();
            self.move_feed();
            self.move_lanes();
            self.move_ears();
            if self.map.first_of_ring().is_some() {
                // Of changes at another store nobody has told them.
                self.tell_flushed();
            }
        }
    }

    /// Whether the servers are a cluster.
    #[inline]
    pub(super) fn clustered(&self) -> bool {
        self.router.topology.cluster.is_some()
    }

    /// When to look at the map of a ring, though nobody asks for anything: for those who wait for news.
    pub(super) fn looks_at(&self) -> Option<u64> {
        let waits = self.hears() || !self.router.tracked.is_empty();
        (waits && self.map.first_of_ring().is_some()).then_some(self.now + LOOK)
    }

    /// Closes connections to servers that are not in the map any more, once nothing is owed over them.
    pub(super) fn retire(&mut self) {
        if self.map.is_one() || self.map.is_unknown() {
            return;
        }
        let (map, links) = (&self.map, &self.links);
        let serves = |server| map.leads(server) || map.replicas().any(|replica| replica == server);
        let idle = |id: &LinkId| links.get(id).is_none_or(|link: &Link| link.to.is_empty());
        let gone = |&(&(server, ..), id): &(&(ServerId, Protocol, u8), &LinkId)| {
            !serves(server) && idle(id)
        };
        let gone: Vec<_> = self.shared.iter().filter(gone).map(|(kind, id)| (*kind, *id)).collect();
        let urgent = self.urgent.iter().filter(|((server, _), id)| !serves(*server) && idle(id));
        let urgent: Vec<_> = urgent.map(|(kind, id)| (*kind, *id)).collect();
        for (kind, id) in urgent {
            self.urgent.remove(&kind);
            self.give_up(id, LEFT);
        }
        for (kind, id) in gone {
            self.shared.remove(&kind);
            self.give_up(id, LEFT);
        }
        self.retire_legacies();
    }

    /// Where the keys of a request are.
    pub(super) fn home(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
    ) -> Result<Home, Failure> {
        self.look();
        if self.map.is_one() {
            return Ok(Home::ONE);
        }
        self.home_of_span(self.span(known, request))
    }

    /// What the keys of a request belong to.
    pub(super) fn span(&self, known: Option<&Known>, request: &Request<'_>) -> Span {
        match known {
            // The usual case.
            Some(known) if known.has_one_key() && request.args.len() > 1 => {
                Span::One(self.map.partition(request.args.word(1)))
            }
            Some(known) => self.span_of_words(known, request.args),
            None => Span::Keyless,
        }
    }

    pub(super) fn span_of_words(&self, known: &Known, words: Args<'_>) -> Span {
        let mut places: SmallVec<[usize; 4]> = SmallVec::new();
        known.each_key(words, |place, _| places.push(place));
        self.map.span(places.into_iter().map(|place| words.word(place)))
    }

    /// Where these keys are; any server that takes writes, if there are none.
    pub(super) fn home_of<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Home, Failure> {
        self.look();
        if self.map.is_one() {
            return Ok(Home::ONE);
        }
        self.home_of_span(self.map.span(keys))
    }

    pub(super) fn home_of_span(&mut self, span: Span) -> Result<Home, Failure> {
        match span {
            _ if self.map.is_unknown() => Err(self.unserved()),
            Span::One(partition) => {
                let server = self.map.owner(partition).ok_or(UNSERVED)?;
                Ok(Home { partition, server })
            }
            Span::Keyless => Ok(Home { partition: 0, server: self.any_master()? }),
            Span::Several => Err(CROSSSLOT.into()),
        }
    }

    /// Where the keys of a slot are.
    pub(super) fn home_of_slot(&mut self, slot: u16) -> Result<Home, Failure> {
        self.look();
        self.home_of_span(Span::One(slot))
    }

    /// Why nobody can be asked.
    pub(super) fn unserved(&self) -> Failure {
        Failure::new(format!("CLUSTERDOWN {}", self.why_unknown()))
    }

    /// A server that takes writes: the same one, as long as it answers.
    pub(super) fn any_master(&mut self) -> Result<ServerId, Failure> {
        self.look();
        if self.map.is_one() {
            return Ok(PRIMARY);
        }
        if let Some(first) = self.map.first_of_ring() {
            return Ok(first);
        }
        let map = self.map.clone();
        let link = |server| self.shared.iter().filter(move |((of, ..), _)| *of == server);
        let answers = |server: &ServerId| link(*server).all(|(_, id)| !self.refuses(*id));
        let found = map.masters().find(answers).or_else(|| map.masters().next());
        found.ok_or_else(|| UNSERVED.into())
    }

    /// What was read of a server, by whichever thread, may change unheard from now on.
    pub(super) fn lose(&mut self, server: ServerId) {
        let tags = self.router.topology.map().tags_of(server);
        self.router.replies.lose(&tags);
        self.tell_lost(server);
    }

    /// Of what was read of a server some may change unheard, and does not count any more: who tracks
    /// what it has read is told so.
    pub(super) fn tell_lost(&mut self, server: ServerId) {
        if self.router.tracked.is_empty() {
            return;
        }
        let tags = self.router.topology.map().tags_of(server);
        match self.clustered() {
            true => self.tell_moved(&tags),
            false => self.tell_flushed(),
        }
    }

    /// A store of a ring is down, or up again: others stand in for it, or do so no more, where they
    /// may. What was read by the other map ends.
    pub(super) fn store_is(&mut self, server: ServerId, down: bool) {
        if self.map.first_of_ring().is_none() {
            return;
        }
        let tags = self.router.topology.set_down(server, down);
        self.router.replies.end(&tags);
        if down && self.map.leads(server) {
            // Whoever has found it down sees when it is back.
            self.shared_with(server, Protocol::Resp3, 0);
        }
        self.look();
    }
}

//! Which server each key belongs to, at one moment: the *partition* of a key, the *shard* (a master
//! and its replicas) that has that, and the *tag* by which what was read of one of them is ended.
//!
//! ```text
//! owners   partition of a key   shards
//! One      0                    one
//! Slots    its slot             one for each master of a cluster, which has many slots
//! Ring     its store, and the   one for each store
//!          one that stands in
//! ```

use super::ring::{RingOptions, RingOwners};
use super::server::{PRIMARY, ServerId};
use super::slots::{SLOTS, slot};

/// What a key belongs to, whichever server has that at the time.
pub(crate) type Partition = u16;

/// What was read of one partition from one of its servers: the generations of the keys carry it.
pub(crate) type Tag = u16;

/// How many servers of a shard have tags of their own in a cluster: a tag has 16 bits, a slot 14.
const SLOT_RANKS: u16 = 4;

/// A slot that no shard has.
const NOBODY: u16 = u16::MAX;

/// A server that takes writes, and its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) master: ServerId,
    pub(crate) replicas: Vec<ServerId>,
}

impl Shard {
    /// The master, then its replicas.
    pub(crate) fn servers(&self) -> impl Iterator<Item = ServerId> {
        std::iter::once(self.master).chain(self.replicas.iter().copied())
    }

    fn rank(&self, server: ServerId) -> Option<usize> {
        self.servers().position(|one| one == server)
    }
}

/// How keys are shared out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owners {
    /// One shard has all.
    One,
    /// The shard of each slot.
    Slots(Box<[u16]>),
    /// The stores of a ring, each of which is a shard.
    Ring(RingOwners),
}

/// The partition of the keys of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// It has no key.
    Keyless,
    /// All its keys are in one.
    One(Partition),
    /// They are in several.
    Several,
}

/// Where keys are.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// Another one for each map.
    pub(crate) epoch: u64,
    owners: Owners,
    shards: Vec<Shard>,
    /// How many servers of a shard have tags of their own; others share those of replicas.
    ranks: u16,
}

impl Map {
    /// One store with its replicas.
    pub(super) fn one(replicas: Vec<ServerId>) -> Self {
        let ranks = replicas.len() as u16 + 1;
        let shards = vec![Shard { master: PRIMARY, replicas }];
        Self { epoch: 0, owners: Owners::One, shards, ranks }
    }

    /// A cluster of which nothing is known yet.
    pub(super) fn unknown_slots() -> Self {
        let nobody = vec![NOBODY; usize::from(SLOTS)].into();
        Self { epoch: 0, owners: Owners::Slots(nobody), shards: vec![], ranks: SLOT_RANKS }
    }

    /// Independent stores of these numbers, in the order of the ring's nodes.
    pub(super) fn ring(options: &RingOptions, ids: Vec<ServerId>) -> Self {
        Self::of_owners(RingOwners::new(options, ids))
    }

    /// Another ring in the place of this one; `None` if this is none, or it is the same.
    pub(super) fn with_ring(&self, options: &RingOptions, ids: Vec<ServerId>) -> Option<Self> {
        let Owners::Ring(ring) = &self.owners else { return None };
        (!ring.is_of(options, &ids)).then(|| Self::of_owners(ring.replaced(options, ids)))
    }

    fn of_owners(ring: RingOwners) -> Self {
        let shard = |master: &ServerId| Shard { master: *master, replicas: vec![] };
        let shards = ring.ids().iter().map(shard).collect();
        Self { epoch: 0, owners: Owners::Ring(ring), shards, ranks: 1 }
    }

    /// The same ring with a store down or up again; `None` if that changes nothing.
    pub(super) fn with_down(&self, store: ServerId, down: bool) -> Option<Self> {
        let Owners::Ring(ring) = &self.owners else { return None };
        let owners = Owners::Ring(ring.with(store, down)?);
        Some(Self { owners, ..self.clone() })
    }

    /// A cluster whose shards have these ranges of slots, both ends included.
    pub(super) fn with_slots(&self, shards: Vec<(Shard, Vec<(u16, u16)>)>) -> Self {
        let mut owners = vec![NOBODY; usize::from(SLOTS)];
        for (at, (_, ranges)) in shards.iter().enumerate() {
            for (from, to) in ranges.iter().filter(|(from, to)| from <= to && *to < SLOTS) {
                owners[usize::from(*from)..=usize::from(*to)].fill(at as u16);
            }
        }
        let shards = shards.into_iter().map(|(shard, _)| shard).collect();
        Self { epoch: 0, owners: Owners::Slots(owners.into()), shards, ranks: self.ranks }
    }

    /// How many tags there can be.
    pub(super) fn tags(&self) -> usize {
        let partitions = match &self.owners {
            Owners::One => 1,
            Owners::Slots(_) => usize::from(SLOTS),
            Owners::Ring(_) => RingOwners::PARTITIONS,
        };
        partitions * usize::from(self.ranks)
    }

    /// Whether all keys belong to one server.
    #[inline]
    pub(crate) fn is_one(&self) -> bool {
        matches!(self.owners, Owners::One)
    }

    /// Whether nothing is known of a cluster yet.
    pub(crate) fn is_unknown(&self) -> bool {
        self.shards.is_empty()
    }

    /// What a key belongs to.
    #[inline]
    pub(crate) fn partition(&self, key: &[u8]) -> Partition {
        match &self.owners {
            Owners::One => 0,
            Owners::Slots(_) => slot(key),
            Owners::Ring(ring) => ring.partition(key),
        }
    }

    /// What these keys belong to.
    pub(crate) fn span<'a>(&self, mut keys: impl Iterator<Item = &'a [u8]>) -> Span {
        let Some(first) = keys.next().map(|key| self.partition(key)) else { return Span::Keyless };
        match self.is_one() || keys.all(|key| self.partition(key) == first) {
            true => Span::One(first),
            false => Span::Several,
        }
    }

    /// Who has a partition; `None` if nobody has.
    #[inline]
    pub(crate) fn shard(&self, partition: Partition) -> Option<&Shard> {
        match &self.owners {
            Owners::One => self.shards.first(),
            Owners::Slots(slots) => {
                self.shards.get(usize::from(*slots.get(usize::from(partition))?))
            }
            Owners::Ring(ring) => {
                let serving = ring.serving(partition);
                self.shards.iter().find(|shard| shard.master == serving)
            }
        }
    }

    /// Who takes writes of a partition; `None` if nobody does.
    #[inline]
    pub(crate) fn owner(&self, partition: Partition) -> Option<ServerId> {
        match &self.owners {
            Owners::One => Some(PRIMARY),
            Owners::Slots(_) | Owners::Ring(_) => self.shard(partition).map(|shard| shard.master),
        }
    }

    /// All shards.
    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// All servers that take writes.
    pub(crate) fn masters(&self) -> impl Iterator<Item = ServerId> {
        self.shards.iter().map(|shard| shard.master)
    }

    /// The servers that take writes and are not known to be down, by their numbers.
    pub(crate) fn serving(&self) -> Vec<ServerId> {
        let is_up = |server: &ServerId| match &self.owners {
            Owners::Ring(ring) => !ring.is_down(*server),
            _ => true,
        };
        let mut serving: Vec<_> = self.masters().filter(is_up).collect();
        serving.sort_unstable();
        serving
    }

    /// The store of a ring that has what belongs to no key.
    pub(crate) fn first_of_ring(&self) -> Option<ServerId> {
        match &self.owners {
            Owners::Ring(ring) => Some(ring.first()),
            _ => None,
        }
    }

    /// The stores of a ring where copies of what was read of a key may lie, `most` at the most.
    pub(crate) fn stores_behind(&self, key: &[u8], most: usize) -> Vec<ServerId> {
        match &self.owners {
            Owners::Ring(ring) => ring.behind(key).take(most).collect(),
            _ => vec![],
        }
    }

    /// Whether a store takes requests, as far as it is known.
    pub(crate) fn is_up(&self, server: ServerId) -> bool {
        match &self.owners {
            Owners::Ring(ring) => self.leads(server) && !ring.is_down(server),
            _ => self.leads(server),
        }
    }

    /// All replicas.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = ServerId> {
        self.shards.iter().flat_map(|shard| shard.replicas.iter().copied())
    }

    /// Whose replica a server is.
    pub(crate) fn master_of(&self, replica: ServerId) -> Option<ServerId> {
        let shard = self.shards.iter().find(|shard| shard.replicas.contains(&replica));
        shard.map(|shard| shard.master)
    }

    /// Whether a server takes writes.
    pub(crate) fn leads(&self, server: ServerId) -> bool {
        self.masters().any(|master| master == server)
    }

    /// The tag of what is read of a partition from a server; `None` if that does not have it.
    pub(crate) fn tag(&self, partition: Partition, server: ServerId) -> Option<Tag> {
        let rank = self.shard(partition)?.rank(server)?;
        Some(partition * self.ranks + self.shared_rank(rank))
    }

    /// The rank by which a server's tags are made, which others may share.
    fn shared_rank(&self, rank: usize) -> u16 {
        let others = usize::from(self.ranks) - 1;
        if rank == 0 { 0 } else { ((rank - 1) % others + 1) as u16 }
    }

    /// The server that a tag is of: the first, if several share it.
    pub(crate) fn server_of(&self, tag: Tag) -> Option<ServerId> {
        let shard = self.shard(tag / self.ranks)?;
        shard.servers().nth(usize::from(tag % self.ranks))
    }

    /// The tags of all that can have been read of a server.
    pub(crate) fn tags_of(&self, server: ServerId) -> Vec<Tag> {
        let rank = |shard: &Shard| shard.rank(server).map(|rank| self.shared_rank(rank));
        let ranks: Vec<Option<u16>> = self.shards.iter().map(rank).collect();
        match &self.owners {
            Owners::One => ranks.into_iter().flatten().collect(),
            Owners::Slots(slots) => (0..SLOTS)
                .zip(slots)
                .filter_map(|(slot, shard)| Some((slot, (*ranks.get(usize::from(*shard))?)?)))
                .map(|(slot, rank)| slot * self.ranks + rank)
                .collect(),
            Owners::Ring(ring) => {
                let all = 0..RingOwners::PARTITIONS as Partition;
                all.filter(|partition| ring.serving(*partition) == server).collect()
            }
        }
    }

    /// Whether what was read of a key can have one of these tags.
    pub(crate) fn concerns<'a>(&'a self, tags: &[Tag]) -> impl Fn(&[u8]) -> bool + use<'a> {
        let mut partitions = vec![false; self.tags() / usize::from(self.ranks)];
        tags.iter().for_each(|tag| partitions[usize::from(tag / self.ranks)] = true);
        move |key| partitions[usize::from(self.partition(key))]
    }

    /// Whether another map of the same kind says the same.
    pub(super) fn says_the_same(&self, next: &Self) -> bool {
        self.owners == next.owners && self.shards == next.shards
    }

    /// The tags of what is somebody else's in another map of the same kind, and whether a partition has
    /// another owner there.
    pub(super) fn moved(&self, next: &Self) -> (Vec<Tag>, bool) {
        if let (Owners::Ring(ring), Owners::Ring(next)) = (&self.owners, &next.owners) {
            // Its partitions have one server and one tag each.
            return (ring.moved(next), true);
        }
        let (mut tags, mut owners) = (vec![], false);
        for partition in 0..(self.tags() / usize::from(self.ranks)) as u16 {
            let (old, new) = (self.shard(partition), next.shard(partition));
            if old == new {
                continue;
            }
            owners |= old.map(|shard| shard.master) != new.map(|shard| shard.master);
            for rank in 0..self.ranks {
                let at = |shard: Option<&Shard>| -> Vec<ServerId> {
                    let all = shard.into_iter().flat_map(|shard| shard.servers().enumerate());
                    let of = all.filter(|(at, _)| self.shared_rank(*at) == rank);
                    of.map(|(_, server)| server).collect()
                };
                if at(old) != at(new) {
                    tags.push(partition * self.ranks + rank);
                }
            }
        }
        (tags, owners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(master: ServerId, replicas: &[ServerId]) -> Shard {
        Shard { master, replicas: replicas.to_vec() }
    }

    #[test]
    fn one_store_has_all_keys_and_a_tag_for_each_server() {
        let map = Map::one(vec![1, 2]);
        assert_eq!((map.partition(b"a"), map.owner(0), map.tags()), (0, Some(PRIMARY), 3));
        for server in 0..3 {
            assert_eq!((map.tag(0, server), map.server_of(server)), (Some(server), Some(server)));
            assert_eq!(map.tags_of(server), [server]);
        }
        assert_eq!(map.span([b"a".as_slice(), b"b"].into_iter()), Span::One(0));
        assert_eq!(map.span(std::iter::empty()), Span::Keyless);
    }

    #[test]
    fn a_slot_that_moves_ends_what_was_read_of_it_and_no_more() {
        let unknown = Map::unknown_slots();
        assert!(unknown.is_unknown() && unknown.owner(7).is_none());
        let before = unknown.with_slots(vec![
            (shard(0, &[3]), vec![(0, 9999)]),
            (shard(1, &[]), vec![(10_000, 16_383)]),
        ]);
        let after = unknown.with_slots(vec![
            (shard(0, &[3]), vec![(1, 9999)]),
            (shard(1, &[]), vec![(0, 0), (10_000, 16_383)]),
        ]);
        assert_eq!(before.moved(&after), (vec![0, 1], true));
        assert_eq!(before.moved(&before), (vec![], false));
        assert_eq!((before.tag(0, 3), before.server_of(1)), (Some(1), Some(3)));
        let concerned = after.concerns(&[after.tag(slot(b"a"), 1).unwrap()]);
        assert_eq!([b"a".as_slice(), b"{a}1", b"b"].map(concerned), [true, true, false]);
        assert_eq!((after.tag(0, 3), after.tag(0, 1), after.owner(0)), (None, Some(0), Some(1)));
        assert_eq!(after.tags_of(1).len(), 1 + 6384);
    }

    #[test]
    fn a_failover_ends_what_was_read_of_the_servers_that_changed_places() {
        let unknown = Map::unknown_slots();
        let of = |all: Shard| unknown.with_slots(vec![(all, vec![(5, 5)])]);
        let (before, after) = (of(shard(0, &[1, 2])), of(shard(1, &[2])));
        assert_eq!(before.moved(&after), (vec![20, 21, 22], true));
        let another = of(shard(0, &[1, 2, 3]));
        assert_eq!(before.moved(&another), (vec![23], false));
        // A fourth replica shares the tags of the first.
        let many = of(shard(0, &[1, 2, 3, 4]));
        assert_eq!((many.tag(5, 4), many.tag(5, 1)), (Some(21), Some(21)));
    }

    #[test]
    fn keys_of_several_slots_span_them() {
        let map = Map::unknown_slots();
        assert_eq!(map.span([b"{a}1".as_slice(), b"{a}2"].into_iter()), Span::One(15495));
        assert_eq!(map.span([b"a".as_slice(), b"b"].into_iter()), Span::Several);
    }
}

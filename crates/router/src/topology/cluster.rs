//! What the servers of a Redis Cluster say of it (`CLUSTER SLOTS` and `CLUSTER INFO`), and the map that
//! follows from what several of them say.
//!
//! Servers may contradict each other: one that is cut off from the others, or has not heard yet. The
//! highest epoch wins, since each failover and each slot that has moved makes a higher one; among
//! those of the same epoch, for each slot, the majority. An answer from before what is known is taken
//! only if most of the masters say so: then the cluster was made anew.

use super::map::{Map, Shard};
use super::server::ServerId;
use super::servers::Servers;
use super::slots::SLOTS;
use crate::upstream::StoreAddress;
use breakwater_resp::Reply;
use std::collections::HashMap;

/// How a cluster is found, and what its servers are known by.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// Servers that are asked first; the others are met with the user, the password and the TLS of
    /// the first.
    pub seeds: Vec<StoreAddress>,
    /// What is reached under other addresses than the cluster says: each with its own in its place.
    pub announce: HashMap<(String, u16), (String, u16)>,
}

/// What one server says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterView {
    epoch: u64,
    /// Whether it takes the cluster for whole.
    ok: bool,
    ranges: Vec<SlotRange>,
}

/// Slots, both ends included, and who has them: the master first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SlotRange {
    from: u16,
    to: u16,
    servers: Vec<ServerId>,
}

impl ClusterOptions {
    /// The number of a server by what the cluster says of it, which is no host where that is the one
    /// that was asked.
    pub(crate) fn number(
        &self,
        servers: &Servers,
        asked: ServerId,
        host: &str,
        port: u16,
    ) -> Option<ServerId> {
        let asked = &servers.get(asked)?.address;
        let host = if host.is_empty() || host == "?" { &asked.host } else { host };
        let said = (host.to_owned(), port);
        let (host, port) = self.announce.get(&said).cloned().unwrap_or(said);
        let seed = self.seeds.first()?;
        servers.number(&StoreAddress { host, port, unix: false, ..seed.clone() })
    }

    /// What the replies to `CLUSTER SLOTS` and `CLUSTER INFO` of a server say; `None` if that is no
    /// answer.
    pub(crate) fn answer(
        &self,
        servers: &Servers,
        asked: ServerId,
        slots: &Reply<'_>,
        info: &Reply<'_>,
    ) -> Option<ClusterView> {
        let Reply::Array(all) = slots else { return None };
        let range = |reply: &Reply<'_>| {
            let Reply::Array(parts) = reply else { return None };
            let [Reply::Integer(from), Reply::Integer(to), nodes @ ..] = &parts[..] else {
                return None;
            };
            let node = |reply: &Reply<'_>| {
                let Reply::Array(parts) = reply else { return None };
                let [host, Reply::Integer(port), ..] = &parts[..] else { return None };
                let host = String::from_utf8_lossy(host.text().unwrap_or_default());
                self.number(servers, asked, &host, u16::try_from(*port).ok()?)
            };
            let (from, to) = (u16::try_from(*from).ok()?, u16::try_from(*to).ok()?);
            // Without its master nobody can be asked; without a replica all goes on.
            let master = node(nodes.first()?)?;
            let replicas = nodes[1..].iter().filter_map(node);
            let servers = std::iter::once(master).chain(replicas).collect();
            Some(SlotRange { from, to, servers })
        };
        let ranges = all.iter().map(range).collect::<Option<Vec<_>>>()?;
        let text = info.text().map(String::from_utf8_lossy).unwrap_or_default();
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let epoch = field("cluster_current_epoch").and_then(|epoch| epoch.parse().ok());
        let ok = field("cluster_state") != Some("fail");
        Some(ClusterView { epoch: epoch.unwrap_or(0), ok, ranges })
    }
}

/// The map that follows from what servers have said, and its epoch in the cluster; `None` if that is
/// older than `known`, the epoch of `now`, and most of the masters have not said so.
pub(super) fn combine(now: &Map, known: u64, answers: &[ClusterView]) -> Option<(Map, u64)> {
    let epoch = answers.iter().map(|answer| answer.epoch).max()?;
    if epoch < known && answers.len() * 2 <= now.shards().len() {
        return None;
    }
    let newest = || answers.iter().filter(|answer| answer.epoch == epoch);
    let whole = newest().any(|answer| answer.ok);
    let mut voters: Vec<&ClusterView> = newest().filter(|answer| answer.ok == whole).collect();
    if voters.iter().all(|voter| voter.ranges == voters[0].ranges) {
        voters.truncate(1);
    }
    let votes: Vec<Vec<Option<ServerId>>> = voters.iter().map(|answer| answer.owners()).collect();
    let mut shards: Vec<(Shard, Vec<(u16, u16)>)> = vec![];
    for slot in 0..SLOTS {
        let said = || votes.iter().map(|owners| owners[usize::from(slot)]);
        let count = |owner: Option<ServerId>| said().filter(|one| *one == owner).count();
        let held = now.owner(slot);
        let rank = |owner: &Option<ServerId>| (count(*owner), *owner == held, owner.is_some());
        let Some(master) = said().max_by_key(rank).flatten() else { continue };
        match shards.iter_mut().find(|(shard, _)| shard.master == master) {
            Some((_, ranges)) => match ranges.last_mut() {
                Some((_, to)) if *to + 1 == slot => *to = slot,
                _ => ranges.push((slot, slot)),
            },
            None => {
                let of = |answer: &&ClusterView| answer.replicas(master);
                let replicas = voters.iter().find_map(of).unwrap_or_default();
                shards.push((Shard { master, replicas }, vec![(slot, slot)]));
            }
        }
    }
    Some((now.with_slots(shards), epoch))
}

impl ClusterView {
    fn owners(&self) -> Vec<Option<ServerId>> {
        let mut owners = vec![None; usize::from(SLOTS)];
        for SlotRange { from, to, servers } in &self.ranges {
            if from <= to && *to < SLOTS {
                owners[usize::from(*from)..=usize::from(*to)].fill(servers.first().copied());
            }
        }
        owners
    }

    /// The replicas of a master, in the order of their numbers.
    fn replicas(&self, master: ServerId) -> Option<Vec<ServerId>> {
        let of = self.ranges.iter().find(|range| range.servers.first() == Some(&master))?;
        let mut replicas = of.servers[1..].to_vec();
        replicas.sort_unstable();
        replicas.dedup();
        Some(replicas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> StoreAddress {
        let (host, user, password) = (host.into(), None, Some("secret".into()));
        StoreAddress { host, port, unix: false, tls: false, user, password }
    }

    fn answer(epoch: u64, ranges: &[(u16, u16, &[ServerId])]) -> ClusterView {
        let range = |(from, to, servers): &(u16, u16, &[ServerId])| SlotRange {
            from: *from,
            to: *to,
            servers: servers.to_vec(),
        };
        ClusterView { epoch, ok: true, ranges: ranges.iter().map(range).collect() }
    }

    const FIRST: u16 = 8191;
    const LAST: u16 = SLOTS - 1;

    #[test]
    fn no_host_is_the_one_that_was_asked_and_private_ones_are_replaced() {
        let seeds = vec![at("outside", 7000)];
        let announce = [(("10.0.0.2".to_owned(), 6379), ("outside".to_owned(), 7001))];
        let options = ClusterOptions { seeds: seeds.clone(), announce: announce.into() };
        let servers = Servers::new(seeds, 8);
        let bytes = b"*2\r\n*4\r\n:0\r\n:99\r\n*2\r\n$0\r\n\r\n:7000\r\n*2\r\n_\r\n:7002\r\n\
                      *3\r\n:100\r\n:16383\r\n*2\r\n$8\r\n10.0.0.2\r\n:6379\r\n";
        let info = Reply::Bulk(b"cluster_state:ok\r\ncluster_current_epoch:7\r\n".into());
        let said = options.answer(&servers, 0, &Reply::decode(bytes).unwrap(), &info).unwrap();
        assert_eq!(said, answer(7, &[(0, 99, &[0, 1]), (100, LAST, &[2])]));
        let places: Vec<_> = servers.iter().map(|(_, one)| one.address.place()).collect();
        assert_eq!(places, ["outside:7000", "outside:7002", "outside:7001"]);
        assert_eq!(servers.get(2).unwrap().address.password.as_deref(), Some("secret"));
        assert_eq!(options.answer(&servers, 0, &Reply::Null, &info), None);
    }

    #[test]
    fn of_two_owners_of_a_slot_the_one_of_the_higher_epoch_has_it() {
        let unknown = Map::unknown_slots();
        let old = answer(3, &[(0, LAST, &[0])]);
        let new = answer(4, &[(0, FIRST, &[1]), (FIRST + 1, LAST, &[0])]);
        for answers in [[old.clone(), new.clone()], [new, old.clone()]] {
            let (map, epoch) = combine(&unknown, 0, &answers).unwrap();
            assert_eq!((map.owner(0), map.owner(LAST), epoch), (Some(1), Some(0), 4));
            assert!(combine(&map, epoch, std::slice::from_ref(&old)).is_none(), "it is older");
            let made_anew = [old.clone(), old.clone()];
            assert!(combine(&map, epoch, &made_anew).is_some(), "all masters say so");
        }
    }

    #[test]
    fn of_the_same_epoch_the_majority_counts_and_then_what_is_known() {
        let now = Map::unknown_slots();
        let one = answer(3, &[(0, LAST, &[1])]);
        let other = answer(3, &[(0, LAST, &[2])]);
        let (map, _) = combine(&now, 0, &[one.clone(), other.clone(), other.clone()]).unwrap();
        assert_eq!(map.owner(5), Some(2));
        let (map, _) = combine(&map, 3, &[one.clone(), other.clone()]).unwrap();
        assert_eq!(map.owner(5), Some(2), "nobody has more votes than who has it");
        let cut_off = ClusterView { ok: false, ..one };
        let (map, _) = combine(&now, 0, &[cut_off.clone(), cut_off, other]).unwrap();
        assert_eq!(map.owner(5), Some(2), "who knows that it is cut off has no vote");
    }
}

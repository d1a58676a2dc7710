//! A Redis Cluster whose every move the test makes: servers that know of slots what they were told, and
//! keep what was written.

mod talk;
mod view;

use super::wires::Line;
use std::collections::{BTreeMap, BTreeSet};
use talk::Peer;
pub use view::{View, slot};

/// Masters and the shards that they begin with; the last has no slot at first, and no replica.
pub const SHARDS: usize = 4;
/// Servers: the masters, then the replicas of all shards but the last.
pub const NODES: usize = 2 * SHARDS - 1;
pub const PORT: u16 = 7000;
/// A server.
struct Node {
    shard: usize,
    up: bool,
    /// Whether it hears from most of the others.
    ok: bool,
    view: View,
    data: BTreeMap<String, String>,
    /// How much of its shard's writes it has.
    applied: usize,
    /// Slots that leave, and those that come, with the other shard.
    migrating: BTreeMap<u16, usize>,
    importing: BTreeSet<u16>,
    /// Who is to be told of the next change of which keys.
    tracked: BTreeSet<(Line, String)>,
}

/// The cluster.
pub struct Cluster {
    nodes: Vec<Node>,
    peers: BTreeMap<Line, Peer>,
    /// What is so, which servers learn one after the other.
    pub truth: View,
    /// The writes of each shard, in order; `None` where a key left.
    logs: [Vec<(String, Option<String>)>; SHARDS],
    /// What each key had, in order.
    pub past: BTreeMap<String, Vec<String>>,
    /// How often each key was read.
    pub reads: BTreeMap<String, usize>,
    /// Writes that were refused, with who has refused them; and those that were done by whom an earlier
    /// write of the same client and key was refused, which is still to be done.
    refused: BTreeSet<(usize, String, String)>,
    overtook: BTreeSet<(String, String)>,
}

/// The client of a value, and the number of the write among its own.
fn write_of(mark: &str) -> Option<(u64, usize)> {
    let (client, number) = mark.split_once('.')?;
    Some((client.parse().ok()?, number.parse().ok()?))
}

impl Cluster {
    pub fn new() -> Self {
        let masters = std::array::from_fn(|shard| shard);
        let truth = View { epoch: 1, moved: BTreeMap::new(), masters };
        let node = |at: usize| Node {
            shard: at % SHARDS,
            up: true,
            ok: true,
            view: truth.clone(),
            data: BTreeMap::new(),
            applied: 0,
            migrating: BTreeMap::new(),
            importing: BTreeSet::new(),
            tracked: BTreeSet::new(),
        };
        Self {
            nodes: (0..NODES).map(node).collect(),
            peers: BTreeMap::new(),
            truth: truth.clone(),
            logs: std::array::from_fn(|_| vec![]),
            past: BTreeMap::new(),
            reads: BTreeMap::new(),
            refused: BTreeSet::new(),
            overtook: BTreeSet::new(),
        }
    }

    /// A slot begins to move to another shard, unless it moves already.
    pub fn begin_move(&mut self, slot: u16, to: usize) {
        let from = self.truth.shard(slot);
        let [source, target] = [from, to].map(|shard| self.truth.masters[shard]);
        let fit =
            |node: usize| self.knows(node) && self.nodes[node].view.masters == self.truth.masters;
        if from == to || !fit(source) || !fit(target) || self.moves(slot) {
            return;
        }
        self.nodes[target].importing.insert(slot);
        self.nodes[source].migrating.insert(slot, to);
    }

    fn moves(&self, slot: u16) -> bool {
        self.nodes
            .iter()
            .any(|node| node.migrating.contains_key(&slot) || node.importing.contains(&slot))
    }

    /// Whether a server is there and knows what is so.
    fn knows(&self, node: usize) -> bool {
        let Node { up, ok, view, .. } = &self.nodes[node];
        *up && *ok && view.epoch == self.truth.epoch
    }

    fn source(&self, slot: u16) -> Option<(usize, usize)> {
        let source = self.truth.owner(slot);
        let to = *self.nodes[source].migrating.get(&slot)?;
        Some((source, self.truth.masters[to]))
    }

    /// The first key of a slot that moves goes to its new owner; whether there was one.
    pub fn move_key(&mut self, slot_: u16) -> bool {
        let Some((source, target)) = self.source(slot_) else { return false };
        let key = self.nodes[source].data.keys().find(|key| slot(key) == slot_).cloned();
        let Some(key) = key else { return false };
        let value = self.nodes[source].data[&key].clone();
        self.change(target, &key, Some(value));
        self.change(source, &key, None);
        true
    }

    /// A slot is its new owner's, once that has all its keys. The old one does not know it yet.
    pub fn finish_move(&mut self, slot: u16) {
        let Some((_, target)) = self.source(slot) else { return };
        while self.move_key(slot) {}
        let shard = self.nodes[target].shard;
        self.truth.moved.insert(slot, shard);
        self.truth.epoch += 1;
        self.learn(target);
    }

    /// A server is told what is so.
    pub fn learn(&mut self, node: usize) {
        if !self.nodes[node].up {
            return;
        }
        let led = self.leads(node);
        let truth = self.truth.clone();
        let at = &mut self.nodes[node];
        (at.view, at.ok) = (truth, true);
        let View { moved, .. } = &at.view;
        let own = at.shard;
        at.migrating.retain(|slot, _| at.view.shard(*slot) == own);
        at.importing.retain(|slot| moved.get(slot) != Some(&own));
        if led && !self.leads(node) {
            // It takes over all that its master has.
            let master = &self.nodes[self.truth.masters[own]];
            let (data, applied) = (master.data.clone(), self.logs[own].len());
            let at = &mut self.nodes[node];
            (at.data, at.applied) = (data, applied);
            at.tracked.clear();
            for peer in self.peers.values_mut().filter(|peer| peer.node == node) {
                peer.touched |= !peer.watched.is_empty();
                if peer.tracks {
                    peer.sent.extend(b">2\r\n+invalidate\r\n_\r\n");
                }
            }
        }
    }

    fn leads(&self, node: usize) -> bool {
        self.nodes[node].view.masters[self.nodes[node].shard] == node
    }

    /// A shard's other server takes the place of its master.
    pub fn fail_over(&mut self, shard: usize) {
        let old = self.truth.masters[shard];
        let new = if old < SHARDS { old + SHARDS } else { old - SHARDS };
        // Nobody is elected who hears nothing of the others, and has not the writes of its master.
        let elected = new < NODES && self.nodes[new].up && self.nodes[new].ok;
        if !elected || self.is_moving(shard) {
            return;
        }
        self.replicate(new);
        self.truth.masters[shard] = new;
        self.truth.epoch += 1;
        self.learn(new);
        if self.nodes[old].up && self.nodes[old].ok {
            self.learn(old);
        }
    }

    /// Whether a slot of a shard moves, or comes to it: then its master has to stay.
    fn is_moving(&self, shard: usize) -> bool {
        let all = self.nodes.iter();
        all.filter(|node| node.shard == shard)
            .any(|node| !node.migrating.is_empty() || !node.importing.is_empty())
    }

    /// A master does not hear from the others any more, and answers nothing; another one may take its
    /// place.
    pub fn part(&mut self, shard: usize) {
        if !self.is_moving(shard) {
            self.nodes[self.truth.masters[shard]].ok = false;
        }
    }

    /// A server ends, if it has nothing that no other one has; which connections end with it.
    pub fn kill(&mut self, node: usize) -> Vec<Line> {
        let shard = self.nodes[node].shard;
        if shard + SHARDS >= NODES || self.is_moving(shard) {
            return vec![];
        }
        let other = if node < SHARDS { node + SHARDS } else { node - SHARDS };
        if !self.nodes[other].up || (self.truth.masters[shard] != node && self.nodes[node].ok) {
            return vec![];
        }
        let Node { up, ok, tracked, .. } = &mut self.nodes[node];
        (*up, *ok) = (false, false);
        tracked.clear();
        let lines = self.peers.iter().filter(|(_, peer)| peer.node == node);
        lines.map(|(line, _)| *line).collect()
    }

    /// A server that ended is back, and knows nothing new.
    pub fn revive(&mut self, node: usize) {
        self.nodes[node].up = true;
    }

    pub fn is_up(&self, node: usize) -> bool {
        self.nodes[node].up
    }

    /// A replica does what its master has done.
    pub fn replicate(&mut self, node: usize) {
        let Node { shard, up, ok, .. } = self.nodes[node];
        if self.leads(node) || !up || !ok {
            return;
        }
        while let Some((key, value)) = self.logs[shard].get(self.nodes[node].applied).cloned() {
            self.put(node, &key, value);
        }
    }

    /// Everybody is there and knows what is so, and no slot moves.
    pub fn calm(&mut self) {
        (0..NODES).for_each(|node| self.revive(node));
        for slot in
            self.nodes.iter().flat_map(|node| node.migrating.keys().copied()).collect::<Vec<_>>()
        {
            self.finish_move(slot);
        }
        (0..NODES).for_each(|node| self.learn(node));
        (0..NODES).for_each(|node| self.replicate(node));
    }

    /// Somebody writes by another way than the node.
    pub fn write(&mut self, key: &str, value: &str) {
        let owner = self.truth.owner(slot(key));
        let node = match self.source(slot(key)) {
            Some((source, target)) if !self.nodes[source].data.contains_key(key) => target,
            _ => owner,
        };
        if self.nodes[node].up && self.nodes[node].ok {
            self.wrote(node, key, value);
        }
    }

    fn wrote(&mut self, node: usize, key: &str, value: &str) {
        let done = |mark: &String| self.past.get(key).is_some_and(|past| past.contains(mark));
        let (client, number) = write_of(value).expect("a mark");
        let overtakes = self.refused.iter().any(|(by, of, mark)| {
            let earlier = write_of(mark).is_some_and(|(of, at)| of == client && at < number);
            (*by, of.as_str()) == (node, key) && earlier && !done(mark)
        });
        if overtakes {
            self.overtook.insert((key.into(), value.into()));
        }
        self.past.entry(key.into()).or_default().push(value.into());
        self.change(node, key, Some(value.into()));
    }

    /// A master has another value, or none, and its replicas will.
    fn change(&mut self, node: usize, key: &str, value: Option<String>) {
        assert!(self.truth.masters.contains(&node), "only masters write");
        self.logs[self.nodes[node].shard].push((key.into(), value.clone()));
        self.put(node, key, value);
    }

    fn put(&mut self, node: usize, key: &str, value: Option<String>) {
        let at = &mut self.nodes[node];
        at.applied += 1;
        match value {
            Some(value) => at.data.insert(key.into(), value),
            None => at.data.remove(key),
        };
        let told: Vec<_> =
            at.tracked.extract_if(.., |(_, of)| of == key).map(|(line, _)| line).collect();
        for line in told {
            if let Some(peer) = self.peers.get_mut(&line) {
                let push = format!(">2\r\n+invalidate\r\n*1\r\n${}\r\n{key}\r\n", key.len());
                peer.sent.extend(push.bytes());
            }
        }
        for peer in self.peers.values_mut().filter(|peer| peer.node == node) {
            peer.touched |= peer.watched.contains(key);
        }
    }

    /// Whether a write was done before an earlier one of its client, which its server has refused.
    pub fn has_overtaken(&self, key: &str, mark: &str) -> bool {
        self.overtook.contains(&(key.into(), mark.into()))
    }
}

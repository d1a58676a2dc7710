//! A Redis Cluster whose every move the test makes: servers that know of slots what they were told,
//! answer as Redis does by what they know, and keep what was written.

use breakwater_resp::{Args, Parsed, RequestParser};
use breakwater_router::LinkId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The number of a relay, and of one of its connections.
pub type Line = (u64, LinkId);

/// Masters and the shards that they begin with; the last has no slot at first, and no replica.
pub const SHARDS: usize = 4;
/// Servers: the masters, then the replicas of all shards but the last.
pub const NODES: usize = 2 * SHARDS - 1;
pub const PORT: u16 = 7000;
const SLOTS: usize = 16_384;

/// The slot of a key: CRC16 (XMODEM) of its hash tag.
pub fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let mut crc = 0u16;
    for byte in tag.filter(|tag| !tag.is_empty()).unwrap_or(key).bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 };
        }
    }
    crc % SLOTS as u16
}

/// What a server knows of who has which slots.
#[derive(Clone, Debug)]
pub struct View {
    epoch: u64,
    /// Slots that have left the shard that they began in.
    moved: BTreeMap<u16, usize>,
    pub masters: [usize; SHARDS],
}

impl View {
    pub fn shard(&self, slot: u16) -> usize {
        let first = usize::from(slot) * (SHARDS - 1) / SLOTS;
        self.moved.get(&slot).copied().unwrap_or(first)
    }

    fn owner(&self, slot: u16) -> usize {
        self.masters[self.shard(slot)]
    }

    /// Ranges of slots, and the shard of each.
    fn ranges(&self) -> Vec<(usize, usize, usize)> {
        let first = |shard: usize| (shard * SLOTS).div_ceil(SHARDS - 1);
        let mut starts: BTreeSet<usize> = (0..SHARDS).map(first).collect();
        starts.extend(
            self.moved.keys().flat_map(|slot| [usize::from(*slot), usize::from(*slot) + 1]),
        );
        let starts: Vec<_> = starts.into_iter().filter(|start| *start <= SLOTS).collect();
        starts.windows(2).map(|pair| (pair[0], pair[1] - 1, self.shard(pair[0] as u16))).collect()
    }
}

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

/// One connection, as its server sees it.
struct Peer {
    node: usize,
    input: Vec<u8>,
    sent: VecDeque<u8>,
    resp3: bool,
    tracks: bool,
    asking: bool,
    caching: bool,
    readonly: bool,
    /// A transaction that is begun, and whether something of it was refused.
    queue: Option<(Vec<Vec<String>>, bool)>,
    watched: BTreeSet<String>,
    touched: bool,
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

    // ---- what operators and accidents do

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

    // ---- connections

    pub fn open(&mut self, line: Line, node: usize) {
        let peer = Peer {
            node,
            input: vec![],
            sent: VecDeque::new(),
            resp3: false,
            tracks: false,
            asking: false,
            caching: false,
            readonly: false,
            queue: None,
            watched: BTreeSet::new(),
            touched: false,
        };
        self.peers.insert(line, peer);
    }

    pub fn hang_up(&mut self, line: Line) {
        self.peers.remove(&line);
        self.nodes.iter_mut().for_each(|node| node.tracked.retain(|(of, _)| *of != line));
    }

    /// Bytes for the router, at most so many.
    pub fn take(&mut self, line: Line, count: usize) -> Vec<u8> {
        let Some(peer) = self.peers.get_mut(&line) else { return vec![] };
        let count = count.min(peer.sent.len());
        peer.sent.drain(..count).collect()
    }

    /// Bytes of the router.
    pub fn receive(&mut self, line: Line, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(&line) else { return };
        peer.input.extend_from_slice(bytes);
        let (input, mut used) = (std::mem::take(&mut peer.input), 0);
        let mut parser = RequestParser::default();
        while let Parsed::Command(len) = parser.parse(&input[used..], true) {
            let words = words_of(parser.args(&input[used..used + len]));
            let reply = self.run(line, &words);
            if let Some(peer) = self.peers.get_mut(&line) {
                peer.sent.extend(reply.bytes());
            }
            used += len;
        }
        if let Some(peer) = self.peers.get_mut(&line) {
            peer.input = input[used..].to_vec();
        }
    }

    /// Does a command as Redis does: what is refused, what is queued, what is done.
    fn run(&mut self, line: Line, words: &[String]) -> String {
        let name = words[0].as_str();
        let refused = self.refused(line, words);
        let peer = self.peers.get_mut(&line).unwrap();
        if name != "ASKING" && (peer.queue.is_none() || name == "EXEC") {
            peer.asking = false;
        }
        match (&mut peer.queue, refused, name) {
            (queue, Some(why), _) => {
                if matches!(name, "SET" | "MSET") {
                    let marks = words[1..].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
                    self.refused.extend(marks.map(|(key, mark)| (peer.node, key, mark)));
                }
                match queue {
                    Some(_) if name == "EXEC" => {
                        (*queue, peer.touched) = (None, false);
                        peer.watched.clear();
                    }
                    Some((_, fails)) => *fails = true,
                    None => {}
                }
                return why;
            }
            (Some((queue, _)), None, name) if name != "EXEC" => {
                queue.push(words.to_vec());
                return "+QUEUED\r\n".into();
            }
            _ => {}
        }
        if name == "EXEC" {
            let (queue, fails) = peer.queue.take().unwrap_or_default();
            let touched = std::mem::take(&mut peer.touched);
            peer.watched.clear();
            if fails {
                return "-EXECABORT Transaction discarded because of previous errors.\r\n".into();
            }
            if touched {
                return if peer.resp3 { "_\r\n" } else { "*-1\r\n" }.into();
            }
            let replies: String = queue.iter().map(|words| self.answer(line, words)).collect();
            return format!("*{}\r\n{replies}", queue.len());
        }
        self.answer(line, words)
    }

    /// Why a server does not do a command, by what it knows.
    fn refused(&self, line: Line, words: &[String]) -> Option<String> {
        let peer = &self.peers[&line];
        let queued = peer.queue.as_ref().filter(|_| words[0] == "EXEC");
        let all = queued.map_or_else(|| vec![words.to_vec()], |(queue, _)| queue.clone());
        let keys: BTreeSet<String> = all.iter().flat_map(|words| keys_of(words)).collect();
        let reads = all.iter().all(|words| !matches!(words[0].as_str(), "SET" | "MSET" | "WATCH"));
        let node = &self.nodes[peer.node];
        let slot = slot(keys.first()?);
        if !node.ok {
            return Some("-CLUSTERDOWN The cluster is down\r\n".into());
        }
        let missing = keys.iter().filter(|key| !node.data.contains_key(*key)).count();
        let owner = node.view.owner(slot);
        let again = || Some("-TRYAGAIN Multiple keys request during rehashing of slot\r\n".into());
        let place = |node: usize| format!("{slot} n:{}\r\n", usize::from(PORT) + node);
        if owner == peer.node {
            let target = node.migrating.get(&slot).filter(|_| missing > 0)?;
            return match missing < keys.len() {
                true => again(),
                false => Some(format!("-ASK {}", place(node.view.masters[*target]))),
            };
        }
        if node.importing.contains(&slot) && peer.asking {
            return (keys.len() > 1 && missing > 0).then(again).flatten();
        }
        let master = node.view.masters[node.shard];
        let serves = peer.readonly && reads && owner == master && !self.leads(peer.node);
        (!serves).then(|| format!("-MOVED {}", place(owner)))
    }

    fn answer(&mut self, line: Line, words: &[String]) -> String {
        let peer = self.peers.get_mut(&line).unwrap();
        let node = peer.node;
        let caching = words[0] != "CLIENT" && std::mem::take(&mut peer.caching);
        let null = if peer.resp3 { "_\r\n" } else { "$-1\r\n" };
        if matches!(words[0].as_str(), "GET" | "MGET" | "EXISTS") {
            for key in keys_of(words) {
                *self.reads.entry(key.clone()).or_default() += 1;
                if caching {
                    self.nodes[node].tracked.insert((line, key));
                }
            }
        }
        let value = |key: &str| self.nodes[node].data.get(key).map_or(null.into(), |v| bulk(v));
        match words[0].as_str() {
            "HELLO" => {
                peer.resp3 = true;
                "%2\r\n+server\r\n+redis\r\n+version\r\n+7.0.15\r\n".into()
            }
            "PING" => "+PONG\r\n".into(),
            "CLIENT" => {
                peer.tracks |= words[1].eq_ignore_ascii_case("tracking");
                peer.caching = words[1].eq_ignore_ascii_case("caching");
                "+OK\r\n".into()
            }
            "ASKING" => {
                peer.asking = true;
                "+OK\r\n".into()
            }
            "READONLY" | "READWRITE" => {
                peer.readonly = words[0] == "READONLY";
                "+OK\r\n".into()
            }
            "MULTI" => {
                peer.queue = Some((vec![], false));
                "+OK\r\n".into()
            }
            "WATCH" => {
                peer.watched.extend(words[1..].iter().cloned());
                "+OK\r\n".into()
            }
            "UNWATCH" => {
                peer.watched.clear();
                peer.touched = false;
                "+OK\r\n".into()
            }
            "GET" => value(&words[1]),
            "MGET" => {
                let values: String = words[1..].iter().map(|key| value(key)).collect();
                format!("*{}\r\n{values}", words.len() - 1)
            }
            "EXISTS" => {
                let there =
                    words[1..].iter().filter(|key| self.nodes[node].data.contains_key(*key));
                format!(":{}\r\n", there.count())
            }
            "PTTL" => match self.nodes[node].data.contains_key(&words[1]) {
                true => ":-1\r\n".into(),
                false => ":-2\r\n".into(),
            },
            "SET" | "MSET" => {
                for pair in words[1..].chunks(2) {
                    self.wrote(node, &pair[0], &pair[1]);
                }
                "+OK\r\n".into()
            }
            "CLUSTER" if words[1] == "INFO" => {
                let Node { view, ok, .. } = &self.nodes[node];
                let state = if *ok { "ok" } else { "fail" };
                bulk(&format!("cluster_state:{state}\r\ncluster_current_epoch:{}\r\n", view.epoch))
            }
            "CLUSTER" => self.slots(node),
            "INFO" => {
                let (at, leads) = (&self.nodes[node], self.leads(node));
                let history = format!("h{}.{}", at.shard, at.view.masters[at.shard]);
                bulk(&format!(
                    "role:{}\r\nmaster_link_status:up\r\nmaster_replid:{history}\r\n\
                     slave_repl_offset:{1}\r\nmaster_repl_offset:{1}\r\n",
                    if leads { "master" } else { "slave" },
                    at.applied
                ))
            }
            other => panic!("the servers do not know {other}"),
        }
    }

    /// The reply to `CLUSTER SLOTS`.
    fn slots(&self, node: usize) -> String {
        let view = &self.nodes[node].view;
        let server =
            |node: usize| format!("*3\r\n$1\r\nn\r\n:{}\r\n$1\r\ni\r\n", usize::from(PORT) + node);
        let ranges = view.ranges();
        let mut reply = format!("*{}\r\n", ranges.len());
        for (from, to, shard) in ranges {
            let all: Vec<_> = (0..NODES).filter(|node| self.nodes[*node].shard == shard).collect();
            let master = view.masters[shard];
            reply += &format!("*{}\r\n:{from}\r\n:{to}\r\n{}", 2 + all.len(), server(master));
            all.into_iter().filter(|node| *node != master).for_each(|node| reply += &server(node));
        }
        reply
    }
}

fn words_of(args: Args<'_>) -> Vec<String> {
    let mut words: Vec<_> =
        args.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    words[0] = words[0].to_uppercase();
    words
}

fn keys_of(words: &[String]) -> Vec<String> {
    match words[0].as_str() {
        "GET" | "SET" | "PTTL" => vec![words[1].clone()],
        "MGET" | "EXISTS" | "WATCH" => words[1..].to_vec(),
        "MSET" => words[1..].iter().step_by(2).cloned().collect(),
        _ => vec![],
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

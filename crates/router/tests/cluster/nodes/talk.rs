//! How servers of the cluster answer what comes over connections: as Redis does, by what each knows.

use super::{Cluster, Line, NODES, Node, PORT, slot};
use breakwater_resp::{Args, Parsed, RequestParser};
use std::collections::{BTreeSet, VecDeque};

/// One connection, as its server sees it.
pub(super) struct Peer {
    pub(super) node: usize,
    input: Vec<u8>,
    pub(super) sent: VecDeque<u8>,
    resp3: bool,
    pub(super) tracks: bool,
    asking: bool,
    caching: bool,
    readonly: bool,
    /// A transaction that is begun, and whether something of it was refused.
    queue: Option<(Vec<Vec<String>>, bool)>,
    pub(super) watched: BTreeSet<String>,
    pub(super) touched: bool,
}

impl Cluster {
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

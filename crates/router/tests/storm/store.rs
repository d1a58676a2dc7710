//! A store: whatever it is asked it answers in the right form, bears the asker's mark where there is
//! one, and looks whether what belongs to one client comes from one client.

use super::marks;
use super::wires::Line;
use breakwater_resp::{Args, Parsed, RequestParser, write_request};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One connection, as the store sees it.
#[derive(Default)]
struct Peer {
    /// What has come and was not run.
    input: Vec<u8>,
    resp3: bool,
    db: u32,
    /// What it was when its greeting was over.
    kind: Option<(bool, u32)>,
    /// Whose keys are watched, and the store's version then.
    watches: Option<(Option<u64>, u64)>,
    queue: Option<Queue>,
    topics: BTreeSet<(String, String)>,
    monitors: bool,
    /// The reply of a command that waits.
    blocked: Option<Vec<u8>>,
    fails: bool,
    /// What it is sent, and has not got.
    sent: VecDeque<u8>,
}

/// A transaction that is begun.
#[derive(Default)]
struct Queue {
    replies: Vec<Vec<u8>>,
    owner: Option<u64>,
    fails: bool,
}

/// The store.
#[derive(Default)]
pub struct Store {
    peers: BTreeMap<Line, Peer>,
    version: u64,
    /// Whether it answers.
    pub silent: bool,
}

impl Store {
    /// A connection is made.
    pub fn open(&mut self, line: Line) {
        self.peers.insert(line, Peer::default());
    }

    /// A connection has another number from now on.
    pub fn rename(&mut self, from: Line, to: Line) {
        if let Some(peer) = self.peers.remove(&from) {
            self.peers.insert(to, peer);
        }
    }

    /// A connection is gone.
    pub fn hang_up(&mut self, line: Line) {
        self.peers.remove(&line);
    }

    /// Bytes for the node, at most so many.
    pub fn take(&mut self, line: Line, count: usize) -> Vec<u8> {
        let Some(peer) = self.peers.get_mut(&line) else { return vec![] };
        let count = count.min(peer.sent.len());
        peer.sent.drain(..count).collect()
    }

    /// The next command of a connection fails.
    pub fn fail(&mut self, line: Line) {
        if let Some(peer) = self.peers.get_mut(&line) {
            peer.fails = true;
        }
    }

    /// Sends any bytes.
    pub fn say(&mut self, line: Line, bytes: &[u8]) {
        if let Some(peer) = self.peers.get_mut(&line) {
            peer.sent.extend(bytes);
        }
    }

    /// Tells that a key has changed.
    pub fn invalidate(&mut self, line: Line, key: u8) {
        if let Some(peer) = self.peers.get_mut(&line).filter(|peer| peer.resp3) {
            peer.sent.extend(format!(">2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nk{key}\r\n").bytes());
        }
    }

    /// Publishes to a channel, its pattern and the channel of shards of its name.
    pub fn publish(&mut self, channel: u8) {
        let (channel, body) = (format!("c{channel}"), "news");
        for peer in self.peers.values_mut() {
            let topics = peer.topics.iter().filter(|(_, topic)| *topic == channel);
            for (prefix, _) in topics.cloned().collect::<Vec<_>>() {
                let name = format!("{prefix}message");
                let mut words = vec![name.as_str(), &channel, body];
                if prefix == "p" {
                    words.insert(1, &channel);
                }
                let mut push = vec![];
                write_request(&mut push, &words);
                push[0] = b'>';
                peer.sent.extend(push);
            }
        }
    }

    /// What waits on a connection is done, and what came behind it.
    pub fn release(&mut self, line: Line) {
        let Some(peer) = self.peers.get_mut(&line) else { return };
        if let Some(reply) = peer.blocked.take() {
            peer.sent.extend(reply);
        }
        self.receive(line, &[]);
    }

    /// Whether a connection waits for what it blocks on.
    pub fn is_blocked(&self) -> bool {
        self.peers.values().any(|peer| peer.blocked.is_some())
    }

    /// Bytes of the node.
    pub fn receive(&mut self, line: Line, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(&line) else { return };
        peer.input.extend_from_slice(bytes);
        let (mut parser, mut used) = (RequestParser::default(), 0);
        let input = std::mem::take(&mut peer.input);
        while let Some(len) = match parser.parse(&input[used..], true) {
            Parsed::Command(len) => Some(len),
            Parsed::Partial => None,
            Parsed::Skipped(_) | Parsed::TooLong(..) => panic!("no word is too long"),
            Parsed::Invalid(violation) => panic!("the node writes {:?}", violation.message()),
        } {
            if self.peers.get(&line).is_none_or(|peer| peer.blocked.is_some()) || self.silent {
                break;
            }
            self.run(line, parser.args(&input[used..used + len]));
            used += len;
        }
        if let Some(peer) = self.peers.get_mut(&line) {
            peer.input = input[used..].to_vec();
        }
    }

    fn run(&mut self, line: Line, words: Args<'_>) {
        let owner = words.iter().find_map(|word| marks(word).first().map(|mark| mark.0));
        for (of, peer) in &mut self.peers {
            if peer.monitors && *of != line {
                peer.sent.extend(b"+0.0 [0 x] \"x\"\r\n");
            }
        }
        let version = self.version;
        let name = String::from_utf8_lossy(words.word(0)).to_lowercase();
        let Some(peer) = self.peers.get_mut(&line) else { return };
        if let (Some(owner), Some((Some(watcher), _))) = (owner, peer.watches) {
            assert_eq!(owner, watcher, "a connection that watches a client's keys is its own");
        }
        if std::mem::take(&mut peer.fails) {
            match (&mut peer.queue, name.as_str()) {
                (_, "exec") => (peer.queue, peer.watches) = (None, None),
                (Some(queue), _) => queue.fails = true,
                _ => {}
            }
            return peer.sent.extend(b"-LOADING the store is loading\r\n");
        }
        let reply = peer.answer(&name, words, owner, version);
        match (&mut peer.queue, name.as_str()) {
            (Some(queue), name) if name != "multi" => {
                let alone = queue.owner.is_none() || owner.is_none() || queue.owner == owner;
                assert!(alone, "a transaction is one client's");
                queue.owner = queue.owner.or(owner);
                queue.replies.push(reply);
                peer.sent.extend(b"+QUEUED\r\n");
            }
            (_, "blpop") => peer.blocked = Some(reply),
            _ => peer.sent.extend(reply),
        }
        if matches!(name.as_str(), "set" | "del" | "eval" | "flushall") {
            self.version += 1;
        }
    }

    /// How many connections of a relay are greeted, and of how many kinds they are.
    pub fn count(&self, relay: u64) -> (usize, usize) {
        let peers = self.peers.iter().filter(|(line, _)| line.0 == relay);
        let all: Vec<_> = peers.filter_map(|(_, peer)| peer.kind).collect();
        (all.len(), all.iter().collect::<BTreeSet<_>>().len())
    }

    /// What nobody has any more is as it was: no key is watched, nothing is queued or subscribed to.
    pub fn check_clean(&self) {
        for (line, peer) in &self.peers {
            assert!(peer.watches.is_none(), "{line:?} still watches");
            assert!(peer.queue.is_none(), "{line:?} is in a transaction");
            assert!(peer.topics.is_empty(), "{line:?} hears {:?}", peer.topics);
            assert!(!peer.monitors, "{line:?} monitors");
        }
    }
}

fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

impl Peer {
    fn null(&self) -> &'static [u8] {
        if self.resp3 { b"_\r\n" } else { b"*-1\r\n" }
    }

    fn answer(&mut self, name: &str, words: Args<'_>, owner: Option<u64>, version: u64) -> Vec<u8> {
        let text =
            |at: usize| String::from_utf8_lossy(words.get(at).unwrap_or_default()).into_owned();
        let last = text(words.len() - 1);
        let db = self.db;
        let value =
            |key: &str| bulk(&format!("={}.{db}.{version}=", key.strip_prefix('k').unwrap_or(key)));
        match name {
            "get" if words.len() == 1 => b"-ERR wrong number of arguments\r\n".to_vec(),
            "hello" => {
                self.resp3 = true;
                b"%1\r\n+proto\r\n:3\r\n".to_vec()
            }
            "ping" => {
                self.kind.get_or_insert((self.resp3, self.db));
                b"+PONG\r\n".to_vec()
            }
            "client" if words.is(1, "id") => b":7\r\n".to_vec(),
            "client" if words.is(1, "trackinginfo") => b"*0\r\n".to_vec(),
            "select" => {
                self.db = last.parse().unwrap_or(0);
                b"+OK\r\n".to_vec()
            }
            "get" | "getrange" => value(&text(1)),
            "mget" => {
                let mut reply = format!("*{}\r\n", words.len() - 1).into_bytes();
                (1..words.len()).for_each(|at| reply.extend(value(&text(at))));
                reply
            }
            "pttl" => b":-1\r\n".to_vec(),
            "command" => {
                let about = ":3\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n*0\r\n";
                [b"*1\r\n*7\r\n".to_vec(), bulk(&last), about.into()].concat()
            }
            "watch" => {
                self.watches.get_or_insert((owner, version));
                b"+OK\r\n".to_vec()
            }
            "unwatch" => {
                self.watches = None;
                b"+OK\r\n".to_vec()
            }
            "multi" => {
                self.queue = Some(Queue::default());
                b"+OK\r\n".to_vec()
            }
            "exec" => {
                let changed = self.watches.take().is_some_and(|(_, seen)| seen != version);
                match self.queue.take() {
                    None => b"-ERR EXEC without MULTI\r\n".to_vec(),
                    Some(queue) if queue.fails => b"-EXECABORT a command failed\r\n".to_vec(),
                    Some(_) if changed => self.null().to_vec(),
                    Some(Queue { replies, .. }) => {
                        let mut reply = format!("*{}\r\n", replies.len()).into_bytes();
                        replies.iter().for_each(|one| reply.extend_from_slice(one));
                        reply
                    }
                }
            }
            "subscribe" | "psubscribe" | "ssubscribe" | "unsubscribe" | "punsubscribe"
            | "sunsubscribe" => self.subscribe(name, words),
            "monitor" => {
                self.monitors = true;
                b"+OK\r\n".to_vec()
            }
            "blpop" => {
                let mut reply = vec![];
                write_request(&mut reply, &[words.word(2), b"x"]);
                reply
            }
            "wait" => b":0\r\n".to_vec(),
            "client" | "flushall" => b"+OK\r\n".to_vec(),
            _ => bulk(&last),
        }
    }

    /// The confirmations, which are pushes: they count as no reply.
    fn subscribe(&mut self, name: &str, words: Args<'_>) -> Vec<u8> {
        let ends = name.contains("unsub");
        let prefix = name.split(if ends { "unsub" } else { "sub" }).next().unwrap_or_default();
        let mut reply = vec![];
        for channel in words.from(1).iter() {
            let topic = (prefix.to_owned(), String::from_utf8_lossy(channel).into_owned());
            if ends {
                self.topics.remove(&topic)
            } else {
                self.topics.insert(topic)
            };
            let from = reply.len();
            write_request(&mut reply, &[name.as_bytes(), channel, b"1"]);
            reply[from] = b'>';
        }
        reply
    }
}

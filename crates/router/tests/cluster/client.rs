//! A client of the node, served as a driver serves one, and what it may be told.

use super::nodes::Cluster;
use breakwater_resp::{Protocol, ReplyParser, write_request};
use breakwater_router::{Delivery, Next, Output, Relay, Session};
use std::collections::{BTreeMap, VecDeque};

/// What a client asks for: of two keys of a tag, by numbers.
#[derive(arbitrary::Arbitrary, Clone, Copy, Debug)]
pub enum Ask {
    Get(u8),
    Set(u8),
    MGet(u8),
    MSet(u8),
    /// A transaction that writes and reads, where keys are watched or not.
    Transaction(u8, bool),
}

/// What a client has asked and not been told.
struct Asked {
    words: Vec<String>,
    /// How many values each key had had that somebody was told to be written.
    floors: Vec<(String, usize)>,
    /// In a transaction.
    queued: bool,
}

/// A client.
pub struct Client {
    pub relay: usize,
    session: Session,
    waits: bool,
    awaits: bool,
    asked: VecDeque<Asked>,
    next: usize,
    /// What of each key its own writes are, by their places.
    own: BTreeMap<String, usize>,
    /// The keys that it watches, and how many values they had had when it was told so.
    watched: Vec<(String, usize)>,
    parser: ReplyParser,
    input: Vec<u8>,
    pub errors: Vec<String>,
    pub over: bool,
}

/// How many values of each key are known to be written by somebody who was told so.
pub type Floors = BTreeMap<String, usize>;

fn key(of: u8, number: u8) -> String {
    format!("{{{}}}{number}", char::from(b'a' + of % super::TAGS))
}

/// The two keys that a number names, of one tag.
pub fn keys(of: u8) -> [String; 2] {
    [key(of >> 2, of & 1), key(of >> 2, (of & 1) ^ 1)]
}

impl Client {
    pub fn new(relay: usize, session: Session) -> Self {
        Self {
            relay,
            session,
            waits: false,
            awaits: false,
            asked: VecDeque::new(),
            next: 0,
            own: BTreeMap::new(),
            watched: vec![],
            parser: ReplyParser::default(),
            input: vec![],
            errors: vec![],
            over: false,
        }
    }

    pub fn id(&self) -> u64 {
        self.session.id()
    }

    /// Whether it is owed nothing.
    pub fn is_served(&self) -> bool {
        self.over || self.asked.is_empty()
    }

    /// Says in which protocol it is to be answered.
    pub fn greet(&mut self, protocol: Protocol, now: u64, relay: &mut Relay) {
        if protocol == Protocol::Resp3 {
            let mut output = Output::default();
            self.session.feed_through(b"HELLO 3\r\n", now, &mut output, Some(relay));
        }
    }

    fn lines(&mut self, ask: Ask) -> Vec<String> {
        let mut mark = || {
            self.next += 1;
            format!("{}.{}", self.session.id(), self.next)
        };
        match ask {
            Ask::Get(of) => vec![format!("GET {}", keys(of)[0])],
            Ask::Set(of) => vec![format!("SET {} {}", keys(of)[0], mark())],
            Ask::MGet(of) => vec![format!("MGET {} {}", keys(of)[0], keys(of)[1])],
            Ask::MSet(of) => {
                let ([one, other], mark) = (keys(of), mark());
                vec![format!("MSET {one} {mark} {other} {mark}")]
            }
            Ask::Transaction(of, watches) => {
                let [one, other] = keys(of);
                let watch = watches.then(|| format!("WATCH {one}"));
                let rest = ["MULTI".into(), format!("SET {one} {}", mark()), format!("GET {one}")];
                let last = [format!("GET {other}"), "EXEC".into()];
                watch.into_iter().chain(rest).chain(last).collect()
            }
        }
    }

    /// Asks several things at once.
    pub fn ask(&mut self, all: &[Ask], floors: &Floors) -> Vec<u8> {
        let mut bytes = vec![];
        for ask in all {
            let mut queued = false;
            for line in self.lines(*ask) {
                let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
                write_request(&mut bytes, &words);
                let floor = |key: &String| (key.clone(), floors.get(key).copied().unwrap_or(0));
                let floors = words[1..].iter().filter(|word| word.starts_with('{')).map(floor);
                let floors = floors.collect();
                let exec = words[0] == "EXEC";
                self.asked.push_back(Asked {
                    floors,
                    queued: queued && !exec,
                    words: words.clone(),
                });
                queued = !exec && (queued || words[0] == "MULTI");
            }
        }
        bytes
    }

    /// Has the node take bytes, as a driver does.
    pub fn feed(&mut self, bytes: &[u8], now: u64, relay: &mut Relay) {
        let mut output = Output::default();
        let next = match self.awaits {
            true => self.session.hold(bytes, &mut output, Some(relay)),
            false => self.session.feed_through(bytes, now, &mut output, Some(relay)),
        };
        self.waits = next == Next::Resume && !self.awaits;
        self.awaits |= next == Next::Await;
        self.over |= next == Next::Close;
        self.input.append(&mut output.bytes);
    }

    /// Has commands run that waited; whether there were any.
    pub fn resume(&mut self, now: u64, relay: &mut Relay) -> bool {
        let waits = self.waits && !self.over;
        if waits {
            self.feed(&[], now, relay);
        }
        waits
    }

    pub fn deliver(&mut self, delivery: &Delivery) {
        self.session.deliver(delivery, &mut self.input);
        self.waits |= self.awaits;
        self.awaits = false;
        self.over |= delivery.ends;
    }

    pub fn end(&mut self, relay: &mut Relay) {
        self.session.end(relay);
    }

    /// Takes its replies: each is to the next thing that it asked, and a right one.
    pub fn take(&mut self, cluster: &Cluster, floors: &mut Floors) {
        let (input, mut used) = (std::mem::take(&mut self.input), 0);
        while let Some(frame) = self.parser.parse(&input[used..]).expect("replies are well-formed")
        {
            let reply = String::from_utf8_lossy(&input[used..used + frame.len]).into_owned();
            used += frame.len;
            let Some(asked) = self.asked.pop_front() else { panic!("told unasked: {reply}") };
            self.told(&asked, &reply, cluster, floors);
        }
        self.input = input[used..].to_vec();
    }

    fn told(&mut self, asked: &Asked, reply: &str, cluster: &Cluster, floors: &mut Floors) {
        let all = || format!("asked {:?} and was told {reply:?}", asked.words.join(" "));
        let (name, lines) = (asked.words[0].as_str(), reply.split("\r\n").collect::<Vec<_>>());
        if reply.starts_with('-') {
            self.refused(asked, reply, cluster);
            match name {
                "EXEC" => self.watched.clear(),
                // What it watches then is not known: it may be told that it has changed.
                "WATCH" => self.watched = vec![(asked.words[1].clone(), usize::MAX)],
                _ => {}
            }
            return;
        }
        if asked.queued && name != "MULTI" {
            assert_eq!(reply, "+QUEUED\r\n", "{}", all());
            return;
        }
        // Values, each behind the line of its length.
        let mut values = vec![];
        for pair in lines.windows(2) {
            match pair[0] {
                "$-1" | "_" => values.push(None),
                length if length.starts_with('$') => values.push(Some(pair[1].to_owned())),
                _ => {}
            }
        }
        match name {
            "GET" | "MGET" => {
                assert_eq!(values.len(), asked.floors.len(), "{}", all());
                for ((key, floor), value) in asked.floors.iter().zip(values) {
                    self.read(key, *floor, value, cluster, &all());
                }
            }
            "SET" | "MSET" => {
                assert_eq!(reply, "+OK\r\n", "{}", all());
                for pair in asked.words[1..].chunks(2) {
                    self.wrote(&pair[0], &pair[1], cluster, floors);
                }
            }
            "WATCH" => {
                let past = |key: &String| cluster.past.get(key).map_or(0, Vec::len);
                let seen = asked.floors.iter().map(|(key, _)| (key.clone(), past(key)));
                self.watched = seen.collect();
            }
            "EXEC" => self.executed(reply, values, cluster, floors),
            _ => {}
        }
    }

    /// A value is the last that it may be, or a later one.
    fn read(&self, key: &str, floor: usize, value: Option<String>, cluster: &Cluster, all: &str) {
        let empty = vec![];
        let past = cluster.past.get(key).unwrap_or(&empty);
        let place = match &value {
            None => 0,
            Some(value) => {
                let at = past.iter().rposition(|one| one == value);
                1 + at.unwrap_or_else(|| panic!("nobody wrote that: {all}"))
            }
        };
        let least = floor.max(self.own.get(key).copied().unwrap_or(0));
        assert!(place >= least, "value {place} of {key}, and not {least} of {past:?}: {all}");
    }

    /// A write of its own was done: once, and behind those before.
    fn wrote(&mut self, key: &str, mark: &str, cluster: &Cluster, floors: &mut Floors) {
        let past = &cluster.past[key];
        let at = 1 + past.iter().position(|one| one == mark).expect("it was done");
        let before = self.own.get(key).copied().unwrap_or(0);
        let in_order = at > before || cluster.has_overtaken(key, mark);
        assert!(in_order, "{mark} of {key} is not behind its client's last one: {past:?}");
        self.own.insert(key.into(), at.max(before));
        let floor = floors.entry(key.into()).or_default();
        *floor = at.max(*floor);
    }

    fn executed(
        &mut self,
        reply: &str,
        mut values: Vec<Option<String>>,
        cluster: &Cluster,
        floors: &mut Floors,
    ) {
        let watched = std::mem::take(&mut self.watched);
        if !reply.starts_with("*3") {
            assert!(!watched.is_empty(), "nothing was watched: {reply}");
            return;
        }
        let mark = values.swap_remove(0).expect("what was written is read behind it");
        let key = cluster.past.iter().find(|(_, past)| past.contains(&mark)).unwrap().0.clone();
        self.wrote(&key, &mark, cluster, floors);
        for (watched, seen) in watched {
            let at = cluster.past[&watched].iter().position(|one| *one == mark);
            assert!(at.is_none_or(|at| at <= seen), "{watched} changed while it was watched");
        }
    }

    /// What is refused was not done; what is lost was perhaps.
    fn refused(&mut self, asked: &Asked, error: &str, cluster: &Cluster) {
        self.errors.push(error.to_owned());
        let followed = ["-MOVED", "-ASK", "-CROSSSLOT", "-READONLY"];
        assert!(!followed.iter().any(|word| error.starts_with(word)), "{error}");
        let undone = ["-CLUSTERDOWN", "-TRYAGAIN", "-EXECABORT", "-LOADING"];
        if undone.iter().any(|word| error.starts_with(word)) {
            for mark in asked.words.iter().filter(|word| word.contains('.')) {
                let done = cluster.past.values().any(|past| past.contains(mark));
                assert!(!done, "{:?} was done, though its client was told {error}", asked.words);
            }
        }
    }
}

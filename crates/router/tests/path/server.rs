//! A server with tracking and channels, as far as the node asks for them.

use breakwater_resp::{Args, Protocol, RequestParser, write_request};
use breakwater_router::LinkId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Which relay, and which of its connections.
pub type Line = (usize, LinkId);

/// What a key had, in the order of its changes: `None` where it was gone.
#[derive(Default)]
pub struct Past(pub Vec<(Option<String>, Option<u64>)>);

/// A server with tracking, as far as the node asks for it.
#[derive(Default)]
pub struct Server {
    pub past: BTreeMap<String, Past>,
    tracked: HashSet<(Line, String)>,
    caching: HashSet<Line>,
    /// Who is told of every change.
    broadcast: BTreeSet<Line>,
    protocols: HashMap<Line, Protocol>,
    /// What waits for `EXEC`.
    queued: HashMap<Line, Vec<Vec<Vec<u8>>>>,
    subscribed: BTreeSet<(Line, String)>,
    /// Channels that nobody may subscribe to.
    pub closed: HashSet<String>,
    /// Connections by the numbers that it knows them by, from 1 on.
    numbers: Vec<Line>,
    /// Those that wait for an element of a list, the first first.
    blocked: Vec<(Line, String)>,
    /// Elements that nobody has taken.
    pub lists: BTreeMap<String, Vec<String>>,
    /// What it sends, on each connection.
    pub sent: BTreeMap<Line, Vec<u8>>,
    /// Commands that it has run, by name.
    pub runs: HashMap<String, usize>,
}

fn bulk(value: Option<&str>, protocol: Protocol) -> String {
    match (value, protocol) {
        (Some(value), _) => format!("${}\r\n{value}\r\n", value.len()),
        (None, Protocol::Resp2) => "$-1\r\n".into(),
        (None, Protocol::Resp3) => "_\r\n".into(),
    }
}

impl Server {
    /// What the key has, and when that ends.
    pub fn get(&self, key: &str, now: u64) -> (Option<&str>, Option<u64>) {
        match self.past.get(key).and_then(|past| past.0.last()) {
            Some((_, Some(end))) if *end <= now => (None, None),
            Some((value, end)) => (value.as_deref(), *end),
            None => (None, None),
        }
    }

    pub fn set(&mut self, key: &str, value: Option<&str>, end: Option<u64>) {
        let past = self.past.entry(key.into()).or_default();
        past.0.push((value.map(str::to_owned), end));
        let told = self.tracked.extract_if(|(_, of)| of == key).map(|(line, _)| line);
        let told: Vec<_> = told.chain(self.broadcast.iter().copied()).collect();
        for line in told {
            let push = format!(">2\r\n+invalidate\r\n*1\r\n${}\r\n{key}\r\n", key.len());
            self.sent.entry(line).or_default().extend(push.bytes());
        }
    }

    pub fn flush(&mut self) {
        for key in self.past.keys().cloned().collect::<Vec<_>>() {
            self.set(&key, None, None);
        }
        let mut lines: HashSet<_> = self.tracked.drain().map(|(line, _)| line).collect();
        lines.extend(&self.broadcast);
        for line in lines {
            self.sent.entry(line).or_default().extend(b">2\r\n+invalidate\r\n_\r\n");
        }
    }

    /// A connection has another number from now on.
    pub fn rename(&mut self, from: Line, to: Line) {
        let name = |line: Line| if line == from { to } else { line };
        let tracked = self.tracked.drain().map(|(line, key)| (name(line), key));
        self.tracked = tracked.collect();
        self.caching = self.caching.drain().map(name).collect();
        self.broadcast = self.broadcast.iter().copied().map(name).collect();
        self.protocols = self.protocols.drain().map(|(line, of)| (name(line), of)).collect();
        let subscribed = std::mem::take(&mut self.subscribed).into_iter();
        self.subscribed = subscribed.map(|(line, channel)| (name(line), channel)).collect();
        self.numbers.iter_mut().for_each(|line| *line = name(*line));
        self.blocked.iter_mut().for_each(|(line, _)| *line = name(*line));
        if let Some(sent) = self.sent.remove(&from) {
            self.sent.insert(to, sent);
        }
    }

    pub fn hang_up(&mut self, line: Line) {
        self.tracked.retain(|(of, _)| *of != line);
        self.caching.remove(&line);
        self.broadcast.remove(&line);
        self.protocols.remove(&line);
        self.queued.remove(&line);
        self.subscribed.retain(|(of, _)| *of != line);
        self.blocked.retain(|(of, _)| *of != line);
        self.sent.remove(&line);
    }

    /// How many connections have subscribed to a channel.
    pub fn subscribers(&self, channel: &str) -> usize {
        self.subscribed.iter().filter(|(_, of)| of == channel).count()
    }

    /// Whether a connection has subscribed to anything.
    pub fn hears(&self, line: Line) -> bool {
        self.subscribed.iter().any(|(of, _)| *of == line)
    }

    /// Whether a connection is told of every change.
    pub fn tells(&self, line: Line) -> bool {
        self.broadcast.contains(&line)
    }

    pub fn publish(&mut self, channel: &str, message: &str) {
        for (line, _) in self.subscribed.iter().filter(|(_, of)| of == channel) {
            let push = format!(
                ">3\r\n$7\r\nmessage\r\n${}\r\n{channel}\r\n${}\r\n{message}\r\n",
                channel.len(),
                message.len()
            );
            self.sent.entry(*line).or_default().extend(push.bytes());
        }
    }

    /// Begins or ends subscriptions; what confirms them, or refuses them.
    fn subscribe(&mut self, line: Line, name: &str, channels: Vec<String>) -> String {
        let begins = name == "subscribe";
        if begins && channels.iter().any(|channel| self.closed.contains(channel)) {
            return "-NOPERM no such channel\r\n".into();
        }
        let mut said = String::new();
        for channel in channels {
            said += &format!(">3\r\n${}\r\n{name}\r\n", name.len());
            said += &format!("${}\r\n{channel}\r\n:1\r\n", channel.len());
            match begins {
                true => self.subscribed.insert((line, channel)),
                false => self.subscribed.remove(&(line, channel)),
            };
        }
        said
    }

    /// The number of a connection, from 1 on.
    fn number_of(&mut self, line: Line) -> usize {
        let known = self.numbers.iter().position(|of| *of == line);
        let at = known.unwrap_or_else(|| {
            self.numbers.push(line);
            self.numbers.len() - 1
        });
        at + 1
    }

    /// Does what is queued.
    fn execute(&mut self, line: Line, now: u64) {
        let queued = self.queued.remove(&line).unwrap_or_default();
        self.sent.entry(line).or_default().extend(format!("*{}\r\n", queued.len()).bytes());
        for words in queued {
            let (mut bytes, mut parser) = (vec![], RequestParser::default());
            write_request(&mut bytes, &words);
            parser.parse(&bytes, true);
            self.run(line, parser.args(&bytes), now);
        }
    }

    pub fn run(&mut self, line: Line, words: Args<'_>, now: u64) {
        let text = |at: usize| String::from_utf8_lossy(words.word(at)).into_owned();
        let name = text(0).to_lowercase();
        *self.runs.entry(name.clone()).or_default() += 1;
        let protocol = self.protocols.get(&line).copied().unwrap_or_default();
        let caching = name != "client" && self.caching.remove(&line);
        let track = |server: &mut Self, key: &str| {
            if caching {
                server.tracked.insert((line, key.into()));
            }
        };
        if let Some(queued) = self.queued.get_mut(&line).filter(|_| name != "exec") {
            queued.push(words.iter().map(<[u8]>::to_vec).collect());
            self.sent.entry(line).or_default().extend(b"+QUEUED\r\n");
            return;
        }
        let reply = match name.as_str() {
            "multi" => {
                self.queued.insert(line, vec![]);
                "+OK\r\n".into()
            }
            "exec" => return self.execute(line, now),
            "hello" => {
                self.protocols.insert(line, Protocol::Resp3);
                format!("%1\r\n$2\r\nid\r\n:{}\r\n", self.number_of(line))
            }
            "client" if words.is(1, "id") => {
                format!(":{}\r\n", self.number_of(line))
            }
            "client" if words.is(1, "unblock") => {
                let number: usize = text(2).parse().unwrap();
                let waits = self.numbers[number - 1];
                let ended = self.blocked.extract_if(.., |(line, _)| *line == waits).count();
                self.sent.entry(waits).or_default().extend(b"*-1\r\n".repeat(ended));
                format!(":{ended}\r\n")
            }
            // As if the list were empty: it waits without end.
            "blpop" => {
                self.blocked.push((line, text(1)));
                return;
            }
            "rpush" => {
                let (list, value) = (text(1), text(2));
                match self.blocked.iter().position(|(_, of)| *of == list) {
                    Some(at) => {
                        let given = [list.as_str(), &value].map(|word| bulk(Some(word), protocol));
                        let reply = format!("*2\r\n{}", given.concat());
                        let (waits, _) = self.blocked.remove(at);
                        self.sent.entry(waits).or_default().extend(reply.bytes());
                    }
                    None => self.lists.entry(list).or_default().push(value),
                }
                ":1\r\n".into()
            }
            "client" => {
                if words.is(1, "caching") {
                    self.caching.insert(line);
                } else if words.is(1, "tracking") && words.is(3, "bcast") {
                    self.broadcast.insert(line);
                }
                "+OK\r\n".into()
            }
            "exists" => {
                let keys: Vec<_> = (1..words.len()).map(text).collect();
                keys.iter().for_each(|key| track(self, key));
                format!(":{}\r\n", keys.iter().filter(|key| self.get(key, now).0.is_some()).count())
            }
            "strlen" => {
                track(self, &text(1));
                format!(":{}\r\n", self.get(&text(1), now).0.map_or(0, str::len))
            }
            "ping" => "+PONG\r\n".into(),
            "get" | "getrange" => {
                track(self, &text(1));
                let value = self.get(&text(1), now).0;
                bulk(value.or((name == "getrange").then_some("")), protocol)
            }
            "mget" => {
                let keys: Vec<_> = (1..words.len()).map(text).collect();
                keys.iter().for_each(|key| track(self, key));
                let values = keys.iter().map(|key| bulk(self.get(key, now).0, protocol));
                format!("*{}\r\n{}", keys.len(), values.collect::<String>())
            }
            "pttl" => match self.get(&text(1), now) {
                (None, _) => ":-2\r\n".into(),
                (_, None) => ":-1\r\n".into(),
                (_, Some(end)) => format!(":{}\r\n", end - now),
            },
            "set" => {
                let end = words.get(4).map(|_| now + text(4).parse::<u64>().unwrap());
                self.set(&text(1), Some(&text(2)), end);
                "+OK\r\n".into()
            }
            "del" => {
                self.set(&text(1), None, None);
                ":1\r\n".into()
            }
            "flushall" => {
                self.flush();
                "+OK\r\n".into()
            }
            "select" => "+OK\r\n".into(),
            "subscribe" | "unsubscribe" => {
                let channels = (1..words.len()).map(text).collect();
                self.subscribe(line, &name, channels)
            }
            other => panic!("the server does not know {other}"),
        };
        self.sent.entry(line).or_default().extend(reply.bytes());
    }
}

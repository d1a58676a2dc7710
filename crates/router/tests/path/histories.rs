//! Random histories: clients of two threads, writes past the node, connections that are cut, threads
//! that tell each other late, and time that passes. Whatever moves when, no read gives what is older
//! than it may be, or what its client writes behind it.

use super::server::Line;
use super::world::World;
use breakwater_resp::Protocol::{Resp2, Resp3};
use breakwater_router::{Limits, Route, Routes, Rules};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};

const CLIENTS: usize = 4;
const KEYS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Get {
        client: usize,
        key: usize,
    },
    GetRange {
        client: usize,
        key: usize,
    },
    MGet {
        client: usize,
    },
    Set {
        client: usize,
        key: usize,
        life: Option<u64>,
    },
    Del {
        client: usize,
        key: usize,
    },
    FlushAll {
        client: usize,
    },
    /// A write past the node.
    Past {
        key: usize,
        life: Option<u64>,
    },
    Open(usize),
    Forward(usize),
    Back(usize, usize),
    Cut(usize),
    Post,
    Pass(u64),
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let (client, key) = (0..CLIENTS, 0..KEYS);
    let life = prop::option::weighted(0.3, 1u64..60);
    prop_oneof![
        8 => (client.clone(), key.clone()).prop_map(|(client, key)| Step::Get { client, key }),
        4 => (client.clone(), key.clone())
            .prop_map(|(client, key)| Step::GetRange { client, key }),
        2 => client.clone().prop_map(|client| Step::MGet { client }),
        4 => (client.clone(), key.clone(), life.clone())
            .prop_map(|(client, key, life)| Step::Set { client, key, life }),
        1 => (client.clone(), key.clone()).prop_map(|(client, key)| Step::Del { client, key }),
        1 => client.prop_map(|client| Step::FlushAll { client }),
        3 => (key, life).prop_map(|(key, life)| Step::Past { key, life }),
        4 => (0usize..8).prop_map(Step::Open),
        12 => (0usize..8).prop_map(Step::Forward),
        12 => (0usize..8, 1usize..200).prop_map(|(at, count)| Step::Back(at, count)),
        1 => (0usize..8).prop_map(Step::Cut),
        4 => Just(Step::Post),
        2 => (1u64..80).prop_map(Step::Pass),
        2 => Just(Step::Settle),
    ]
}

/// What a client waits for.
enum Asked {
    /// The values of keys, none older than the version of each.
    Read {
        keys: Vec<usize>,
        least: Vec<usize>,
        since: u64,
        ranges: bool,
    },
    Write {
        key: usize,
        value: Option<String>,
    },
    Flush,
}

impl Asked {
    /// What it writes to a key.
    fn writes(&self, of: usize) -> Option<&str> {
        match self {
            Self::Write { key, value } if *key == of => value.as_deref(),
            _ => None,
        }
    }
}

struct History {
    world: World,
    asked: Vec<VecDeque<Asked>>,
    /// How many versions of each key every read that begins now has to see.
    known: [usize; KEYS],
    values: usize,
    /// Whether reads may be turned away.
    turns_away: bool,
}

impl History {
    fn new(rules: Rules) -> Self {
        // As many reads as may be are asked at once, or few.
        let turns_away = rules.limits.misses < CLIENTS;
        let mut world = World::by(2, rules);
        for client in 0..CLIENTS {
            let protocol = if client < 2 { Resp2 } else { Resp3 };
            world.connect(client % 2, protocol);
        }
        let asked = (0..CLIENTS).map(|_| VecDeque::new()).collect();
        Self { world, asked, known: [0; KEYS], values: 0, turns_away }
    }

    fn value(&mut self) -> String {
        self.values += 1;
        format!("v{}", self.values)
    }

    /// The number of versions up to that of a value.
    fn version(&self, key: usize, value: &str) -> Option<usize> {
        let past = self.world.server.past.get(&format!("k{key}"))?;
        past.0.iter().position(|(of, _)| of.as_deref() == Some(value)).map(|at| at + 1)
    }

    fn send(&mut self, client: usize, line: &str, asked: Asked) {
        self.asked[client].push_back(asked);
        self.world.send(client, line);
    }

    fn read(&mut self, client: usize, keys: Vec<usize>, line: &str, ranges: bool) {
        let least = keys.iter().map(|key| self.known[*key]).collect();
        // It may wait for one that is under way: what that has seen may be over by now.
        let earlier = self.asked.iter().flatten().filter_map(|asked| match asked {
            Asked::Read { keys: others, since, .. } => {
                others.iter().any(|key| keys.contains(key)).then_some(*since)
            }
            _ => None,
        });
        let since = earlier.min().unwrap_or(u64::MAX).min(self.world.now());
        self.send(client, line, Asked::Read { keys, least, since, ranges });
    }

    /// The lines of the network, open ones.
    fn line(&self, at: usize) -> Option<Line> {
        let open = &self.world.open;
        (!open.is_empty()).then(|| open[at % open.len()])
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Get { client, key } => {
                self.read(client, vec![key], &format!("GET k{key}"), false);
            }
            Step::GetRange { client, key } => {
                self.read(client, vec![key], &format!("GETRANGE k{key} 0 -1"), true);
            }
            Step::MGet { client } => self.read(client, vec![0, 1], "MGET k0 k1", false),
            Step::Set { client, key, life } => {
                let value = self.value();
                let life = life.map_or(String::new(), |life| format!(" PX {life}"));
                let line = format!("SET k{key} {value}{life}");
                self.send(client, &line, Asked::Write { key, value: Some(value) });
            }
            Step::Del { client, key } => {
                self.send(client, &format!("DEL k{key}"), Asked::Write { key, value: None });
            }
            Step::FlushAll { client } => self.send(client, "FLUSHALL", Asked::Flush),
            Step::Past { key, life } => {
                let (value, now) = (self.value(), self.world.now());
                let end = life.map(|life| now + life);
                self.world.server.set(&format!("k{key}"), Some(&value), end);
            }
            Step::Open(at) => self.world.open(at),
            Step::Forward(at) => {
                if let Some(line) = self.line(at) {
                    self.world.forward(line);
                }
            }
            Step::Back(at, count) => {
                if let Some(line) = self.line(at) {
                    self.world.back(line, count);
                }
            }
            Step::Cut(at) => self.world.cut(at),
            Step::Post => self.world.post(),
            Step::Pass(ms) => self.world.pass(ms),
            Step::Settle => self.settle(),
        }
        self.check();
    }

    /// Everything arrives: from now on reads see all that was written, past the node as well.
    fn settle(&mut self) {
        self.world.settle();
        self.check();
        for key in 0..KEYS {
            let past = self.world.server.past.get(&format!("k{key}"));
            self.known[key] = past.map_or(0, |past| past.0.len());
        }
    }

    /// Takes the replies that have come.
    fn check(&mut self) {
        for client in 0..CLIENTS {
            // What the client's own writes before a read in its pipeline have made of each key.
            let mut own: HashMap<usize, usize> = HashMap::new();
            while let Some(reply) = self.world.clients[client].replies.pop_front() {
                let reply = String::from_utf8(reply).unwrap();
                let asked = self.asked[client].pop_front().expect("nobody asked");
                if reply.starts_with('-') {
                    let turned_away = self.turns_away && reply.starts_with("-BUSY the store");
                    assert!(turned_away || reply.starts_with("-ERR the store"), "{reply}");
                    continue;
                }
                match asked {
                    Asked::Write { key, value: Some(value) } => {
                        let version = self.version(key, &value).expect("it was written");
                        own.insert(key, version);
                        self.known[key] = self.known[key].max(version);
                    }
                    Asked::Write { .. } | Asked::Flush => {}
                    Asked::Read { keys, least, since, ranges } => {
                        let words: Vec<_> = values(&reply);
                        assert_eq!(words.len(), keys.len());
                        for ((key, least), got) in keys.iter().zip(least).zip(words) {
                            let least = own.get(key).copied().unwrap_or(0).max(least);
                            let got = got.filter(|got| !(ranges && got.is_empty()));
                            self.check_read(*key, least, since, got.as_deref());
                            let later = self.asked[client].iter().any(|asked| {
                                let written = asked.writes(*key);
                                written.is_some() && written == got.as_deref()
                            });
                            assert!(!later, "k{key}: {got:?} is written by its reader, later");
                        }
                    }
                }
            }
        }
    }

    fn check_read(&self, key: usize, least: usize, since: u64, got: Option<&str>) {
        let past = self.world.server.past.get(&format!("k{key}"));
        let past = past.map_or(&[][..], |past| &past.0);
        let Some(got) = got else {
            // It was gone at some time since: not yet there, deleted, or over.
            let now = self.world.now();
            let gone = |(value, end): &(Option<String>, Option<u64>)| {
                value.is_none() || end.is_some_and(|end| end <= now)
            };
            let ok = least == 0 || past[least - 1..].iter().any(gone);
            return assert!(ok, "k{key} was there: {past:?}, from {least}");
        };
        let version = self.version(key, got).expect("nobody wrote it");
        assert!(version >= least, "k{key}: {got} is version {version} of {past:?}, not {least}");
        let end = past[version - 1].1;
        assert!(end.is_none_or(|end| end > since), "k{key}: {got} was over at {end:?}");
    }
}

/// The strings of a reply.
fn values(reply: &str) -> Vec<Option<String>> {
    let mut lines = reply.split("\r\n");
    let mut values = vec![];
    while let Some(line) = lines.next() {
        match line.as_bytes().first() {
            Some(b'$') if line != "$-1" => values.push(lines.next().map(str::to_owned)),
            Some(b'$' | b'_') => values.push(None),
            _ => {}
        }
    }
    values
}

fn run(steps: Vec<Step>, route: Route) {
    run_by(steps, Rules { routes: Routes::new(vec![route]), ..Rules::default() });
}

fn run_by(steps: Vec<Step>, rules: Rules) {
    let mut history = History::new(rules);
    steps.into_iter().for_each(|step| history.take(step));
    // Nothing hangs: with the network at work and time enough, everything is answered.
    for _ in 0..4 {
        history.world.pass(10_000);
        history.settle();
    }
    assert!(history.asked.iter().all(VecDeque::is_empty), "a request was never answered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("BREAKWATER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
    ))]

    #[test]
    fn no_read_gives_what_is_older_than_it_may_be(steps in vec(step(), 1..160)) {
        run(steps, Route::default());
    }

    #[test]
    fn nor_where_replies_are_read_anew_and_compared(steps in vec(step(), 1..160)) {
        let route = Route { verify: 0.5, refresh_ahead: 0.9, ttl: Some(50), ..Route::default() };
        run(steps, route);
    }

    #[test]
    fn nor_where_reads_wait_until_the_store_may_be_asked(
        steps in vec(step(), 1..160),
        misses in 1..3usize,
        waiting_misses in 1..4usize,
    ) {
        let route = Route { refresh_ahead: 0.5, ttl: Some(50), ..Route::default() };
        let limits = Limits { misses, waiting_misses, wait: 50, ..Limits::default() };
        let routes = Routes::new(vec![route]);
        run_by(steps, Rules { routes, limits, ..Rules::default() });
    }

    #[test]
    fn nor_where_what_is_lost_is_tried_again(
        steps in vec(step(), 1..160),
        store_retry in 1..60u64,
    ) {
        let limits = Limits { store_retry, ..Limits::default() };
        run_by(steps, Rules { limits, ..Rules::default() });
    }
}

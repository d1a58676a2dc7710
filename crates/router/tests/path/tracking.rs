//! Clients that track: what they keep of their reads is never wrong for good, in whatever order
//! replies, news and letters arrive.

use super::world::World;
use breakwater_resp::Protocol::{self, Resp2, Resp3};
use breakwater_resp::Reply;
use breakwater_router::{Mode, Route, Routes};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const KEYS: [&str; 3] = ["a", "b", "c"];

/// A client that keeps what it has read until it is told of a change.
struct Keeper {
    at: usize,
    /// Who is told in its place.
    ear: Option<usize>,
    /// What it has asked for, and whether it was told of a change since: news of another connection
    /// may overtake a reply, which then is not kept.
    asked: VecDeque<(&'static str, bool)>,
    kept: BTreeMap<&'static str, Option<String>>,
}

impl Keeper {
    /// One that is told of every change, whatever it reads.
    fn broadcast(world: &mut World, relay: usize) -> Self {
        let at = world.connect(relay, Resp3);
        assert_eq!(world.ask(at, "CLIENT TRACKING ON BCAST"), "+OK\r\n");
        Self { at, ear: None, asked: VecDeque::new(), kept: BTreeMap::new() }
    }

    fn new(world: &mut World, relay: usize, protocol: Protocol) -> Self {
        let at = world.connect(relay, protocol);
        let ear = (protocol == Resp2).then(|| world.connect((relay + 1) % 2, Resp2));
        let mut words = String::from("CLIENT TRACKING ON");
        if let Some(ear) = ear {
            world.ask(ear, "SUBSCRIBE __redis__:invalidate");
            let id = world.ask(ear, "CLIENT ID");
            // A subscriber of RESP2 may not ask that; its number is that of its place.
            assert!(id.starts_with('-'), "{id}");
            words += &format!(" REDIRECT {}", ear + 1);
        }
        assert_eq!(world.ask(at, &words), "+OK\r\n");
        Self { at, ear, asked: VecDeque::new(), kept: BTreeMap::new() }
    }

    fn read(&mut self, world: &mut World, key: &'static str) {
        if self.asked.len() < 20 {
            self.asked.push_back((key, false));
            world.send(self.at, &format!("GET {key}"));
        }
    }

    fn tell(&mut self, keys: &Reply<'_>) {
        let overtakes = self.ear.is_some();
        match keys {
            Reply::Array(keys) => {
                for key in keys.iter().filter_map(Reply::text) {
                    self.kept.retain(|kept, _| kept.as_bytes() != key);
                    let asked = self.asked.iter_mut().filter(|(of, _)| of.as_bytes() == key);
                    asked.for_each(|(_, told)| *told = overtakes);
                }
            }
            _ => {
                self.kept.clear();
                self.asked.iter_mut().for_each(|(_, told)| *told = overtakes);
            }
        }
    }

    /// Takes what has come.
    fn hear(&mut self, world: &mut World) {
        let replies: Vec<_> = world.clients[self.at].replies.drain(..).collect();
        for reply in replies {
            match Reply::decode(&reply).unwrap() {
                Reply::Push(parts) => self.tell(&parts[1]),
                Reply::Error(_) => drop(self.asked.pop_front().unwrap()),
                value => {
                    let text = value.text().map(|text| String::from_utf8(text.to_vec()).unwrap());
                    match self.asked.pop_front().expect("it was asked for") {
                        (key, false) => drop(self.kept.insert(key, text)),
                        (key, true) => drop(self.kept.remove(key)),
                    }
                }
            }
        }
        let Some(ear) = self.ear else { return };
        let news: Vec<_> = world.clients[ear].replies.drain(..).collect();
        for message in news {
            let Reply::Array(parts) = Reply::decode(&message).unwrap() else {
                panic!("{message:?}")
            };
            self.tell(&parts[2]);
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Read(usize, usize),
    Write(usize),
    WriteThrough(usize),
    Flush,
    Open,
    Forward(usize),
    Back(usize, usize),
    Post,
    Cut(usize),
    Hear(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..6usize, 0..3usize).prop_map(|(client, key)| Act::Read(client, key)),
        4 => (0..3usize).prop_map(Act::Write),
        2 => (0..3usize).prop_map(Act::WriteThrough),
        1 => Just(Act::Flush),
        2 => Just(Act::Open),
        8 => any::<usize>().prop_map(Act::Forward),
        8 => (any::<usize>(), 1..120usize).prop_map(|(line, count)| Act::Back(line, count)),
        6 => Just(Act::Post),
        1 => any::<usize>().prop_map(Act::Cut),
        4 => (0..6usize).prop_map(Act::Hear),
    ]
}

fn keeps_nothing_wrong(mode: Mode, acts: Vec<Act>) -> Result<(), TestCaseError> {
    let routes = Routes::new(vec![Route { mode, ..Route::default() }]);
    let mut world = World::new(2, routes);
    // Two of RESP3, and two of RESP2 who each have another one told, by the other thread.
    let mut keepers: Vec<_> = (0..4)
        .map(|at| Keeper::new(&mut world, at % 2, if at < 2 { Resp3 } else { Resp2 }))
        .collect();
    // And two that are told of all.
    keepers.extend([0, 1].map(|relay| Keeper::broadcast(&mut world, relay)));
    let writer = world.connect(0, Resp3);
    let mut last = 0;
    for act in acts {
        match act {
            Act::Read(client, key) => keepers[client].read(&mut world, KEYS[key]),
            Act::Write(key) => {
                last += 1;
                world.server.set(KEYS[key], Some(&last.to_string()), None);
            }
            Act::WriteThrough(key) => {
                last += 1;
                world.send(writer, &format!("SET {} {last}", KEYS[key]));
            }
            Act::Flush => world.server.flush(),
            Act::Open => world.open(0),
            Act::Forward(line) => world.forward_some(line),
            Act::Back(line, count) => world.back_some(line, count),
            Act::Post => world.post(),
            Act::Cut(line) => {
                // Who hears is cut with the connection that hears for all: that is another story.
                let cut = world.open.get(line % world.open.len().max(1)).copied();
                if cut.is_some_and(|line| world.server.hears(line)) {
                    continue;
                }
                world.cut(line);
            }
            Act::Hear(client) => keepers[client].hear(&mut world),
        }
    }
    // Connections are made again.
    for _ in 0..8 {
        world.settle();
        world.pass(1_000);
    }
    world.settle();
    for keeper in &mut keepers {
        keeper.hear(&mut world);
        prop_assert!(keeper.asked.is_empty());
        for (key, value) in &keeper.kept {
            let now = world.server.get(key, world.now()).0;
            prop_assert_eq!(value.as_deref(), now, "client {} keeps {}", keeper.at, key);
        }
    }
    Ok(())
}

#[test]
fn news_of_a_prefix_that_overtake_a_reply_reach_the_client_behind_it() {
    for mode in [Mode::On, Mode::Off] {
        let mut world = World::new(1, Routes::new(vec![Route { mode, ..Route::default() }]));
        let mut keeper = Keeper::broadcast(&mut world, 0);
        world.server.set("a", Some("old"), None);
        world.settle();
        keeper.hear(&mut world);
        world.send(keeper.at, "GET a");
        keeper.asked.push_back(("a", false));
        for line in world.open.clone() {
            world.forward(line);
        }
        world.server.set("a", Some("new"), None);
        // The connection that tells of all is ahead of the others.
        let feed = world.open.iter().copied().find(|line| world.server.tells(*line)).unwrap();
        world.back(feed, usize::MAX);
        world.settle();
        keeper.hear(&mut world);
        assert!(keeper.kept.is_empty(), "{:?}", keeper.kept);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_true_where_the_node_remembers(acts in prop::collection::vec(act(), 1..200)) {
        keeps_nothing_wrong(Mode::On, acts)?;
    }

    #[test]
    fn what_is_kept_is_true_where_it_does_not(acts in prop::collection::vec(act(), 1..200)) {
        keeps_nothing_wrong(Mode::Off, acts)?;
    }
}

//! Nobody gets what is not for them: users, commands and keys are drawn at random and held against a
//! plain model, in front of a store whose bytes are watched. Hits, reads that wait for another's reply,
//! transactions, scripts, reads of several keys, channels.
//!
//! `PAIRS=5000000 cargo test --release --test permissions` draws as many.

mod fronting;

use breakwater_engine::Config;
use breakwater_router::{
    Next, Output, Peer, Relay, Router, Rules, Session, Template, TokenKey, TokenRules, User, Users,
};
use std::collections::HashMap;
use std::sync::Arc;

const NOAUTH: &str = "-NOAUTH Authentication required.\r\n";
/// Areas of keys: what stands before the first colon.
const AREAS: [&str; 3] = ["a", "b", "s"];

/// What somebody may do, told once more and in another way than the node has it.
struct Who {
    name: &'static str,
    rules: &'static str,
    reads: &'static [&'static str],
    writes: &'static [&'static str],
    /// `r` reads, `w` writes, `p` channels, `s` scripts, `d` what is dangerous, `t` transactions.
    commands: &'static str,
}

const PEOPLE: &[Who] = &[
    Who { name: "chief", rules: "~* &* +@all", reads: &AREAS, writes: &AREAS, commands: "rwpsdt" },
    Who {
        name: "ada",
        rules: "~a:* %R~s:* &a:* +@all -@dangerous",
        reads: &["a", "s"],
        writes: &["a"],
        commands: "rwpst",
    },
    Who {
        name: "bob",
        rules: "%R~b:* %R~s:* +@read +@transaction",
        reads: &["b", "s"],
        writes: &[],
        commands: "rt",
    },
    Who {
        name: "log",
        rules: "%W~s:* +@write +@transaction",
        reads: &[],
        writes: &["s"],
        commands: "wt",
    },
    Who {
        name: "get",
        rules: "~a:* ~b:* +get +multi +exec",
        reads: &["a", "b"],
        writes: &["a", "b"],
        commands: "gt",
    },
    Who {
        name: "all",
        rules: "~* +@read +@transaction",
        reads: &AREAS,
        writes: &AREAS,
        commands: "rt",
    },
    Who { name: "nil", rules: "", reads: &[], writes: &[], commands: "" },
];

/// Commands: their words, where `R`, `W` and `RW` stand for keys that are read, written or both, `C` for
/// a channel and `*` for all keys that it may reach by other words; and their kind.
const COMMANDS: &[(&str, char)] = &[
    ("GET R", 'r'),
    ("GET R", 'r'),
    ("GET R", 'r'),
    ("STRLEN R", 'r'),
    ("GETRANGE R 0 1", 'r'),
    ("HGET R f", 'r'),
    ("EXISTS R R", 'r'),
    ("MGET R R R", 'r'),
    ("SINTER R R", 'r'),
    ("SET W v", 'w'),
    ("SET RW v GET", 'w'),
    ("DEL W", 'w'),
    ("MSET W v W v", 'w'),
    ("APPEND W v", 'w'),
    ("INCR RW", 'w'),
    ("GETDEL RW", 'w'),
    ("RENAME RW W", 'w'),
    ("COPY R W", 'w'),
    ("SINTERSTORE W R R", 'w'),
    ("LMOVE RW W LEFT RIGHT", 'w'),
    ("PUBLISH C m", 'p'),
    ("EVAL return* 1 RW", 's'),
    ("SCAN* 0", 'r'),
    ("RANDOMKEY*", 'r'),
    ("KEYS* k", 'r'),
    ("FLUSHALL*", 'd'),
];

/// Numbers that look random, the same each time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }
}

/// A request that was drawn, and whether the model permits it to somebody.
struct Drawn {
    words: Vec<String>,
    keys: Vec<String>,
    may: bool,
}

fn drawn(draw: &mut Draw, who: &Who, number: usize) -> Drawn {
    let (text, kind) = COMMANDS[draw.below(COMMANDS.len())];
    let get = text.starts_with("GET ") && who.commands.contains('g');
    let mut may = who.commands.contains(kind) || get;
    let all = |areas: &[&str]| areas.len() == AREAS.len();
    if text.contains('*') {
        may &= all(who.reads) && (kind == 'r' || all(who.writes));
    }
    let (mut keys, mut words) = (vec![], vec![]);
    for word in text.replace('*', "").split(' ') {
        let key = matches!(word, "R" | "W" | "RW" | "C");
        if !key {
            words.push(word.to_owned());
            continue;
        }
        let area = AREAS[draw.below(AREAS.len())];
        // Some keys come again and again: they are remembered.
        let name = match draw.below(3) {
            0 => format!("{area}:hot{}", draw.below(5)),
            _ => format!("{area}:{number}.{}", keys.len()),
        };
        may &= match word {
            "C" => matches!(who.name, "chief") || (who.name == "ada" && area == "a"),
            kind => {
                (!kind.contains('R') || who.reads.contains(&area))
                    && (!kind.contains('W') || who.writes.contains(&area))
            }
        };
        keys.push(name.clone());
        words.push(name);
    }
    Drawn { words, keys, may }
}

fn bulk(words: &[String]) -> Vec<u8> {
    let words_: String =
        words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words_}", words.len()).into_bytes()
}

/// A node, its store, and those who are connected.
struct World {
    router: Arc<Router>,
    relay: Relay,
    sessions: HashMap<&'static str, Session>,
    /// All that the store was sent.
    sent: Vec<u8>,
    replies: HashMap<u64, Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let users = PEOPLE.iter().map(|who| {
            let mut user = User::by_rules(who.name, who.rules).unwrap();
            user.add_password(who.name.as_bytes());
            user
        });
        let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA".to_owned();
        let tokens = TokenRules {
            keys: vec![TokenKey::new("HS256", None, &[secret]).unwrap()],
            claim: "sub".into(),
            template: Some(Template::parse("~{sub}:* +@all").unwrap()),
            ..TokenRules::default()
        };
        let rules =
            Rules { users: Users::new(users.collect()).with_tokens(tokens), ..Rules::default() };
        let router = fronting::router(Config::default(), rules, 0, 0);
        let relay = Relay::new(&router).unwrap();
        let open = |name| {
            let mut session = Session::open(&router, Peer::default(), 0).unwrap();
            let mut output = Output::default();
            session.feed(format!("AUTH {name} {name}\r\n").as_bytes(), 0, &mut output);
            assert_eq!(output.bytes, b"+OK\r\n");
            (name, session)
        };
        let mut sessions: HashMap<_, _> = PEOPLE.iter().map(|who| open(who.name)).collect();
        sessions.insert("nobody", Session::open(&router, Peer::default(), 0).unwrap());
        let mut world =
            Self { router: router.clone(), relay, sessions, sent: vec![], replies: HashMap::new() };
        world.relay.wake(1);
        world.serve();
        world
    }

    /// Sends bytes; what is said at once.
    fn feed(&mut self, name: &str, bytes: &[u8]) -> Vec<u8> {
        let session = self.sessions.get_mut(name).unwrap();
        let mut output = Output::default();
        let next = session.feed_through(bytes, 0, &mut output, Some(&mut self.relay));
        assert_ne!(next, Next::Close);
        output.bytes
    }

    /// Has the store answer all that it was sent, and its clients take it.
    fn serve(&mut self) {
        loop {
            for id in self.relay.opens() {
                self.relay.connected(id);
            }
            let touched = self.relay.touched();
            for id in &touched {
                let mut sent = vec![];
                if let Some(output) = self.relay.output(*id) {
                    sent.append(output);
                }
                let answer = answers(&sent);
                self.sent.append(&mut sent);
                self.relay.receive(*id, &answer);
            }
            let deliveries = self.relay.deliveries();
            for delivery in &deliveries {
                let found = self.sessions.values_mut().find(|one| one.id() == delivery.client);
                if let Some(session) = found {
                    session.deliver(delivery, self.replies.entry(delivery.client).or_default());
                }
            }
            if touched.is_empty() && deliveries.is_empty() {
                return;
            }
        }
    }

    /// Sends bytes and has the store answer; all that is said.
    fn ask(&mut self, name: &str, bytes: &[u8]) -> String {
        let mut said = self.feed(name, bytes);
        loop {
            self.serve();
            said.append(&mut self.take(name));
            // What waited for a reply goes on.
            let more = self.feed(name, b"");
            said.extend_from_slice(&more);
            if !said.is_empty() {
                return String::from_utf8_lossy(&said).into_owned();
            }
        }
    }

    fn take(&mut self, name: &str) -> Vec<u8> {
        self.replies.remove(&self.sessions[name].id()).unwrap_or_default()
    }
}

/// The replies of a store, in which any key has a value.
fn answers(requests: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(requests);
    let mut lines = text.split("\r\n");
    let mut replies = String::new();
    while let Some(count) = lines.next().and_then(|line| line.strip_prefix('*')) {
        let count: usize = count.parse().unwrap();
        let words: Vec<_> = (0..count).filter_map(|_| lines.by_ref().nth(1)).collect();
        replies += &match words[0].to_ascii_uppercase().as_str() {
            "HELLO" => "%1\r\n+version\r\n+7.0.15\r\n".to_owned(),
            "PTTL" => ":-1\r\n".to_owned(),
            "GET" => "$1\r\nv\r\n".to_owned(),
            "MGET" => format!("*{}\r\n", count - 1) + &"$1\r\nv\r\n".repeat(count - 1),
            _ => "+OK\r\n".to_owned(),
        };
    }
    replies.into_bytes()
}

fn pairs() -> usize {
    std::env::var("PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

#[test]
fn whatever_is_asked_by_whom_the_node_permits_what_the_model_does() {
    let mut world = World::new();
    let mut draw = Draw(7);
    let (mut permitted, mut refused) = (0, 0);
    for number in 0..pairs() {
        let who = &PEOPLE[draw.below(PEOPLE.len())];
        let Drawn { words, keys, may } = drawn(&mut draw, who, number);
        world.sent.clear();
        let said = world.ask(who.name, &bulk(&words));
        assert_eq!(!said.starts_with("-NOPERM"), may, "{} {words:?}: {said}", who.name);
        (permitted, refused) =
            if may { (permitted + 1, refused) } else { (permitted, refused + 1) };
        if !may {
            let sent = String::from_utf8_lossy(&world.sent).into_owned();
            assert!(!keys.iter().any(|key| sent.contains(key)), "{} {words:?}: {sent}", who.name);
        }
        assert_eq!(world.ask("nobody", &bulk(&words)), NOAUTH, "{words:?}");
    }
    assert!(permitted > pairs() / 10 && refused > pairs() / 10, "{permitted} {refused}");
}

#[test]
fn who_may_not_read_a_key_does_not_wait_for_what_another_reads() {
    let mut world = World::new();
    let get = |key: &str| bulk(&["GET".into(), key.into()]);
    for number in 0..200 {
        let key = format!("b:{number}");
        // On its way to the store, which has not answered.
        assert_eq!(world.feed("chief", &get(&key)), b"");
        assert_eq!(world.feed("all", &get(&key)), b"");
        for name in ["ada", "log", "nil"] {
            let said = world.feed(name, &get(&key));
            assert!(said.starts_with(b"-NOPERM"), "{name}: {}", said.escape_ascii());
        }
        assert_eq!(world.feed("nobody", &get(&key)), NOAUTH.as_bytes());
        world.serve();
        for name in ["chief", "all"] {
            assert_eq!(world.take(name), b"$1\r\nv\r\n");
        }
        for name in ["ada", "log", "nil", "nobody"] {
            assert_eq!(world.take(name), b"");
        }
        // And as it is remembered.
        assert!(world.feed("ada", &get(&key)).starts_with(b"-NOPERM"));
        assert_eq!(world.feed("all", &get(&key)), b"$1\r\nv\r\n");
    }
}

#[test]
fn a_transaction_with_anything_that_is_not_permitted_does_nothing() {
    let mut world = World::new();
    let mut draw = Draw(11);
    let people: Vec<_> = PEOPLE.iter().filter(|who| who.commands.contains('t')).collect();
    for number in 0..pairs() / 20 {
        let who = people[draw.below(people.len())];
        let requests: Vec<_> = (0..3).map(|_| drawn(&mut draw, who, number)).collect();
        if requests.iter().all(|one| one.may) {
            continue;
        }
        world.sent.clear();
        assert_eq!(world.ask(who.name, b"MULTI\r\n"), "+OK\r\n");
        for Drawn { words, may, .. } in &requests {
            let said = world.ask(who.name, &bulk(words));
            assert_eq!(!said.starts_with("-NOPERM"), *may, "{} {words:?}: {said}", who.name);
        }
        let said = world.ask(who.name, b"EXEC\r\n");
        assert!(said.starts_with("-EXECABORT"), "{said}");
        let sent = String::from_utf8_lossy(&world.sent).into_owned();
        let all = requests.iter().flat_map(|one| &one.keys).collect::<Vec<_>>();
        assert!(!all.iter().any(|key| sent.contains(*key)), "{all:?}: {sent}");
    }
}

#[test]
fn what_stands_behind_an_auth_that_fails_is_for_nobody() {
    let mut world = World::new();
    world.sent.clear();
    let said = world.ask("nobody", b"AUTH ada no\r\nSET a:never x\r\nGET a:never\r\nMULTI\r\n");
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    assert_eq!(said, [wrong, NOAUTH, NOAUTH, NOAUTH].concat());
    assert!(!String::from_utf8_lossy(&world.sent).contains("never"));
    assert_eq!(world.router.counts().faults, 0);
}

/// Whether somebody may hear these, by another way of telling it: `pattern` is `PSUBSCRIBE`.
fn may_hear(who: &Who, pattern: bool, topics: &[String]) -> bool {
    match who.name {
        "chief" => true,
        // A pattern has to be the very one of its rule.
        "ada" if pattern => topics.iter().all(|topic| topic == "a:*"),
        "ada" => topics.iter().all(|topic| topic.starts_with("a:")),
        _ => false,
    }
}

#[test]
fn nobody_hears_channels_that_are_not_for_it_alone_in_a_transaction_or_unknown() {
    let mut world = World::new();
    let mut draw = Draw(13);
    let (mut permitted, mut refused) = (0, 0);
    for number in 0..pairs() / 20 {
        let who = &PEOPLE[draw.below(PEOPLE.len())];
        let name = ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"][draw.below(3)];
        let topic = |draw: &mut Draw| match (name, AREAS[draw.below(AREAS.len())]) {
            // Patterns that reach as far as its own, further, and less far.
            ("PSUBSCRIBE", area) => format!("{area}:{}", ["*", "*", "n*", "?"][draw.below(4)]),
            (_, area) => format!("{area}:news.{number}"),
        };
        let topics: Vec<_> = (0..1 + draw.below(2)).map(|_| topic(&mut draw)).collect();
        let may = may_hear(who, name == "PSUBSCRIBE", &topics);
        let words: Vec<_> = [name.to_owned()].into_iter().chain(topics.clone()).collect();
        let mut session = Session::open(&world.router, Peer::default(), 0).unwrap();
        // It subscribes in RESP3, and may say other things afterwards.
        let mut output = Output::default();
        let hello = format!("HELLO 3 AUTH {0} {0}\r\n", who.name);
        session.feed(hello.as_bytes(), 0, &mut output);
        assert!(output.bytes.starts_with(b"%"), "{}", output.bytes.escape_ascii());
        world.sessions.insert("fresh", session);
        world.serve();
        world.sent.clear();
        let transaction = draw.below(3) == 0;
        if transaction && who.commands.contains('t') {
            assert_eq!(world.ask("fresh", b"MULTI\r\n"), "+OK\r\n");
            let said = world.ask("fresh", &bulk(&words));
            assert_eq!(!said.starts_with("-NOPERM"), may, "{} {words:?}: {said}", who.name);
            if !may {
                assert!(world.ask("fresh", b"EXEC\r\n").starts_with("-EXECABORT"));
            }
        } else {
            let said = world.feed("fresh", &bulk(&words));
            assert_eq!(!said.starts_with(b"-NOPERM"), may, "{} {words:?}", who.name);
        }
        world.serve();
        (permitted, refused) =
            if may { (permitted + 1, refused) } else { (permitted, refused + 1) };
        if !may {
            let sent = String::from_utf8_lossy(&world.sent).into_owned();
            assert!(!topics.iter().any(|topic| sent.contains(topic.as_str())), "{sent}");
        }
        assert_eq!(world.ask("nobody", &bulk(&words)), NOAUTH, "{words:?}");
        if let Some(mut session) = world.sessions.remove("fresh") {
            session.end(&mut world.relay);
        }
    }
    assert!(permitted > pairs() / 200 && refused > pairs() / 200, "{permitted} {refused}");
}

//! A client of the node, served as a driver serves one, and what it may be told.

use super::case::Ask;
use super::marks;
use breakwater_resp::{ReplyParser, write_request};
use breakwater_router::catalog::known;
use breakwater_router::{Delivery, Next, Output, Relay, Session};
use std::collections::VecDeque;
use std::sync::LazyLock;

/// What a client has asked and not been told.
struct Asked {
    number: u64,
    words: Vec<String>,
}

/// The names of all commands.
pub fn names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&str>> =
        LazyLock::new(|| known().map(|known| &*known.name).collect());
    &NAMES
}

/// Whether something is to end a script that its server is busy with, which has a connection of its own.
pub fn interrupts(ask: &Ask) -> bool {
    let Ask::Any(which, _) = ask else { return false };
    let name = names()[usize::from(*which) % names().len()];
    known().any(|known| *known.name == *name && known.interrupts())
}

/// For how many milliseconds, at the most, something that is asked holds up all clients. Any command
/// may be `CLIENT PAUSE 1`.
pub fn pauses(ask: &Ask) -> u64 {
    match ask {
        Ask::Pause(ms, _) => u64::from(*ms),
        Ask::Any(..) => 1,
        _ => 0,
    }
}

/// Whether something that is asked waits for a connection of its own, perhaps.
pub fn wants_own(ask: &Ask) -> bool {
    matches!(ask, Ask::Any(..) | Ask::Watch(_) | Ask::Block(_) | Ask::Monitor | Ask::Wait)
}

/// A client.
pub struct Client {
    pub relay: usize,
    /// How much it has been given, and how many things it has asked that want a connection of their own.
    pub given: usize,
    pub own: u64,
    session: Session,
    /// Commands wait in the core for replies to be taken, or for the store.
    waits: bool,
    awaits: bool,
    /// Replies that it has not taken.
    backlog: Vec<u8>,
    /// It takes them.
    takes: bool,
    /// What it sent cannot be told apart: only that it is served in the end is looked at.
    loose: bool,
    asked: VecDeque<Asked>,
    next: u64,
    /// Its database, and the one that its transaction chooses.
    db: String,
    chosen: Option<String>,
    /// Whether what it asks is between `MULTI` and `EXEC`, perhaps.
    queues: bool,
    parser: ReplyParser,
    input: Vec<u8>,
    pub over: bool,
}

impl Client {
    pub fn new(relay: usize, session: Session, honest: bool) -> Self {
        Self {
            relay,
            given: 0,
            own: 0,
            session,
            waits: false,
            awaits: false,
            backlog: vec![],
            takes: true,
            loose: !honest,
            asked: VecDeque::new(),
            next: 0,
            db: "0".into(),
            chosen: None,
            queues: false,
            parser: ReplyParser::default(),
            input: vec![],
            over: false,
        }
    }

    pub fn id(&self) -> u64 {
        self.session.id()
    }

    /// Bytes of it that the node keeps: of commands, and of replies.
    pub fn kept(&self) -> (usize, usize) {
        (self.session.buffered(), self.session.kept())
    }

    /// Whether the node owes it nothing, or nothing that it would not wait for without end.
    pub fn is_served(&self, blocking: bool) -> bool {
        let owed = self.waits || self.awaits || self.session.is_owed();
        self.over || !owed || (blocking && self.session.is_blocked())
    }

    /// Everything that it asked was answered.
    pub fn check_answered(&self) {
        let asked: Vec<_> = self.asked.iter().map(|asked| &asked.words).collect();
        assert!(self.over || self.loose || asked.is_empty(), "never answered: {asked:?}");
    }

    /// The words of something to ask, and what is to be expected.
    fn words(&mut self, ask: Ask, clients: &[u64]) -> Vec<String> {
        let mark = format!("#{}.{}#", self.id(), self.next);
        let key = |key: u8| format!("k{}", key % 4);
        let other = |at: u8| clients[usize::from(at) % clients.len()].to_string();
        let line = match ask {
            Ask::Get(k) => format!("GET {}", key(k)),
            Ask::GetRange(k) => format!("GETRANGE {} 0 -1", key(k)),
            Ask::MGet(a, b) => format!("MGET {} {}", key(a), key(b)),
            Ask::Set(k) => format!("SET {} {mark}", key(k)),
            Ask::Large(k, len) => format!("SET {} {}{mark}", key(k), "v".repeat(len.into())),
            Ask::Del(k) => format!("DEL {}", key(k)),
            Ask::FlushAll => "FLUSHALL".into(),
            Ask::Script(k) => format!("EVAL x 1 {} {mark}", key(k)),
            Ask::Echo => format!("ECHO {mark}"),
            Ask::Ping => "PING".into(),
            Ask::Info => "INFO".into(),
            Ask::List => "CLIENT LIST".into(),
            Ask::Kill(at) => format!("CLIENT KILL ID {}", other(at)),
            Ask::Multi => "MULTI".into(),
            Ask::Exec => "EXEC".into(),
            Ask::Discard => "DISCARD".into(),
            Ask::Watch(k) => format!("WATCH {} {mark}", key(k)),
            Ask::Unwatch => "UNWATCH".into(),
            Ask::Block(k) => format!("BLPOP {} {mark} 0", key(k)),
            Ask::Wait => "WAIT 0 0".into(),
            Ask::Subscribe(kind, c) => format!("{}SUBSCRIBE c{}", kind.prefix(), c % 3),
            Ask::Unsubscribe(kind, c) => format!("{}UNSUBSCRIBE c{}", kind.prefix(), c % 3),
            Ask::Select(db) => format!("SELECT {}", db % 3),
            Ask::Hello(new) => format!("HELLO {}", if new { 3 } else { 2 }),
            Ask::Reset => "RESET".into(),
            Ask::Quit => "QUIT".into(),
            Ask::Track(on) => format!("CLIENT TRACKING {}", if on { "ON" } else { "OFF" }),
            Ask::Caching => "CLIENT CACHING YES".into(),
            Ask::Hear => "SUBSCRIBE __redis__:invalidate".into(),
            Ask::Redirect(at) => format!("CLIENT TRACKING ON REDIRECT {}", other(at)),
            Ask::Concern(all) => {
                format!("BW READCONCERN {}", if all { "consistent" } else { "balanced" })
            }
            Ask::Unknown(n) => format!("STRANGE{} k1 {mark}", n % 3),
            Ask::Any(which, count) => {
                let name = names()[usize::from(which) % names().len()].replace('|', " ");
                format!("{name}{}", " 1".repeat(usize::from(count % 8)))
            }
            Ask::Reply(on) => format!("CLIENT REPLY {}", if on { "ON" } else { "OFF" }),
            Ask::Skip => "CLIENT REPLY SKIP".into(),
            Ask::Monitor => "MONITOR".into(),
            Ask::Pause(ms, all) => {
                format!("CLIENT PAUSE {ms} {}", if all { "ALL" } else { "WRITE" })
            }
            Ask::Unpause => "CLIENT UNPAUSE".into(),
            Ask::Unblock(at) => format!("CLIENT UNBLOCK {}", other(at)),
        };
        self.loose |= matches!(ask, Ask::Any(..) | Ask::Reply(_) | Ask::Skip | Ask::Monitor);
        // A confirmation in the reply to a transaction is taken for news between its elements.
        self.loose |=
            self.queues && matches!(ask, Ask::Subscribe(..) | Ask::Unsubscribe(..) | Ask::Hear);
        match ask {
            Ask::Multi => self.queues = true,
            Ask::Exec | Ask::Discard | Ask::Reset => self.queues = false,
            _ => {}
        }
        line.split(' ').map(str::to_owned).collect()
    }

    /// Asks several things at once.
    pub fn ask(&mut self, all: &[Ask], clients: &[u64]) -> Vec<u8> {
        let mut bytes = vec![];
        for ask in all {
            let words = self.words(*ask, clients);
            self.own += u64::from(wants_own(ask));
            write_request(&mut bytes, &words);
            self.asked.push_back(Asked { number: self.next, words });
            self.next += 1;
        }
        bytes
    }

    /// Sends what cannot be told apart.
    pub fn loosen(&mut self) {
        self.loose = true;
        self.asked.clear();
    }

    /// Has the node take bytes, as a driver does.
    pub fn feed(&mut self, bytes: &[u8], now: u64, relay: &mut Relay) -> Vec<u64> {
        let mut output = Output::default();
        let next = if self.backlog.is_empty() && !self.awaits {
            self.session.feed_through(bytes, now, &mut output, Some(relay))
        } else {
            self.session.hold(bytes, &mut output, Some(relay))
        };
        self.given += output.bytes.len();
        self.backlog.append(&mut output.bytes);
        self.waits = next == Next::Resume && !self.awaits;
        self.awaits |= next == Next::Await;
        self.over |= next == Next::Close;
        self.take();
        output.kills
    }

    /// Has commands run that waited; whether there were any.
    pub fn resume(&mut self, now: u64, relay: &mut Relay) -> Option<Vec<u64>> {
        self.take();
        (self.waits && self.backlog.is_empty() && !self.over).then(|| self.feed(&[], now, relay))
    }

    /// A delivery of its relay.
    pub fn deliver(&mut self, delivery: &Delivery) {
        if delivery.is_push() && self.backlog.len() > self.session.most_messages() {
            self.over = true;
            return;
        }
        let before = self.backlog.len();
        self.session.deliver(delivery, &mut self.backlog);
        self.given += self.backlog.len() - before;
        self.waits |= self.awaits;
        self.awaits = false;
        self.over |= delivery.ends;
        self.take();
    }

    pub fn takes(&mut self, takes: bool) {
        self.takes = takes;
        self.take();
    }

    pub fn end(&mut self, relay: &mut Relay) {
        self.session.end(relay);
    }

    /// Takes its replies, if it does.
    fn take(&mut self) {
        if !self.takes {
            return;
        }
        self.input.append(&mut self.backlog);
        if self.loose {
            self.input.clear();
            return;
        }
        let mut input = std::mem::take(&mut self.input);
        let mut used = 0;
        while let Some(frame) = self.parser.parse(&input[used..]).expect("replies are well-formed")
        {
            self.told(&input[used..used + frame.len]);
            used += frame.len;
        }
        input.drain(..used);
        self.input = input;
    }

    /// It is told something.
    fn told(&mut self, reply: &[u8]) {
        let text = String::from_utf8_lossy(reply).into_owned();
        let parts: Vec<_> = text.split("\r\n").collect();
        let list = text.starts_with(['*', '>']);
        // A list of clients, as a transaction may give it, has words of others.
        let own = |line: &&str| list && !line.starts_with("id=");
        let first = parts.get(2).copied().filter(own).unwrap_or_default();
        let broken = "tracking-redir-broken";
        let messages = ["message", "pmessage", "smessage", "invalidate", broken];
        if messages.contains(&first) || text.starts_with(">2\r\n+invalidate") {
            return;
        }
        let Some(Asked { number, words }) = self.asked.pop_front() else {
            // The last words to a client whose connection ends.
            assert!(self.over, "told unasked: {text}");
            return;
        };
        self.follow(&words, &text);
        if text.starts_with('-') {
            return;
        }
        // A list of clients shows what others asked last, which may be a mark.
        let said: String = text.split(' ').filter(|word| !word.starts_with("cmd=")).collect();
        let (id, marks, name) = (self.id(), marks(said.as_bytes()), words[0].as_str());
        let all = || format!("asked {:?} and was told {text:?}", words.join(" "));
        assert!(marks.iter().all(|mark| mark.0 == id), "another client's: {}", all());
        assert_eq!(name.contains("SUBSCRIBE"), first.contains("subscribe"), "{}", all());
        let right = match (name, text == "+QUEUED\r\n") {
            ("EXEC", _) => marks.is_sorted() && marks.iter().all(|mark| mark.1 < number),
            ("SET" | "EVAL" | "ECHO" | "BLPOP", false) => marks == [(id, number)],
            ("GET" | "GETRANGE", false) => self.values(&text) == words[1..2],
            ("MGET", false) => self.values(&text) == words[1..],
            _ => marks.iter().all(|mark| mark.1 == number),
        };
        assert!(right, "{}", all());
    }

    /// Which database it is in.
    fn follow(&mut self, words: &[String], reply: &str) {
        match words[0].as_str() {
            "SELECT" if reply == "+QUEUED\r\n" => self.chosen = Some(words[1].clone()),
            "SELECT" if reply == "+OK\r\n" => self.db.clone_from(&words[1]),
            "RESET" if !reply.starts_with('-') => (self.db, self.chosen) = ("0".into(), None),
            "EXEC" if reply.starts_with('*') && reply != "*-1\r\n" => {
                self.db = self.chosen.take().unwrap_or(std::mem::take(&mut self.db));
            }
            "EXEC" | "DISCARD" => self.chosen = None,
            _ => {}
        }
    }

    /// The keys whose values a reply has, all of the client's database.
    fn values(&self, reply: &str) -> Vec<String> {
        let values = reply.split('=').skip(1).step_by(2);
        let key = |value: &str| {
            let (key, rest) = value.split_once('.').unwrap_or_default();
            assert!(rest.starts_with(&format!("{}.", self.db)), "{reply:?} in {}", self.db);
            format!("k{key}")
        };
        values.map(key).collect()
    }
}

//! A connection to a server against a server, with no socket between them but bytes in any pieces.

use breakwater_engine::{Cache, Config};
use breakwater_resp::{Kind, Parsed, Protocol, ReplyLimits, RequestParser, write_request};
use breakwater_router::{
    Busy, Lost, Options, Output, Peer, Phase, Router, Rules, Session, Sink, Upstream,
    UpstreamOptions, Users,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// What a connection told.
#[derive(Default)]
struct Told {
    /// The attempt whose socket is open or being opened.
    socket: Option<u64>,
    outcomes: HashMap<u64, Vec<Result<Vec<u8>, Lost>>>,
    pushes: Vec<Vec<u8>>,
    refusals: Vec<Vec<u8>>,
    ready: u32,
    down: u32,
}

impl Sink for Told {
    fn connect(&mut self, attempt: u64) {
        assert_eq!(self.socket.replace(attempt), None, "one socket at a time");
    }

    fn close(&mut self, attempt: u64) {
        assert_eq!(self.socket.take(), Some(attempt), "what is open is closed");
    }

    fn reply(&mut self, token: u64, _kind: Kind, bytes: &[u8]) {
        self.outcomes.entry(token).or_default().push(Ok(bytes.to_vec()));
    }

    fn lost(&mut self, token: u64, why: Lost) {
        self.outcomes.entry(token).or_default().push(Err(why));
    }

    fn push(&mut self, bytes: &[u8]) {
        self.pushes.push(bytes.to_vec());
    }

    fn ready(&mut self) {
        self.ready += 1;
    }

    fn down(&mut self, refusal: Option<&[u8]>) {
        self.down += 1;
        self.refusals.extend(refusal.map(<[u8]>::to_vec));
    }
}

/// A connection, a server, and what is on its way between them.
struct Line {
    upstream: Upstream,
    told: Told,
    server_side: Arc<Router>,
    server: Option<Session>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    /// All that reached the server, and where the last connection's begins.
    seen: Vec<u8>,
    connected_at: usize,
    /// Whether the server does not read.
    stalled: bool,
    now: u64,
}

const OPTIONS: fn() -> UpstreamOptions = || UpstreamOptions {
    name: "test".into(),
    db: 3,
    requests: 20,
    bytes: 1000,
    timeout: 100,
    connect_timeout: 50,
    silence: 300,
    retry_least: 10,
    retry_most: 80,
    limits: ReplyLimits::default(),
    ..UpstreamOptions::default()
};

/// What the server takes for the time.
const NOW: u64 = 1_700_000_000_000;

const PUSH: &[u8] = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

impl Line {
    fn new(options: UpstreamOptions, server: Options) -> Self {
        let cache = Arc::new(Cache::new(Config::default()).unwrap());
        Self {
            upstream: Upstream::new(options, 1),
            told: Told::default(),
            server_side: Arc::new(Router::new(cache, server, NOW)),
            server: None,
            to_server: vec![],
            to_client: vec![],
            seen: vec![],
            connected_at: 0,
            stalled: false,
            now: 0,
        }
    }

    /// One that is ready.
    fn ready() -> Self {
        let mut line = Self::new(OPTIONS(), Options::default());
        line.settle();
        assert_eq!(line.upstream.phase(), Phase::Ready);
        line
    }

    /// Time passes, and the connection is woken when it asked for it.
    fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        let mut wakes = 0;
        while let Some(at) = self.upstream.wake_at().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.upstream.wake(self.now, &mut self.told);
            self.hang_up();
            wakes += 1;
            assert!(wakes < 1000, "it asks to be woken without end");
        }
        self.now = until;
    }

    fn open(&mut self) {
        if let (Some(attempt), None) = (self.told.socket, &self.server) {
            self.server = Session::open(&self.server_side, Peer::default(), NOW).ok();
            self.connected_at = self.seen.len();
            self.upstream.opened(attempt, self.now, &mut self.told);
        }
    }

    fn cut(&mut self) {
        if let Some(attempt) = self.told.socket.take() {
            self.upstream.cut(attempt, self.now, &mut self.told);
            // A cut that is told of twice changes nothing.
            self.upstream.cut(attempt, self.now, &mut self.told);
        }
        self.hang_up();
    }

    /// What was on its way is gone with the socket.
    fn hang_up(&mut self) {
        if self.told.socket.is_none() {
            self.server = None;
            self.to_server.clear();
            self.to_client.clear();
        }
    }

    /// So many bytes reach the server.
    fn forward(&mut self, count: usize) {
        self.to_server.append(self.upstream.output());
        let count = count.min(self.to_server.len());
        if let (Some(server), false) = (&mut self.server, self.stalled) {
            let bytes: Vec<u8> = self.to_server.drain(..count).collect();
            self.seen.extend(&bytes);
            let mut output = Output::default();
            server.feed(&bytes, NOW, &mut output);
            self.to_client.append(&mut output.bytes);
        }
    }

    /// So many bytes come back.
    fn back(&mut self, count: usize) {
        let count = count.min(self.to_client.len());
        let bytes: Vec<u8> = self.to_client.drain(..count).collect();
        if let (Some(attempt), Some(_)) = (self.told.socket, &self.server) {
            self.upstream.received(attempt, &bytes, self.now, &mut self.told);
            self.hang_up();
        }
    }

    /// Everything arrives.
    fn settle(&mut self) {
        self.pass(0);
        self.open();
        for _ in 0..3 {
            self.forward(usize::MAX);
            self.back(usize::MAX);
        }
    }

    /// Sends what the server answers with the token.
    fn send(&mut self, token: u64) -> Result<(), Busy> {
        let mut request = vec![];
        write_request(&mut request, &["ECHO", &format!("<{token}>")]);
        self.upstream.send(token, &request, self.now)
    }

    /// Sends the same as a read of a replica.
    fn send_as_replica(&mut self, token: u64) -> Result<(), Busy> {
        let mut request = vec![];
        write_request(&mut request, &["ECHO", &format!("<{token}>")]);
        self.upstream.send_as_replica(token, &request, self.now)
    }

    /// The tokens that have reached the server over the last connection, each with whether it was to
    /// answer as a replica then.
    fn modes(&self) -> Vec<(u64, bool)> {
        let (mut parser, mut at) = (RequestParser::default(), self.connected_at);
        let (mut as_replica, mut modes) = (false, vec![]);
        while let Parsed::Command(len) = parser.parse(&self.seen[at..], true) {
            let args = parser.args(&self.seen[at..at + len]);
            match args.word(0) {
                b"READONLY" => as_replica = true,
                b"READWRITE" => as_replica = false,
                b"ECHO" => {
                    let text = std::str::from_utf8(args.word(1)).unwrap();
                    modes.push((text.trim_matches(['<', '>']).parse().unwrap(), as_replica));
                }
                _ => {}
            }
            at += len;
        }
        modes
    }

    fn outcome(&self, token: u64) -> Option<&Result<Vec<u8>, Lost>> {
        let all = self.told.outcomes.get(&token)?;
        assert_eq!(all.len(), 1, "{token} ended more than once: {all:?}");
        all.first()
    }
}

/// The reply to [`Line::send`].
fn echo(token: u64) -> Vec<u8> {
    let text = format!("<{token}>");
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

#[derive(Clone, Debug)]
enum Step {
    Send,
    Leave(u64),
    Forward(usize),
    Back(usize),
    Push,
    Cut,
    Pass(u64),
    Stall(bool),
    Open,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Send),
        1 => (0u64..60).prop_map(Step::Leave),
        6 => (1usize..80).prop_map(Step::Forward),
        6 => (1usize..80).prop_map(Step::Back),
        1 => Just(Step::Push),
        1 => Just(Step::Cut),
        2 => (0u64..60).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Stall),
        3 => Just(Step::Open),
    ]
}

proptest! {
    #[test]
    fn every_request_ends_once_and_with_its_own_reply(steps in vec(step(), 1..120)) {
        let mut line = Line::new(OPTIONS(), Options::default());
        let (mut sent, mut left, mut pushed) = (vec![], vec![], 0);
        for step in steps {
            match step {
                Step::Send => {
                    let token = sent.len() as u64;
                    if line.send(token).is_ok() {
                        sent.push((token, line.now));
                    }
                }
                Step::Leave(token) => {
                    if line.upstream.leave(token) {
                        left.push(token);
                    }
                }
                Step::Forward(count) => line.forward(count),
                Step::Back(count) => line.back(count),
                Step::Push if line.to_client.is_empty() && line.server.is_some() => {
                    line.to_client.extend(PUSH);
                    pushed += 1;
                }
                Step::Push => {}
                Step::Cut => line.cut(),
                Step::Pass(ms) => line.pass(ms),
                Step::Stall(stalled) => line.stalled = stalled,
                Step::Open => line.open(),
            }
            prop_assert!(line.upstream.waiting() <= 20);
            prop_assert!(line.upstream.output().len() <= 1000 + 200);
            // Nobody waits longer than was said.
            for (token, since) in &sent {
                let ended = line.outcome(*token).is_some() || left.contains(token);
                prop_assert!(ended || line.now < since + 100, "{token}");
            }
        }
        line.upstream.end(line.now, &mut line.told);
        prop_assert_eq!(line.told.socket, None);
        prop_assert_eq!(line.upstream.wake_at(), None);
        prop_assert_eq!(line.send(99), Err(Busy::Ended));
        for (token, _) in sent {
            match line.outcome(token) {
                None => prop_assert!(left.contains(&token), "{token} never ended"),
                Some(Ok(bytes)) => prop_assert_eq!(bytes, &echo(token)),
                Some(Err(Lost::Unwritten)) => {
                    let text = format!("<{token}>").into_bytes();
                    let seen = line.seen.windows(text.len()).any(|part| part == text);
                    prop_assert!(!seen, "{token} was written");
                }
                Some(Err(_)) => {}
            }
        }
        prop_assert!(line.told.pushes.len() <= pushed);
        prop_assert!(line.told.pushes.iter().all(|push| push == PUSH));
    }
}

proptest! {
    /// Whether it waited for the connection, whether the connection was cut meanwhile, and whatever went
    /// before it.
    #[test]
    fn only_what_is_meant_for_a_replica_is_answered_by_one(
        steps in vec((step(), any::<bool>()), 1..120),
    ) {
        let mut line = Line::new(OPTIONS(), Options::default());
        let mut meant = HashMap::new();
        for (token, (step, as_replica)) in (0..).zip(steps) {
            match step {
                Step::Send => {
                    meant.insert(token, as_replica);
                    let _busy = match as_replica {
                        true => line.send_as_replica(token),
                        false => line.send(token),
                    };
                }
                Step::Leave(token) => drop(line.upstream.leave(token)),
                Step::Forward(count) => line.forward(count),
                Step::Back(count) => line.back(count),
                Step::Cut => line.cut(),
                Step::Pass(ms) => line.pass(ms),
                Step::Open => line.open(),
                Step::Push | Step::Stall(_) => line.settle(),
            }
            for (token, as_replica) in line.modes() {
                prop_assert_eq!(as_replica, meant[&token], "{}", token);
            }
        }
    }
}

#[test]
fn it_says_who_it_is_before_it_forwards() {
    let secret = || Options {
        rules: Rules { users: Users::with_password(b"secret"), ..Rules::default() },
        ..Options::default()
    };
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for user in [None, Some("default".to_owned())] {
            let password = Some("secret".to_owned());
            let options = UpstreamOptions { protocol, user, password, ..OPTIONS() };
            let mut line = Line::new(options, secret());
            // What is sent before goes out after the greeting.
            let mut request = vec![];
            write_request(&mut request, &["CLIENT", "INFO"]);
            line.upstream.send(1, &request, 0).unwrap();
            line.settle();
            assert_eq!((line.told.ready, line.told.down), (1, 0));
            let info = line.outcome(1).unwrap().clone().unwrap();
            let info = String::from_utf8(info).unwrap();
            for part in ["name=test ", "db=3 ", "user=default "] {
                assert!(info.contains(part), "{info}");
            }
            assert!(info.contains(&format!("resp={} ", protocol as u8)), "{info}");
        }
    }
}

#[test]
fn a_refused_greeting_is_told_and_tried_again_later() {
    let secret = Options {
        rules: Rules { users: Users::with_password(b"secret"), ..Rules::default() },
        ..Options::default()
    };
    let options = UpstreamOptions { password: Some("wrong".into()), ..OPTIONS() };
    assert!(!format!("{options:?}").contains("wrong"));
    let mut line = Line::new(options, secret);
    line.settle();
    assert!(line.told.refusals[0].starts_with(b"-WRONGPASS "));
    assert_eq!((line.upstream.phase(), line.told.socket), (Phase::Waiting, None));
    line.pass(10);
    assert_eq!(line.upstream.phase(), Phase::Connecting);
}

#[test]
fn a_late_reply_is_dropped_in_its_turn() {
    let mut line = Line::ready();
    line.send(1).unwrap();
    line.forward(usize::MAX);
    line.pass(60);
    line.send(2).unwrap();
    line.pass(60);
    assert_eq!(line.outcome(1), Some(&Err(Lost::Late)));
    assert_eq!(line.outcome(2), None);
    line.settle();
    assert_eq!(line.outcome(1), Some(&Err(Lost::Late)));
    assert_eq!(line.outcome(2), Some(&Ok(echo(2))));
}

#[test]
fn a_request_that_was_never_written_says_so_and_never_is() {
    let mut line = Line::new(OPTIONS(), Options::default());
    line.send(1).unwrap();
    line.pass(100);
    assert_eq!(line.outcome(1), Some(&Err(Lost::Unwritten)));
    line.send(2).unwrap();
    line.settle();
    assert_eq!(line.outcome(2), Some(&Ok(echo(2))));
}

#[test]
fn a_cut_fails_what_was_written_and_keeps_what_was_not() {
    let mut line = Line::ready();
    line.send(1).unwrap();
    line.forward(usize::MAX);
    line.cut();
    assert_eq!(line.outcome(1), Some(&Err(Lost::Cut)));
    line.send(2).unwrap();
    line.pass(10);
    line.settle();
    assert_eq!(line.outcome(2), Some(&Ok(echo(2))));
    assert_eq!((line.told.ready, line.told.down), (2, 1));
}

#[test]
fn the_half_of_a_reply_goes_with_its_socket() {
    let mut line = Line::ready();
    line.send(1).unwrap();
    line.forward(usize::MAX);
    line.back(3);
    line.cut();
    line.pass(10);
    line.settle();
    assert_eq!((line.upstream.phase(), line.told.down), (Phase::Ready, 1));
    line.send(2).unwrap();
    line.settle();
    assert_eq!(line.outcome(2), Some(&Ok(echo(2))));
}

#[test]
fn a_server_that_says_nothing_is_asked_whether_it_is_there() {
    let mut line = Line::new(UpstreamOptions { heartbeat: 1_000, ..OPTIONS() }, Options::default());
    line.settle();
    let asked = |line: &Line| String::from_utf8_lossy(&line.seen).matches("PING").count();
    let before = asked(&line);
    line.pass(999);
    line.settle();
    assert_eq!(asked(&line), before, "it has just answered");
    for beats in 1..4 {
        line.pass(1_000);
        line.settle();
        assert_eq!(asked(&line), before + beats);
    }
    // What is asked anyway tells as well.
    for token in 1..5 {
        line.pass(500);
        line.send(token).unwrap();
        line.settle();
        assert_eq!(line.outcome(token), Some(&Ok(echo(token))));
    }
    assert_eq!(asked(&line), before + 3);
    assert_eq!((line.upstream.phase(), line.told.down), (Phase::Ready, 0));
    line.stalled = true;
    line.pass(1_000);
    line.settle();
    line.pass(299);
    assert_eq!(line.told.down, 0);
    line.pass(1);
    assert_eq!(line.told.down, 1, "it is not there");
}

#[test]
fn a_server_that_owes_a_reply_and_says_nothing_is_given_up() {
    let mut line = Line::ready();
    line.pass(10_000);
    assert_eq!(line.upstream.phase(), Phase::Ready, "silence is fine while nothing is owed");
    line.send(1).unwrap();
    line.stalled = true;
    line.forward(usize::MAX);
    line.pass(299);
    assert_eq!(line.upstream.phase(), Phase::Ready);
    line.pass(1);
    assert_eq!((line.upstream.phase(), line.told.socket), (Phase::Waiting, None));
}

#[test]
fn what_waits_is_bounded() {
    let mut line = Line::ready();
    for token in 0..20 {
        line.send(token).unwrap();
    }
    assert_eq!(line.send(20), Err(Busy::Requests));
    let mut line = Line::ready();
    assert_eq!(line.upstream.send(1, &[b'x'; 1001], 0), Err(Busy::Bytes));
    let mut line = Line::new(OPTIONS(), Options::default());
    line.upstream.send(1, &[b'x'; 990], 0).unwrap();
    assert_eq!(line.send(2), Err(Busy::Bytes));
}

#[test]
fn what_is_no_reply_or_was_not_asked_for_ends_the_connection() {
    for bytes in [&b"x"[..], b"+OK\r\n", b":x\r\n"] {
        let mut line = Line::ready();
        line.to_client = [bytes, b"\r\n"].concat();
        line.back(usize::MAX);
        assert_eq!((line.upstream.phase(), line.told.socket), (Phase::Waiting, None));
    }
}

#[test]
fn a_push_within_a_reply_is_handed_out_apart() {
    let mut line = Line::ready();
    line.send(1).unwrap();
    line.upstream.output().clear();
    line.to_client = [b"*2\r\n$1\r\na\r\n", PUSH, b"$-1\r\n", PUSH].concat();
    line.back(20);
    line.back(usize::MAX);
    assert_eq!(line.outcome(1), Some(&Ok(b"*2\r\n$1\r\na\r\n$-1\r\n".to_vec())));
    assert_eq!(line.told.pushes, [PUSH, PUSH]);
}

#[test]
fn the_news_of_a_socket_that_was_given_up_changes_nothing() {
    let mut line = Line::ready();
    let old = line.told.socket.unwrap();
    line.cut();
    line.pass(10);
    line.open();
    let now = line.now;
    line.upstream.received(old, b"-ERR old\r\n", now, &mut line.told);
    line.upstream.cut(old, now, &mut line.told);
    line.upstream.opened(old, now, &mut line.told);
    line.settle();
    assert_eq!(line.upstream.phase(), Phase::Ready);
}

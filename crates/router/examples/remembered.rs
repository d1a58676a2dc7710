//! How long a pipelined `GET` takes that a node in front of a store answers from memory:
//! `cargo run --release --example remembered`; with `keys=N` as its argument, of N keys; with `pipeline=N`,
//! N together instead of 16; with `rules=...`, of a user with these rules, as
//! `'rules=nopass ~key:* +@read'`. Counting costs the difference to a run with
//! `--features uncounted`.

#[path = "../tests/fronting/mod.rs"]
mod fronting;

use breakwater_engine::Config;
use breakwater_router::{Output, Peer, Relay, Rules, Session, User, Users};
use std::time::Instant;

/// Commands in a chunk, as `redis-benchmark -P 16` sends them.
const PIPELINE: usize = 16;
const CHUNKS: usize = 200_000;

fn main() {
    let count = |name: &str, usual: usize| {
        let given = std::env::args().find_map(|arg| arg.strip_prefix(name)?.parse().ok());
        given.unwrap_or(usual)
    };
    let (keys, chunks) = (count("keys=", 10_000), count("chunks=", CHUNKS));
    let pipeline = count("pipeline=", PIPELINE);
    let mut rules = Rules::default();
    if let Some(text) =
        std::env::args().find_map(|arg| Some(arg.strip_prefix("rules=")?.to_owned()))
    {
        rules.users = Users::new(vec![User::by_rules("default", &text).expect("they are rules")]);
    }
    let router = fronting::router(Config::default(), rules, 0, 0);
    let mut relay = Relay::new(&router).expect("there is a store");
    let mut session = Session::open(&router, Peer::default(), 0).expect("there is room");
    let mut store = Store::default();
    let mut output = Output::default();
    let commands = (0..keys).map(|n| n * 7919 % keys);
    let commands: Vec<String> = commands.map(|n| bulk(&["GET", &format!("key:{n:012}")])).collect();
    let pipelines: Vec<String> = commands.chunks(pipeline).map(|chunk| chunk.concat()).collect();
    relay.wake(1);
    for pipeline in pipelines.iter().cycle().take(2 * pipelines.len()) {
        output.bytes.clear();
        session.feed_through(pipeline.as_bytes(), 0, &mut output, Some(&mut relay));
        store.serve(&mut relay);
        for delivery in relay.deliveries() {
            session.deliver(&delivery, &mut output.bytes);
        }
    }
    let began = Instant::now();
    let mut bytes = 0;
    for at in 0..chunks {
        output.bytes.clear();
        let pipeline = pipelines[at % pipelines.len()].as_bytes();
        session.feed_through(pipeline, 0, &mut output, Some(&mut relay));
        bytes += output.bytes.len();
        // As its driver does at the end of each step.
        relay.seat().close(&std::mem::take(&mut output.batch), 1_000);
    }
    let each = began.elapsed().as_nanos() as f64 / (chunks * pipeline) as f64;
    println!("{each:.0} ns, {:.1} bytes of reply", bytes as f64 / (chunks * pipeline) as f64);
}

/// A store all of whose keys have the same value.
#[derive(Default)]
struct Store {
    sent: Vec<u8>,
}

impl Store {
    /// Answers all that is asked, and opens what is to be opened.
    fn serve(&mut self, relay: &mut Relay) {
        for id in relay.opens() {
            relay.connected(id);
        }
        loop {
            let touched = relay.touched();
            if touched.is_empty() {
                return;
            }
            for id in touched {
                self.sent.clear();
                if let Some(output) = relay.output(id) {
                    self.sent.append(output);
                }
                relay.receive(id, &answers(&self.sent));
            }
        }
    }
}

/// The replies to requests.
fn answers(requests: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(requests);
    let words = text.split("\r\n").filter(|word| !word.starts_with(['$', '*']));
    let mut replies = vec![];
    for word in words {
        let reply = match word.to_ascii_uppercase().as_str() {
            "HELLO" => "%1\r\n+version\r\n+7.0.15\r\n".to_owned(),
            "CLIENT" => "+OK\r\n".to_owned(),
            "PING" => "+PONG\r\n".to_owned(),
            "GET" => format!("$64\r\n{}\r\n", "x".repeat(64)),
            "PTTL" => ":-1\r\n".to_owned(),
            _ => continue,
        };
        replies.extend_from_slice(reply.as_bytes());
    }
    replies
}

fn bulk(words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words}", words.matches('$').count())
}

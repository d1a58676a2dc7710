//! How long a pipelined command takes in the core: `cargo run --release --example pipeline`.

use breakwater_engine::{Cache, Config};
use breakwater_router::{Options, Output, Peer, Router, Session};
use std::sync::Arc;
use std::time::Instant;

/// Commands in a chunk, as `redis-benchmark -P 16` sends them.
const PIPELINE: usize = 16;
const KEYS: usize = 10_000;
const CHUNKS: usize = 200_000;

fn main() {
    let cache = Arc::new(Cache::new(Config::default()).expect("the defaults are valid"));
    let router = Arc::new(Router::new(cache, Options::default(), 0));
    let mut session = Session::open(&router, Peer::default(), 0).expect("there is room");
    let mut output = Output::default();
    let value = "x".repeat(64);
    for name in ["SET", "GET", "INCR", "PING"] {
        let command = |key: &str| match name {
            "SET" => bulk(&["SET", key, &value]),
            "GET" => bulk(&["GET", key]),
            "INCR" => bulk(&["INCR", &format!("n:{key}")]),
            _ => bulk(&["PING"]),
        };
        let keys = (0..KEYS).map(|n| format!("key:{:012}", n * 7919 % KEYS));
        let commands: Vec<String> = keys.map(|key| command(&key)).collect();
        let chunks: Vec<String> = commands.chunks(PIPELINE).map(|chunk| chunk.concat()).collect();
        let began = Instant::now();
        for at in 0..CHUNKS {
            output.bytes.clear();
            session.feed(chunks[at % chunks.len()].as_bytes(), 0, &mut output);
        }
        let each = began.elapsed().as_nanos() as f64 / (CHUNKS * PIPELINE) as f64;
        println!("{name:5} {each:6.0} ns");
    }
}

fn bulk(words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words}", words.matches('$').count())
}

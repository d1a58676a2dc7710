//! The engine against quick_cache, moka and a mutex around lru: `cargo bench -p breakwater-benches`.
//!
//! In every round the sides run one after the other, in an order that rotates, on the same
//! requests; reported is each side's median over the rounds and the ratio of ours to it. Options
//! (after `--`): `--rounds N`, `--ops N` a thread and round, `--entries N,...`, `--threads N,...`,
//! `--percentile N` of the rounds instead of the median, `--json FILE`, and words that a scenario's name
//! must contain, such as `zipf`. Where others use the machine, many short rounds and a low percentile
//! tell more than a median: `--rounds 200 --ops 16384 --percentile 5`.

use breakwater_benches::load::{Distribution, Payload, key};
use breakwater_benches::sides::{SIDES, Side};
use std::error::Error;
use std::sync::Barrier;
use std::time::Instant;

/// Of all sides, that none wins by its allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Args {
    rounds: usize,
    ops: usize,
    entries: Vec<u32>,
    threads: Vec<usize>,
    percentile: usize,
    json: Option<String>,
    words: Vec<String>,
}

#[derive(serde::Serialize)]
struct Row {
    scenario: String,
    side: &'static str,
    /// Nanoseconds between two operations of all threads together, that percentile of the rounds.
    ns_per_op: f64,
    mops: f64,
    /// Our throughput over this side's: above 1, ours is faster.
    ratio: f64,
}

struct Scenario {
    name: String,
    distribution: Distribution,
    threads: usize,
    /// One of how many operations is a set; 0 for none.
    set_every: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = parse()?;
    let mut rows = Vec::new();
    for &entries in &args.entries {
        let scenarios = scenarios(entries, &args);
        if scenarios.is_empty() {
            continue;
        }
        let sides = SIDES.map(|(_, build)| build(entries as usize));
        for side in &sides {
            (0..entries).for_each(|id| side.set(key(id), Payload::of(id)));
        }
        for scenario in scenarios {
            rows.extend(compare(&scenario, entries, &sides, &args));
        }
    }
    if let Some(file) = &args.json {
        let cpus = std::thread::available_parallelism()?.get();
        let report = serde_json::json!({
            "bench": "engine", "rounds": args.rounds, "ops": args.ops, "cpus": cpus,
            "percentile": args.percentile, "rows": rows,
        });
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

fn parse() -> Result<Args, Box<dyn Error>> {
    use lexopt::prelude::*;
    let mut args = Args {
        rounds: 9,
        ops: 1 << 19,
        entries: vec![10_000, 100_000, 1_000_000],
        threads: vec![1, 2],
        percentile: 50,
        json: None,
        words: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("rounds") => args.rounds = parser.value()?.parse()?,
            Long("ops") => args.ops = parser.value()?.parse()?,
            Long("entries") => args.entries = numbers(&parser.value()?.string()?)?,
            Long("threads") => args.threads = numbers(&parser.value()?.string()?)?,
            Long("percentile") => args.percentile = parser.value()?.parse::<usize>()?.min(100),
            Long("json") => args.json = Some(parser.value()?.string()?),
            // Given by cargo.
            Long("bench") => {}
            Value(word) => args.words.push(word.string()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    Ok(args)
}

fn numbers<N: std::str::FromStr>(list: &str) -> Result<Vec<N>, N::Err> {
    list.split(',').map(str::parse).collect()
}

fn scenarios(entries: u32, args: &Args) -> Vec<Scenario> {
    let mut all = Vec::new();
    for distribution in [Distribution::Zipf, Distribution::Uniform] {
        for (work, set_every) in [("read", 0), ("90/10", 10)] {
            for &threads in &args.threads {
                let plural = if threads == 1 { "" } else { "s" };
                let distribution_name = distribution.name();
                let name = format!(
                    "{work} {distribution_name} {entries} entries {threads} thread{plural}"
                );
                all.push(Scenario { name, distribution, threads, set_every });
            }
        }
    }
    all.retain(|scenario| args.words.iter().all(|word| scenario.name.contains(word)));
    all
}

fn compare(scenario: &Scenario, entries: u32, sides: &[Box<dyn Side>], args: &Args) -> Vec<Row> {
    let requests: Vec<Vec<u32>> = (0..scenario.threads)
        .map(|thread| scenario.distribution.draw(entries, args.ops, thread as u64 + 1))
        .collect();
    let mut times = vec![Vec::new(); sides.len()];
    for round in 0..=args.rounds {
        for turn in 0..sides.len() {
            let side = (round + turn) % sides.len();
            let ns = run(sides[side].as_ref(), &requests, scenario.set_every);
            // The first round warms up.
            if round > 0 {
                times[side].push(ns);
            }
        }
    }
    let typical: Vec<f64> =
        times.into_iter().map(|times| percentile(times, args.percentile)).collect();
    println!("\n{}", scenario.name);
    let mut rows = Vec::new();
    for ((side, _), &ns) in SIDES.iter().zip(&typical) {
        let (mops, ratio) = (1e3 / ns, ns / typical[0]);
        println!("  {side:<22}{ns:>8.1} ns/op{mops:>9.2} Mops/s{ratio:>8.2}x");
        rows.push(Row { scenario: scenario.name.clone(), side, ns_per_op: ns, mops, ratio });
    }
    rows
}

/// Nanoseconds between two operations of all threads together.
fn run(side: &dyn Side, requests: &[Vec<u32>], set_every: usize) -> f64 {
    let barrier = Barrier::new(requests.len());
    let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .map(|requests| {
                scope.spawn(|| {
                    barrier.wait();
                    let start = Instant::now();
                    side.work(requests, set_every);
                    (start, Instant::now())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no side panics")).collect()
    });
    let start = spans.iter().map(|span| span.0).min().expect("at least one thread");
    let end = spans.iter().map(|span| span.1).max().expect("at least one thread");
    let ops: usize = requests.iter().map(Vec::len).sum();
    (end - start).as_nanos() as f64 / ops as f64
}

fn percentile(mut times: Vec<f64>, percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

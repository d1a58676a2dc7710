//! Replays every trace of a folder through the engine and prints, beside the reference's hit
//! ratios, ours and the difference to the policy that each of ours is measured by.
//!
//! `cargo run --release -p breakwater-benches --bin replay -- DIR [--trace NAME] [--policy lru,lfu,auto]
//! [--shards N]`; without DIR the folder that BREAKWATER_TRACES names.

use breakwater_benches::reference::{Row, Table};
use breakwater_benches::trace;
use breakwater_engine::Policy;
use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Stands for the best policy of each row.
const BEST: &str = "best";

/// The reference that a policy of ours is measured by; one that makes no room has none.
const fn reference_of(policy: Policy) -> Option<&'static str> {
    match policy {
        Policy::Lru | Policy::Random => Some("lru"),
        Policy::Lfu => Some("s3-fifo"),
        Policy::Auto => Some(BEST),
        Policy::None => None,
    }
}

struct Args {
    dir: PathBuf,
    only: Option<String>,
    policies: Vec<(Policy, &'static str)>,
    shards: Option<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = parse()?;
    let mut table = Table::read(&args.dir.join("reference.tsv"))?;
    table.add_best(BEST);
    table.rows.retain(|row| args.only.as_ref().is_none_or(|only| *only == row.trace));
    let traces = load(&args.dir, &table)?;
    let ours = replay_all(&args, &table, &traces);
    print(&args, &table, &ours)
}

fn parse() -> Result<Args, Box<dyn Error>> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let mut dir = std::env::var_os("BREAKWATER_TRACES").map(PathBuf::from);
    let (mut only, mut shards, mut policies) = (None, None, "lru,lfu".to_owned());
    while let Some(arg) = parser.next()? {
        match arg {
            Long("trace") => only = Some(parser.value()?.string()?),
            Long("policy") => policies = parser.value()?.string()?,
            Long("shards") => shards = Some(parser.value()?.parse()?),
            Value(path) => dir = Some(path.into()),
            _ => return Err(arg.unexpected().into()),
        }
    }
    let known = |name: &str| {
        let policy: Option<Policy> = name.parse().ok();
        let found = policy.and_then(|policy| Some((policy, reference_of(policy)?)));
        found.ok_or_else(|| format!("--policy must be of lru, lfu, auto, random, not {name}"))
    };
    Ok(Args {
        dir: dir.ok_or("name the folder of the traces, or set BREAKWATER_TRACES")?,
        only,
        policies: policies.split(',').map(known).collect::<Result<_, _>>()?,
        shards,
    })
}

type Traces = HashMap<String, Arc<Vec<u32>>>;

fn load(dir: &Path, table: &Table) -> Result<Traces, Box<dyn Error>> {
    let mut traces = HashMap::new();
    for Row { trace: name, .. } in &table.rows {
        if !traces.contains_key(name) {
            let path = dir.join(format!("{name}.u32.gz"));
            let trace = trace::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            traces.insert(name.clone(), Arc::new(trace));
        }
    }
    Ok(traces)
}

/// The hit ratios, by row and policy. Each replay runs on one thread, several at a time.
fn replay_all(args: &Args, table: &Table, traces: &Traces) -> Vec<Vec<f64>> {
    let policies = args.policies.len();
    let results = Mutex::new(vec![vec![0.0; policies]; table.rows.len()]);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    // Relaxed: each number is drawn once, that is all.
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some(row) = table.rows.get(job / policies) else { return };
                    let policy = args.policies[job % policies].0;
                    let trace = &traces[&row.trace];
                    let ratio = trace::hit_ratio(trace, row.entries, policy, args.shards);
                    results.lock().expect("no replay panics")[job / policies][job % policies] =
                        ratio;
                }
            });
        }
    });
    results.into_inner().expect("no replay panics")
}

fn print(args: &Args, table: &Table, ours: &[Vec<f64>]) -> Result<(), Box<dyn Error>> {
    let measure = |name: &str| table.column(name).ok_or(format!("reference.tsv lacks {name}"));
    print!("{:<11}{:>8}", "trace", "entries");
    table.columns.iter().for_each(|column| print!("{:>11.10}", column));
    for (policy, by) in &args.policies {
        print!(" | {:>7} {:>9}", policy.name(), format!("-{by}"));
    }
    println!();
    let mut lines: Vec<(String, Vec<f64>, &[f64])> = Vec::new();
    for (row, ours) in table.rows.iter().zip(ours) {
        lines.push((format!("{:<11}{:>8}", row.trace, row.entries), row.ratios.clone(), ours));
    }
    let mean =
        |of: &dyn Fn(usize) -> f64| (0..lines.len()).map(of).sum::<f64>() / lines.len() as f64;
    let mean_ratios = (0..table.columns.len()).map(|c| mean(&|l| lines[l].1[c])).collect();
    let mean_ours: Vec<_> = (0..args.policies.len()).map(|c| mean(&|l| lines[l].2[c])).collect();
    let rows = lines.len();
    lines.push((format!("{:<19}", "average"), mean_ratios, &mean_ours));
    for (head, ratios, ours) in &lines {
        print!("{head}");
        ratios.iter().for_each(|ratio| print!("{ratio:>11.2}"));
        for ((_, by), ours) in args.policies.iter().zip(*ours) {
            print!(" | {ours:>7.2} {:>+9.2}", ours - ratios[measure(by)?]);
        }
        println!();
    }
    for (at, (policy, by)) in args.policies.iter().enumerate() {
        let name = policy.name();
        let by_column = measure(by)?;
        let off = lines[..rows].iter().map(|(_, ratios, ours)| ours[at] - ratios[by_column]);
        let (low, high) = off
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high): (f64, f64), d| {
                (low.min(d), high.max(d))
            });
        println!("{name} against {by}: worst {low:+.2}, best {high:+.2} points");
    }
    Ok(())
}

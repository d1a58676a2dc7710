//! How far `auto` is from the best policy, by simulation: on every trace of a folder, against the
//! policies of the reference, and on requests whose pattern changes, against each fixed rule.
//!
//! `cargo run --release -p breakwater-benches --bin regret -- DIR [--trace NAME] [--seeds N]
//! [--rules] [--changing]`; without DIR the folder that BREAKWATER_TRACES names. A seed decides
//! which keys the shadows follow: rows show the mean of all and the worst.

use breakwater_benches::load::mix;
use breakwater_benches::phases::{self, PHASE};
use breakwater_benches::reference::Table;
use breakwater_benches::trace;
use breakwater_engine::{Rule, Simulation};
use std::error::Error;
use std::path::PathBuf;

struct Args {
    dir: Option<PathBuf>,
    only: Option<String>,
    seeds: u64,
    rules: bool,
    changing: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = parse()?;
    if args.changing {
        changing(args.seeds);
        return Ok(());
    }
    traces(&args)
}

fn parse() -> Result<Args, Box<dyn Error>> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let dir = std::env::var_os("BREAKWATER_TRACES").map(PathBuf::from);
    let mut args = Args { dir, only: None, seeds: 3, rules: false, changing: false };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("trace") => args.only = Some(parser.value()?.string()?),
            Long("seeds") => args.seeds = parser.value()?.parse()?,
            Long("rules") => args.rules = true,
            Long("changing") => args.changing = true,
            Value(path) => args.dir = Some(path.into()),
            _ => return Err(arg.unexpected().into()),
        }
    }
    Ok(args)
}

fn ratio(trace: &[u32], seed: u64, mut cache: Simulation) -> f64 {
    let hits = trace.iter().filter(|&&id| cache.request(hash(id, seed))).count();
    hits as f64 / trace.len() as f64 * 100.0
}

fn hash(id: u32, seed: u64) -> u64 {
    mix(u64::from(id) | seed << 32)
}

fn traces(args: &Args) -> Result<(), Box<dyn Error>> {
    let dir = args.dir.as_ref().ok_or("name the folder of the traces, or set BREAKWATER_TRACES")?;
    let mut table = Table::read(&dir.join("reference.tsv"))?;
    table.add_best("best");
    let mut loaded: (String, Vec<u32>) = Default::default();
    let (mut rows, mut sum, mut worst) = (0, 0.0, f64::INFINITY);
    for row in &table.rows {
        if args.only.as_ref().is_some_and(|only| *only != row.trace) {
            continue;
        }
        if loaded.0 != row.trace {
            let path = dir.join(format!("{}.u32.gz", row.trace));
            loaded = (row.trace.clone(), trace::read(&path)?);
        }
        let best = row.ratios.last().copied().unwrap_or_default();
        let auto: Vec<f64> = (1..=args.seeds)
            .map(|seed| ratio(&loaded.1, seed, Simulation::auto(row.entries)))
            .collect();
        let mean = auto.iter().sum::<f64>() / auto.len() as f64;
        let low = auto.iter().copied().fold(f64::INFINITY, f64::min);
        print!("{:<11}{:>8} best {best:>6.2} auto {mean:>6.2}", row.trace, row.entries);
        print!(" {:>+6.2}, worst {:>+6.2}", mean - best, low - best);
        if args.rules {
            for rule in unweighed() {
                let fixed = ratio(&loaded.1, 1, Simulation::fixed(rule, row.entries));
                print!(" | {} {fixed:.2}", rule.name);
            }
        }
        println!();
        (rows, sum, worst) = (rows + 1, sum + mean - best, f64::min(worst, low - best));
    }
    println!("{rows} rows: mean {:+.3} points, worst {worst:+.2}", sum / f64::from(rows));
    Ok(())
}

/// The rules that ask for no weights: here every key weighs the same.
fn unweighed() -> impl Iterator<Item = Rule> {
    Rule::ALL.into_iter().filter(|rule| !rule.weighs)
}

/// The hit ratios of each phase, after its first tenth.
fn by_phase(requests: &[u32], mut request: impl FnMut(usize, u32) -> bool) -> Vec<f64> {
    let mut hits = vec![0u32; requests.len() / PHASE];
    for (at, &id) in requests.iter().enumerate() {
        if request(at, id) && at % PHASE >= PHASE / 10 {
            hits[at / PHASE] += 1;
        }
    }
    let counted = (PHASE - PHASE / 10) as f64;
    hits.into_iter().map(|hits| f64::from(hits) / counted * 100.0).collect()
}

fn changing(seeds: u64) {
    for entries in [500, 1_000, 2_000, 8_000] {
        for seed in 1..=seeds {
            let requests = phases::draw(entries, seed);
            let replay =
                |mut cache: Simulation| by_phase(&requests, |_, id| cache.request(hash(id, seed)));
            let mut lru = phases::Lru::new(entries as usize);
            let mut fixed = vec![("lru", by_phase(&requests, |_, id| lru.request(id)))];
            fixed.extend(
                unweighed().map(|rule| (rule.name, replay(Simulation::fixed(rule, entries)))),
            );
            let mut cache = Simulation::auto(entries);
            // The rule in force at a tenth, the middle and the end of each phase.
            let mut rules = Vec::new();
            let auto = by_phase(&requests, |at, id| {
                if [PHASE / 10, PHASE / 2, PHASE - 1].contains(&(at % PHASE)) {
                    rules.push(cache.rule().name);
                }
                cache.request(hash(id, seed))
            });
            println!("{entries} entries, seed {seed}:");
            let mut worst = 0.0f64;
            for (phase, ours) in auto.iter().enumerate() {
                let (name, best) = fixed
                    .iter()
                    .map(|(name, ratios)| (name, ratios[phase]))
                    .max_by(|a, b| a.1.total_cmp(&b.1))
                    .expect("there are rules");
                worst = worst.min(ours - best);
                let pattern = phases::ORDER[phase].name();
                let rules = rules[3 * phase..3 * phase + 3].join(", ");
                println!(
                    "  {pattern:<8}{ours:>6.2} {:>+7.2} to {name}; under {rules}",
                    ours - best
                );
            }
            println!("  worst {worst:+.2}");
        }
    }
}

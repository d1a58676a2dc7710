//! Throughput by threads: `npm run scale`, for machines with many cores.
//!
//! Reads, and nine reads for each set, of 100,000 entries by Zipf. Each cell is the median of the rounds, in
//! which all sides and numbers of threads take turns: millions of operations a second, and that as a multiple
//! of the first side's.

use breakwater_benches::args::{Parsed, Wrong, known, one, run, several, whole};
use breakwater_benches::load::{Distribution, Payload, key};
use breakwater_benches::sides::{SIDES, Side};
use std::error::Error;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each cell is measured in a round.
const SPAN: Duration = Duration::from_millis(200);

/// Requests between two looks at the time.
const CHUNK: usize = 1024;

/// Requests that each thread goes through, over and over.
const REQUESTS: usize = 1 << 17;

/// What is measured: its name, and one of how many operations is a set.
const WORKS: [(&str, usize); 2] = [("reads", 0), ("90/10", 10)];

struct Args {
    threads: Vec<usize>,
    rounds: usize,
    entries: u32,
    sides: Vec<String>,
}

const HELP: &str = "npm run scale -- [options]

Throughput by threads: reads, and nine reads for each set, in millions of operations a second.

  --threads N,...   numbers of threads (powers of two up to twice the processors)
  --rounds N        how often each cell is measured (5)
  --entries N       what each cache holds (100000)
  --sides NAME,...  of breakwater, breakwater returned, quick_cache, moka, mutex lru (all)

Exit codes: 0 it was measured, 1 it could not be, 2 an option is wrong.";

const OPTIONS: [&str; 4] = ["--threads", "--rounds", "--entries", "--sides"];

fn main() -> ExitCode {
    run(HELP, parse, compare)
}

fn compare(args: &Args) -> Result<(), Box<dyn Error>> {
    let most = args.threads.iter().copied().max().ok_or("at least one number of threads")?;
    let requests: Vec<Vec<u32>> = (0..most)
        .map(|thread| Distribution::Zipf.draw(args.entries, REQUESTS, thread as u64 + 1))
        .collect();
    let wanted = SIDES.iter().filter(|(name, _)| args.sides.iter().any(|side| side == name));
    let sides: Vec<(&str, Box<dyn Side>)> =
        wanted.map(|&(name, build)| (name, build(args.entries as usize))).collect();
    for (_, side) in &sides {
        (0..args.entries).for_each(|id| side.set(key(id), Payload::of(id)));
    }
    println!("{} processors, {} entries", std::thread::available_parallelism()?, args.entries);
    for (work, set_every) in WORKS {
        let mut cells = vec![vec![Vec::new(); args.threads.len()]; sides.len()];
        for _ in 0..args.rounds {
            for (at, &threads) in args.threads.iter().enumerate() {
                for (of_side, (_, side)) in cells.iter_mut().zip(&sides) {
                    of_side[at].push(measure(&**side, &requests[..threads], set_every));
                }
            }
        }
        print(work, &args.threads, &sides, cells);
    }
    Ok(())
}

/// What was asked for.
fn parse(parser: &mut lexopt::Parser) -> Parsed<Args> {
    use lexopt::prelude::*;
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let powers = std::iter::successors(Some(1), |threads| Some(threads * 2));
    let names: Vec<&str> = SIDES.iter().map(|(name, _)| *name).collect();
    let mut args = Args {
        threads: powers.take_while(|&threads| threads <= 2 * processors).collect(),
        rounds: 5,
        entries: 100_000,
        sides: names.iter().map(|&name| name.to_owned()).collect(),
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => return Ok(None),
            Long("threads") => {
                args.threads = several(parser, "--threads", "whole numbers above 0", whole)?;
            }
            Long("rounds") => args.rounds = one(parser, "--rounds")?,
            Long("entries") => args.entries = one(parser, "--entries")?,
            Long("sides") => {
                let allowed = format!("of {}", names.join(", "));
                args.sides = several(parser, "--sides", &allowed, known(&names))?;
            }
            _ => return Err(Wrong::unknown(&arg, &OPTIONS)),
        }
    }
    Ok(Some(args))
}

/// Millions of operations a second, by as many threads as there are lists of requests.
fn measure(side: &dyn Side, requests: &[Vec<u32>], set_every: usize) -> f64 {
    let (start, is_over) = (Barrier::new(requests.len() + 1), AtomicBool::new(false));
    let work = |requests: &[u32]| {
        start.wait();
        let mut operations = 0;
        for chunk in requests.chunks(CHUNK).cycle() {
            side.work(chunk, set_every);
            operations += chunk.len();
            // Relaxed: it orders nothing.
            if is_over.load(Ordering::Relaxed) {
                break;
            }
        }
        operations
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            requests.iter().map(|requests| scope.spawn(|| work(requests))).collect();
        start.wait();
        let begun = Instant::now();
        std::thread::sleep(SPAN);
        is_over.store(true, Ordering::Relaxed);
        let done: usize =
            workers.into_iter().map(|worker| worker.join().expect("no side panics")).sum();
        done as f64 / begun.elapsed().as_secs_f64() / 1e6
    })
}

fn print(
    work: &str,
    threads: &[usize],
    sides: &[(&str, Box<dyn Side>)],
    mut cells: Vec<Vec<Vec<f64>>>,
) {
    print!("\n{work:<8}");
    sides.iter().for_each(|(name, _)| print!("{name:>20}"));
    println!();
    let mut median = |side: usize, at: usize| {
        let rounds: &mut Vec<f64> = &mut cells[side][at];
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    };
    for (at, threads) in threads.iter().enumerate() {
        print!("{threads:<8}");
        for side in 0..sides.len() {
            let mops = median(side, at);
            print!("{:>20}", format!("{mops:.1}  {:.2}x", mops / median(side, 0)));
        }
        println!();
    }
}

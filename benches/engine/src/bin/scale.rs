//! Throughput by threads: `npm run scale`, for machines with many cores.
//!
//! Reads, and nine reads for each set, of 100,000 entries by Zipf. Options after `--`: `--threads N,...`
//! (by default powers of two up to twice the processors), `--rounds N`, `--entries N`,
//! `--sides NAME,...` (breakwater, quick_cache, moka, mutex lru). Each cell is the median of the rounds,
//! in which all sides and numbers of threads take turns: millions of operations a second, and that as a
//! multiple of one thread's.

use breakwater_benches::load::{Distribution, Payload, key};
use breakwater_benches::sides::{SIDES, Side};
use std::error::Error;
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

fn main() -> Result<(), Box<dyn Error>> {
    let args = parse()?;
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

fn parse() -> Result<Args, Box<dyn Error>> {
    use lexopt::prelude::*;
    let processors = std::thread::available_parallelism()?.get();
    let powers = std::iter::successors(Some(1), |threads| Some(threads * 2));
    let mut args = Args {
        threads: powers.take_while(|&threads| threads <= 2 * processors).collect(),
        rounds: 5,
        entries: 100_000,
        sides: SIDES.iter().map(|(name, _)| (*name).to_owned()).collect(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("threads") => {
                args.threads = parser
                    .value()?
                    .string()?
                    .split(',')
                    .map(str::parse)
                    .collect::<Result<_, _>>()?;
            }
            Long("rounds") => args.rounds = parser.value()?.parse()?,
            Long("entries") => args.entries = parser.value()?.parse()?,
            Long("sides") => {
                args.sides = parser.value()?.string()?.split(',').map(str::to_owned).collect()
            }
            _ => return Err(arg.unexpected().into()),
        }
    }
    if args.threads.contains(&0) || args.rounds == 0 || args.entries == 0 {
        return Err("threads, rounds and entries are at least 1".into());
    }
    Ok(args)
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

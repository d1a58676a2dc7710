//! Lines of memory that cores take from each other, an operation: `npm run lines`.
//!
//! A machine of two cores does not show what happens on sixty-four. What costs there is known, though: a
//! write to a line that another core has used since, and a read of one that another core has written.
//! Valgrind's lackey lists every access to memory of threads that take turns, each operation of one
//! alone; and a model of coherent caches, one for each thread, without bounds, counts both (MESI:
//! Papamarcos and Patel, ISCA 1984).
//!
//! It fails if our reads of a key that all threads read write to such a line, but for the one read of some
//! hundred that is sampled, or other reads to more than one on average.

use breakwater_benches::args::{Parsed, Wrong, known, one, run, several, value, whole};
use breakwater_benches::load::{Distribution, Key, Payload, key};
use breakwater_benches::sides::{SIDES, Side};
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The side that is ours.
const OURS: &str = "breakwater";

/// The most threads: each has a bit of a mask.
const MOST_THREADS: usize = 32;

/// The bytes of a line, as a power of two.
const LINE_BITS: u32 = 6;

/// Lines that a read writes to on average at the most since a few are sampled for the hot keys.
const SAMPLED: f64 = 0.06;

/// What is measured, by name.
const WORKS: [(&str, Work); 5] = [
    ("reads of one key", Work::ReadOne),
    ("reads", Work::Read),
    ("sets of one key", Work::SetOne),
    ("sets", Work::Set),
    ("sets of each thread's own keys", Work::SetOwn),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    ReadOne,
    Read,
    SetOne,
    Set,
    SetOwn,
}

impl Work {
    /// Lines that one of ours may write to, on average.
    fn most(self) -> f64 {
        match self {
            Self::ReadOne => SAMPLED,
            Self::Read => 1.0,
            _ => f64::INFINITY,
        }
    }
}

const HELP: &str = "npm run lines -- [options]

Lines of memory that an operation takes from other threads: it writes to lines that they have used since, and
fetches lines that they have written. It needs valgrind.

  --threads N       threads that take turns, 2 to 32 (4)
  --turns N         operations of each thread (1000)
  --entries N       what each cache holds, from 32 on (1000)
  --sides NAME,...  of breakwater, breakwater returned, quick_cache, moka, mutex lru (breakwater, quick_cache)

Exit codes: 0 it was counted, 1 it could not be or our reads write to more lines than they may, 2 an option is
wrong.";

const OPTIONS: [&str; 4] = ["--threads", "--turns", "--entries", "--sides"];

fn main() -> ExitCode {
    run(HELP, Options::read, |options| match options.child {
        Some((side, work)) => take_turns(options, side, work),
        None => compare(options),
    })
}

fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    println!("{:<20} {:<32} {:>14} {:>14}", "side", "work", "lines written", "lines fetched");
    let mut broken = vec![];
    for (number, (side, _)) in SIDES.iter().enumerate() {
        if !options.sides.iter().any(|wanted| wanted == side) {
            continue;
        }
        for (work, (name, what)) in WORKS.iter().enumerate() {
            let [written, fetched] = options.counted(number, work)?;
            println!("{side:<20} {name:<32} {written:>14.2} {fetched:>14.2}");
            if *side == OURS && written > what.most() {
                broken.push(format!("{name}: more than {} lines are written", what.most()));
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ").into()) }
}

struct Options {
    threads: usize,
    turns: usize,
    entries: u32,
    sides: Vec<String>,
    /// Of the process that is watched: the numbers of its side and work.
    child: Option<(usize, usize)>,
}

impl Options {
    fn read(parser: &mut lexopt::Parser) -> Parsed<Self> {
        use lexopt::prelude::*;
        let names: Vec<&str> = SIDES.iter().map(|(name, _)| *name).collect();
        let mut options = Self {
            threads: 4,
            turns: 1000,
            entries: 1000,
            sides: [OURS, "quick_cache"].map(String::from).to_vec(),
            child: None,
        };
        while let Some(arg) = parser.next()? {
            match arg {
                Long("help") | Short('h') => return Ok(None),
                Long("threads") => {
                    let allowed = format!("a whole number from 2 to {MOST_THREADS}");
                    let fits = |threads: &usize| (2..=MOST_THREADS).contains(threads);
                    options.threads =
                        value(parser, "--threads", &allowed, |text| whole(text).filter(fits))?;
                }
                Long("turns") => options.turns = one(parser, "--turns")?,
                Long("entries") => {
                    let allowed = format!("a whole number from {MOST_THREADS} on");
                    let fits = |entries: &u32| *entries >= MOST_THREADS as u32;
                    options.entries =
                        value(parser, "--entries", &allowed, |text| whole(text).filter(fits))?;
                }
                Long("sides") => {
                    let allowed = format!("of {}", names.join(", "));
                    options.sides = several(parser, "--sides", &allowed, known(&names))?;
                }
                Long("child") => {
                    let side = parser.value()?.parse()?;
                    options.child = Some((side, parser.value()?.parse()?));
                }
                _ => return Err(Wrong::unknown(&arg, &OPTIONS)),
            }
        }
        Ok(Some(options))
    }

    /// Lines written and fetched an operation, of a side and a work.
    fn counted(&self, side: usize, work: usize) -> Result<[f64; 2], Box<dyn Error>> {
        let mut child = Command::new("valgrind")
            .args(["-q", "--tool=lackey", "--trace-mem=yes"])
            .arg(env::current_exe()?)
            .args(["--child", &side.to_string(), &work.to_string()])
            .args(["--threads", &self.threads.to_string(), "--turns", &self.turns.to_string()])
            .args(["--entries", &self.entries.to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("valgrind cannot be started: {error}"))?;
        let trace = child.stderr.take().ok_or("valgrind has no output")?;
        let counts = Model::default().run(BufReader::new(trace), self.threads)?;
        if !child.wait()?.success() {
            return Err("what valgrind runs has failed".into());
        }
        Ok(counts)
    }
}

/// Stores that say in the trace what happens: a line each.
#[repr(align(64))]
struct Mark(AtomicU32);

/// An operation begins, of the thread of that number; behind those: it ends; it counts from now on.
static MARKS: [Mark; MOST_THREADS + 2] = [const { Mark(AtomicU32::new(0)) }; MOST_THREADS + 2];
const END: usize = MOST_THREADS;
const COUNTS: usize = MOST_THREADS + 1;

/// What leads to where the marks are, in the trace.
const MARKS_ARE: &str = "marks at ";

fn mark(number: usize) {
    // Relaxed: only the trace sees it.
    MARKS[number].0.store(1, Ordering::Relaxed);
}

/// What is watched: threads that take turns.
fn take_turns(options: &Options, side: usize, work: usize) -> Result<(), Box<dyn Error>> {
    let (_, build) = SIDES.get(side).ok_or("no such side")?;
    let &(_, work) = WORKS.get(work).ok_or("no such work")?;
    let cache = build(options.entries as usize);
    (0..options.entries).for_each(|id| cache.set(key(id), Payload::of(id)));
    // At once: valgrind writes there as well.
    let marks = format!("\n{MARKS_ARE}{:x} ", &raw const MARKS as usize);
    io::stderr().write_all(marks.as_bytes())?;
    let requests = Distribution::Zipf.draw(options.entries, options.turns, 1);
    thread::scope(|scope| {
        let (ends, ended) = mpsc::channel();
        let begins: Vec<_> = (0..options.threads)
            .map(|number| {
                let (begin, begins) = mpsc::channel();
                let (ends, cache) = (ends.clone(), &*cache);
                let threads = options.threads as u32;
                scope.spawn(move || {
                    for id in begins {
                        // Until whoever gave the turn waits for its end.
                        thread::sleep(Duration::from_millis(1));
                        let key = request(work, id, number as u32, threads);
                        mark(number);
                        operate(cache, work, key, id);
                        mark(END);
                        if ends.send(()).is_err() {
                            return;
                        }
                    }
                });
                begin
            })
            .collect();
        // Once to warm up: counters of reads are saturated, and threads have what they keep.
        for counts in [false, true] {
            if counts {
                mark(COUNTS);
            }
            for &id in &requests {
                for begin in &begins {
                    begin.send(id)?;
                    ended.recv()?;
                }
            }
        }
        Ok(())
    })
}

/// The key that a thread asks for.
fn request(work: Work, id: u32, number: u32, threads: u32) -> Key {
    match work {
        Work::ReadOne | Work::SetOne => key(0),
        Work::Read | Work::Set => key(id),
        // Beyond the entries there may be a few more.
        Work::SetOwn => key(id - id % threads + number),
    }
}

#[inline(never)]
fn operate(cache: &dyn Side, work: Work, key: Key, id: u32) {
    match work {
        Work::ReadOne | Work::Read => assert!(cache.read(key), "every key is there"),
        Work::SetOne | Work::Set | Work::SetOwn => cache.set(key, Payload::of(id)),
    }
}

/// Which threads have a line, and what that costs.
#[derive(Default)]
struct Model {
    /// By the number of a line: a bit for each thread that has it as it is.
    lines: HashMap<u64, u32>,
    operations: u64,
    written: u64,
    fetched: u64,
}

impl Model {
    /// Goes through a trace; lines written and fetched an operation.
    fn run(mut self, trace: impl BufRead, threads: usize) -> Result<[f64; 2], Box<dyn Error>> {
        let mut marks = None;
        let (mut thread, mut counts, mut inside) = (0, false, false);
        for line in trace.lines() {
            let line = line?;
            if let Some((_, address)) = line.split_once(MARKS_ARE) {
                // Valgrind may go on in the same line.
                let address = address.split_whitespace().next().unwrap_or_default();
                marks = Some(u64::from_str_radix(address, 16)?);
                continue;
            }
            let Some((writes, address)) = access(&line) else { continue };
            let at = marks.and_then(|marks| address.checked_sub(marks)).map(|at| at >> LINE_BITS);
            match at {
                Some(number) if (number as usize) < threads => {
                    (thread, inside) = (number as usize, true);
                    self.operations += u64::from(counts);
                }
                Some(number) if number as usize == END => inside = false,
                Some(number) if number as usize == COUNTS => counts = true,
                _ if inside => self.touch(address >> LINE_BITS, thread, writes, counts),
                _ => {}
            }
        }
        if self.operations == 0 {
            return Err("the trace has no operation".into());
        }
        Ok([self.written, self.fetched].map(|count| count as f64 / self.operations as f64))
    }

    fn touch(&mut self, line: u64, thread: usize, writes: bool, counts: bool) {
        let (bit, had) = (1 << thread, self.lines.entry(line).or_default());
        let (others, mine) = (*had & !bit != 0, *had & bit != 0);
        if counts && writes && others {
            self.written += 1;
        } else if counts && others && !mine {
            self.fetched += 1;
        }
        *had = if writes { bit } else { *had | bit };
    }
}

/// Whether a line of the trace is a write or a read of memory, and where.
fn access(line: &str) -> Option<(bool, u64)> {
    let (kind, rest) = line.split_at_checked(3)?;
    let writes = match kind {
        " L " => false,
        " S " | " M " => true,
        _ => return None,
    };
    let address = u64::from_str_radix(rest.split_once(',')?.0, 16).ok()?;
    Some((writes, address))
}

//! Records the reads of a store: from what its `MONITOR` tells, to rows of a trace that names no key.
//!
//! A row is a request of one key by a command whose reply could be kept: its time, a hash of the key
//! that nobody can turn back, and, if asked for, what the store says that the value takes.

mod lines;
mod monitor;

use breakwater_resp::{Words, write_request};
use breakwater_router::catalog;
use lines::Lines;
use monitor::Told;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};

/// What the store refused, in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// A recording under way.
///
/// It reads what two connections say, the second only if sizes are asked for: [`Recorder::monitored`]
/// and [`Recorder::answered`]. Both may begin with replies to whatever was sent before.
pub struct Recorder {
    /// Drawn for each recording.
    seed: RandomState,
    monitor: Lines,
    answers: Lines,
    words: Words,
    /// In the order of their times.
    rows: VecDeque<Row>,
    sizes: Option<Sizes>,
}

struct Row {
    /// As the store writes it: seconds and microseconds.
    time: String,
    key: u64,
}

/// What values take.
#[derive(Default)]
struct Sizes {
    /// Of each key that was asked for; `None` until the store has answered.
    known: HashMap<u64, Option<u64>>,
    asked: VecDeque<u64>,
    database: Vec<u8>,
}

impl Recorder {
    /// A recording of keys and times, and of sizes if they are asked for.
    pub fn new(with_sizes: bool) -> Self {
        Self {
            seed: RandomState::new(),
            monitor: Lines::default(),
            answers: Lines::default(),
            words: Words::default(),
            rows: VecDeque::new(),
            sizes: with_sizes.then(Sizes::default),
        }
    }

    /// The first line of the trace.
    pub fn header(&self) -> &'static str {
        if self.sizes.is_some() { "time,key,size\n" } else { "time,key\n" }
    }

    /// Takes what the connection says that has sent `MONITOR`. To `asks` goes what is to be sent over
    /// the other one.
    ///
    /// # Errors
    /// [`Refused`] if the store refused what was sent.
    pub fn monitored(&mut self, bytes: &[u8], asks: &mut Vec<u8>) -> Result<(), Refused> {
        let Self { seed, monitor, words, rows, sizes, .. } = self;
        monitor.take(bytes, |line| {
            let told = match line {
                [b'-', error @ ..] => return Err(refused(error)),
                _ => Told::read(line),
            };
            let Some(Told { time, database, command }) = told else { return Ok(()) };
            let Some(args) = words.split(command) else { return Ok(()) };
            let Some(known) = catalog::find(args).filter(|known| known.cacheable) else {
                return Ok(());
            };
            for key in known.key_places(args).into_iter().filter_map(|place| args.get(place)) {
                let hash = seed.hash_one((database, key));
                rows.push_back(Row { time: time.to_owned(), key: hash });
                if let Some(sizes) = sizes {
                    sizes.ask(hash, database, key, asks);
                }
            }
            Ok(())
        })
    }

    /// Takes what the other connection says.
    ///
    /// # Errors
    /// [`Refused`] if the store refused what was sent.
    pub fn answered(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let Self { answers, sizes: Some(sizes), .. } = self else { return Ok(()) };
        answers.take(bytes, |line| match line {
            [b'-', error @ ..] => Err(refused(error)),
            // A number, or no such key.
            [b':', size @ ..] => {
                let size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
                sizes.answer(size.unwrap_or(0));
                Ok(())
            }
            [b'$' | b'_', ..] => {
                sizes.answer(0);
                Ok(())
            }
            _ => Ok(()),
        })
    }

    /// Appends the rows that are complete, so many at the most. How many these were.
    pub fn rows(&mut self, most: usize, out: &mut String) -> usize {
        let mut count = 0;
        while count < most
            && let Some(Row { time, key }) = self.rows.front()
        {
            let size = match &self.sizes {
                None => None,
                Some(sizes) => match sizes.known.get(key) {
                    Some(Some(size)) => Some(size),
                    _ => break,
                },
            };
            // A text takes whatever is written to it.
            let _ = write!(out, "{time},{key:016x}");
            if let Some(size) = size {
                let _ = write!(out, ",{size}");
            }
            out.push('\n');
            self.rows.pop_front();
            count += 1;
        }
        count
    }
}

impl Sizes {
    /// Asks what a key's value takes, once.
    fn ask(&mut self, hash: u64, database: &[u8], key: &[u8], asks: &mut Vec<u8>) {
        if self.known.contains_key(&hash) {
            return;
        }
        // A connection begins in the first database.
        let now: &[u8] = if self.database.is_empty() { b"0" } else { &self.database };
        if now != database {
            write_request(asks, &[b"SELECT", database]);
            self.database = database.to_vec();
        }
        write_request(asks, &[&b"MEMORY"[..], b"USAGE", key]);
        self.known.insert(hash, None);
        self.asked.push_back(hash);
    }

    fn answer(&mut self, size: u64) {
        if let Some(key) = self.asked.pop_front() {
            self.known.insert(key, Some(size));
        }
    }
}

fn refused(error: &[u8]) -> Refused {
    Refused(String::from_utf8_lossy(error).into_owned())
}

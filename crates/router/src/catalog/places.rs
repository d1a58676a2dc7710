//! Where the keys of a command stand among its words.

use breakwater_resp::{Args, number};

/// Where some of a command's keys stand, and whether it changes them.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    pub(super) places: Places,
    /// Whether the command may change them.
    pub(super) changes: bool,
}

/// Where keys stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Places {
    /// From a place to another, which is counted from the end if it is negative, in steps.
    Range(usize, isize, usize),
    /// The word at this place says how many there are; they follow it, in steps.
    Counted(usize, usize),
    /// Behind the last `STORE` of `SORT`.
    SortStore,
    /// Behind the last `STORE` or `STOREDIST`, which stands at this place or later.
    GeoStore(usize),
    /// The first half of what follows `STREAMS`.
    Streams,
    /// The word at 3, or if that is empty, all that follows `KEYS`.
    Migrate,
}

impl Keys {
    pub(super) const fn new(places: Places, changes: bool) -> Self {
        Self { places, changes }
    }

    /// Whether they are the first word behind the command, and no other.
    pub(super) fn is_first_word(&self) -> bool {
        matches!(self.places, Places::Range(1, 1, _))
    }

    /// Tells of the place of each key, in their order.
    pub(super) fn each(&self, args: Args<'_>, mut tell: impl FnMut(usize)) {
        let words = args.len();
        match self.places {
            Places::Range(first, last, step) => {
                let last = if last < 0 { words as isize + last } else { last };
                let end = (last + 1).clamp(0, words as isize) as usize;
                (first..end).step_by(step).for_each(tell);
            }
            Places::Counted(at, step) => {
                let rest = words.saturating_sub(at + 1);
                match args.get(at).and_then(number::integer).map(usize::try_from) {
                    Some(Ok(count)) if count <= rest / step => {
                        (at + 1..words).step_by(step).take(count).for_each(tell);
                    }
                    _ => {}
                }
            }
            Places::SortStore => sort_store(args).into_iter().for_each(tell),
            Places::GeoStore(from) => geo_store(args, from).into_iter().for_each(tell),
            Places::Streams => {
                let rest = streams(args).map_or(0..0, |at| at..words);
                (rest.start..rest.start + rest.len() / 2).for_each(tell);
            }
            Places::Migrate if args.get(3).is_some_and(|key| !key.is_empty()) => tell(3),
            Places::Migrate => migrate_keys(args).into_iter().flatten().for_each(tell),
        }
    }
}

/// Where `SORT` stores.
fn sort_store(args: Args<'_>) -> Option<usize> {
    let (mut at, mut found) = (2, None);
    while at < args.len() {
        at += match () {
            () if args.is(at, "limit") => 3,
            () if args.is(at, "get") || args.is(at, "by") => 2,
            () => {
                if args.is(at, "store") && at + 1 < args.len() {
                    found = Some(at + 1);
                }
                1
            }
        };
    }
    found
}

/// Where `GEORADIUS` and `GEORADIUSBYMEMBER` store.
fn geo_store(args: Args<'_>, from: usize) -> Option<usize> {
    let (mut at, mut found) = (from, None);
    while at + 1 < args.len() {
        if args.is(at, "store") || args.is(at, "storedist") {
            found = Some(at + 1);
            at += 1;
        }
        at += 1;
    }
    found
}

/// Where the many keys of `MIGRATE` stand.
fn migrate_keys(args: Args<'_>) -> Option<std::ops::Range<usize>> {
    let mut at = 6;
    while at < args.len() {
        at += match () {
            () if args.is(at, "keys") => return Some(at + 1..args.len()),
            () if args.is(at, "auth") => 2,
            () if args.is(at, "auth2") => 3,
            () => 1,
        };
    }
    None
}

/// Whether one of these options stands at a place or behind it.
pub(super) fn option(args: Args<'_>, from: usize, names: &[&str]) -> bool {
    (from..args.len()).any(|at| names.iter().any(|name| args.is(at, name)))
}

/// Where the names of streams begin in `XREAD` and `XREADGROUP`.
fn streams(args: Args<'_>) -> Option<usize> {
    let mut at = 1;
    while at < args.len() {
        at += match () {
            () if args.is(at, "streams") => return Some(at + 1),
            () if args.is(at, "block") || args.is(at, "count") => 2,
            () if args.is(at, "group") => 3,
            () => 1,
        };
    }
    None
}

/// Whether `XREAD` or `XREADGROUP` may wait.
pub(super) fn blocks(args: Args<'_>) -> bool {
    let end = streams(args).unwrap_or(args.len());
    (1..end).any(|at| args.is(at, "block"))
}

//! A recording of what clients read, while somebody takes it: of each key a hash that nobody can turn
//! back, the time, and how long the reply was. While nobody records, a read looks at one flag.
//!
//! Each thread writes to a strip of its own, which holds so many rows until they are taken: what comes
//! beyond them is counted as lost, and keeps nobody waiting.

use parking_lot::Mutex;
use siphasher::sip::SipHasher13;
use std::array;
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Places of threads: those beyond share them.
const STRIPS: usize = 16;
/// The most rows of a strip: of a thread that answers half a million reads a second, those of a tenth of
/// a second.
const MOST: usize = 1 << 16;

/// Where a recording begins. Nodes that are recorded as one have the same.
#[derive(Clone, Copy, Debug)]
pub struct RecordingStart {
    /// Drawn for each recording: who knows it could try keys.
    pub secret: [u8; 16],
    /// How long ago it began, in milliseconds.
    pub ago: u64,
}

/// A read of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In milliseconds since the recording began.
    pub at: u64,
    /// A hash of the key and its database.
    pub key: u64,
    /// The bytes of the reply, shared evenly among its keys; 0 where it is not known.
    pub size: u64,
}

/// Where a thread writes.
#[derive(Debug, Default)]
struct Strip {
    /// By which keys are hashed, while somebody records.
    hasher: Option<SipHasher13>,
    /// When the recording began: later than the clock's start by so much, or earlier if it is negative.
    began: i64,
    rows: Vec<Seen>,
    lost: u64,
}

/// The recording of a node.
#[derive(Debug)]
pub(crate) struct Tape {
    runs: AtomicBool,
    strips: [Mutex<Strip>; STRIPS],
}

impl Default for Tape {
    fn default() -> Self {
        Self { runs: AtomicBool::new(false), strips: array::from_fn(|_| Mutex::default()) }
    }
}

impl Tape {
    /// Whether somebody records. Relaxed: a read that sees it late is one that came before.
    #[inline]
    pub(crate) fn runs(&self) -> bool {
        self.runs.load(Ordering::Relaxed)
    }

    /// Begins, at such a time; `false` if somebody records already.
    pub(crate) fn begin(&self, now: u64, start: RecordingStart) -> bool {
        if self.runs.swap(true, Ordering::Relaxed) {
            return false;
        }
        let hasher = SipHasher13::new_with_key(&start.secret);
        let began = now as i64 - start.ago as i64;
        for strip in &self.strips {
            *strip.lock() = Strip { hasher: Some(hasher), began, ..Strip::default() };
        }
        true
    }

    /// Ends, and forgets what was not taken.
    pub(crate) fn end(&self) {
        for strip in &self.strips {
            *strip.lock() = Strip::default();
        }
        self.runs.store(false, Ordering::Relaxed);
    }

    /// Keys were read at such a time, by one request with a reply of so many bytes.
    pub(crate) fn note<'k>(
        &self,
        at: u64,
        db: u8,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        bytes: usize,
    ) {
        let size = (bytes / keys.clone().count().max(1)) as u64;
        let mut strip = self.strips[strip_of_thread()].lock();
        let Strip { hasher: Some(hasher), began, rows, lost } = &mut *strip else { return };
        // One that began before the recording is of its first moment.
        let at = (at as i64 - *began).max(0) as u64;
        for key in keys {
            if rows.len() < MOST {
                let mut hasher = *hasher;
                (db, key).hash(&mut hasher);
                rows.push(Seen { at, key: hasher.finish(), size });
            } else {
                *lost += 1;
            }
        }
    }

    /// Takes what there is, in the order of its time; and how many reads were lost.
    pub(crate) fn take(&self) -> (Vec<Seen>, u64) {
        let (mut all, mut lost) = (Vec::new(), 0);
        for strip in &self.strips {
            let mut strip = strip.lock();
            all.append(&mut strip.rows);
            lost += std::mem::take(&mut strip.lost);
        }
        all.sort_by_key(|seen| seen.at);
        (all, lost)
    }
}

/// The strip of the present thread.
fn strip_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        // Relaxed: the numbers only have to differ.
        static STRIP: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPS);
    }
    STRIP.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const START: RecordingStart = RecordingStart { secret: [7; 16], ago: 0 };

    fn note(tape: &Tape, at: u64, db: u8, keys: &[&[u8]], bytes: usize) {
        tape.note(at, db, keys.iter().copied(), bytes);
    }

    #[test]
    fn what_is_read_while_nobody_records_leaves_nothing() {
        let tape = Tape::default();
        note(&tape, 1, 0, &[b"a"], 1);
        assert!(tape.begin(0, START));
        assert_eq!(tape.take(), (vec![], 0));
        note(&tape, 1, 0, &[b"a"], 1);
        tape.end();
        note(&tape, 1, 0, &[b"a"], 1);
        assert_eq!(tape.take(), (vec![], 0));
    }

    #[test]
    fn a_key_has_one_hash_in_a_recording_and_another_in_the_next() {
        let tape = Tape::default();
        assert!(tape.begin(0, START));
        assert!(!tape.begin(0, START), "one at a time");
        note(&tape, 1, 0, &[b"a", b"b"], 20);
        note(&tape, 2, 0, &[b"a"], 5);
        note(&tape, 3, 1, &[b"a"], 5);
        let (seen, _) = tape.take();
        let [a, b, again, elsewhere] = seen[..] else { panic!("{seen:?}") };
        assert_eq!((a.size, b.size, again.size), (10, 10, 5));
        assert_eq!(a.key, again.key);
        assert!(a.key != b.key && a.key != elsewhere.key);
        tape.end();
        assert!(tape.begin(0, RecordingStart { secret: [8; 16], ..START }));
        note(&tape, 1, 0, &[b"a"], 5);
        assert_ne!(tape.take().0[0].key, a.key);
    }

    #[test]
    fn nodes_that_are_recorded_as_one_agree_about_keys_and_times() {
        // One runs longer than the other, which joins when the recording is 40 ms old.
        let (first, second) = (Tape::default(), Tape::default());
        first.begin(1_000, START);
        note(&first, 1_050, 0, &[b"a"], 5);
        second.begin(10, RecordingStart { ago: 40, ..START });
        note(&second, 20, 0, &[b"a"], 5);
        assert_eq!(first.take().0, second.take().0);
        // What was under way when it began is of its first moment.
        note(&first, 990, 0, &[b"a"], 5);
        assert_eq!(first.take().0[0].at, 0);
    }

    #[test]
    fn it_is_bounded_and_counts_what_it_lost() {
        let tape = Tape::default();
        tape.begin(0, START);
        for at in 0..MOST as u64 + 3 {
            note(&tape, at, 0, &[b"a"], 1);
        }
        let (seen, lost) = tape.take();
        assert_eq!((seen.len(), lost), (MOST, 3));
        note(&tape, 0, 0, &[b"a"], 1);
        assert_eq!(tape.take().0.len(), 1);
    }

    #[test]
    fn what_threads_read_comes_in_the_order_of_its_time() {
        let tape = Tape::default();
        tape.begin(0, START);
        thread::scope(|scope| {
            for first in 0..4 {
                let tape = &tape;
                scope.spawn(move || {
                    for at in 0..1_000 {
                        note(tape, at * 4 + first, 0, &[b"a"], 1);
                    }
                });
            }
        });
        let times: Vec<u64> = tape.take().0.iter().map(|seen| seen.at).collect();
        assert_eq!(times, (0..4_000).collect::<Vec<_>>());
    }
}

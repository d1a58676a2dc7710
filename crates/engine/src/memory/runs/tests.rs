//! Runs beside a plain list of what is in use.

use super::super::crossing;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    /// Takes a run of so many pages.
    Take(usize),
    /// Gives back one of those there are.
    Give(usize),
    GiveAll,
    /// Leaves so many pages warm.
    Cool(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        60 => prop_oneof![1..=50usize, 1..=LARGEST / GRAIN].prop_map(Step::Take),
        40 => any::<usize>().prop_map(Step::Give),
        2 => (0..600usize).prop_map(Step::Cool),
        1 => Just(Step::GiveAll),
    ];
    proptest::collection::vec(step, 1..200)
}

/// Runs, beside a plain list of what is in use.
struct Model {
    runs: Mutex<Runs>,
    /// The blocks in use by their addresses: how long they are, and what was written to their ends.
    used: BTreeMap<usize, (NonNull<u8>, usize, u8)>,
    next: u8,
}

impl Model {
    fn take(&mut self, len: usize) {
        let block = self.runs.lock().take(len).unwrap();
        let at = block.addr().get();
        assert!(at.is_multiple_of(GRAIN) && at % REGION / GRAIN >= FIRST);
        assert!(at % REGION + len * GRAIN <= REGION, "beyond its region");
        let below = self.used.range(..=at).next_back();
        assert!(below.is_none_or(|(&below, held)| below + held.1 * GRAIN <= at), "it overlaps");
        let above = self.used.range(at..).next();
        assert!(above.is_none_or(|(&above, _)| at + len * GRAIN <= above), "it overlaps");
        self.next = self.next.wrapping_add(1) | 1;
        for page in 0..len {
            // SAFETY: it was just taken, and has so many pages.
            unsafe { block.add(page * GRAIN).write(self.next) };
        }
        self.used.insert(at, (block, len, self.next));
    }

    fn give(&mut self, which: usize) {
        let Some(&at) = self.used.keys().nth(which % self.used.len().max(1)) else { return };
        let (block, len, byte) = self.used.remove(&at).unwrap();
        // SAFETY: it is in use, and given back once.
        unsafe {
            let kept = (0..len).all(|page| block.add(page * GRAIN).read() == byte);
            assert!(kept, "somebody else wrote to it, or it was given back to the system");
            self.runs.lock().give(block, len, State::Warm);
        }
        let most = self.runs.lock().most_warm();
        self.cool(most);
    }

    fn cool(&self, most: usize) {
        cool(&mut self.runs.lock(), most);
        assert!(self.runs.lock().warm_pages <= most);
    }

    /// The runs of each region follow one another, none beside another of its state, and those in use
    /// are the blocks; what is free is listed, each once; the counts are right.
    fn check(&self) {
        let runs = self.runs.lock();
        let mut listed = listed(&runs.warm, State::Warm);
        listed.append(&mut self::listed(&runs.cold, State::Cold));
        let mut blocks = self.used.clone();
        let addresses = blocks.keys().copied().chain(listed.iter().map(|run| run.addr()));
        let places = addresses.map(|address| address & !(REGION - 1)).collect::<BTreeSet<_>>();
        let (mut used, mut warm) = (0, 0);
        for region in places.into_iter().map(ptr::with_exposed_provenance_mut::<Region>) {
            let (mut at, mut before) = (FIRST, State::Used);
            while at < GRAINS {
                // SAFETY: a region of runs that nobody else uses.
                let (run, last) = unsafe {
                    let run = page_at(region, at);
                    (&*run, &*page_at(region, at + (*run).len as usize - 1))
                };
                let (len, state) = (run.len as usize, run.state);
                assert!((last.len as usize, last.state) == (len, state));
                if state == State::Used {
                    let block = blocks.remove(&(region.addr() + at * GRAIN));
                    assert_eq!(block.map(|(_, len, _)| len), Some(len));
                    used += len;
                } else {
                    assert!(state != before, "neighbours that are not joined");
                    assert!(len < LONGEST || state == State::Warm, "an empty region is kept");
                    assert!(
                        listed.remove(&ptr::from_ref(run).cast_mut()),
                        "a free run that is not listed"
                    );
                    warm += if state == State::Warm { len } else { 0 };
                }
                (at, before) = (at + len, state);
            }
            assert_eq!(at, GRAINS);
        }
        assert!(blocks.is_empty() && listed.is_empty(), "blocks or runs in no region");
        assert_eq!((runs.used, runs.warm_pages), (used, warm));
    }

    fn finish(mut self) {
        while !self.used.is_empty() {
            self.give(7);
        }
        self.cool(0);
        self.check();
        let runs = self.runs.lock();
        assert!(runs.warm.longest().or(runs.cold.longest()).is_none(), "a region is left");
    }
}

/// The runs that are listed, all of them right.
fn listed(free: &Free, state: State) -> BTreeSet<*mut Page> {
    let mut listed = BTreeSet::new();
    for (len, &first) in free.first.iter().enumerate() {
        let is_noted = free.lengths[len / 64] >> (len % 64) & 1 == 1;
        assert_eq!(is_noted, !first.is_null());
        let (mut run, mut previous) = (first, ptr::null_mut());
        while !run.is_null() {
            // SAFETY: a run of regions that nobody else uses.
            let page = unsafe { &*run };
            assert!((page.previous, page.len as usize) == (previous, len));
            assert!(page.state == state);
            assert!(listed.insert(run), "listed twice");
            (previous, run) = (run, page.next);
        }
    }
    listed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn runs_never_overlap_and_keep_what_is_written(steps in steps()) {
        let mut model = Model { runs: Mutex::new(Runs::new()), used: BTreeMap::new(), next: 0 };
        for step in steps {
            match step {
                Step::Take(len) => model.take(len),
                Step::Give(which) => model.give(which),
                Step::GiveAll => while !model.used.is_empty() { model.give(0) },
                Step::Cool(most) => model.cool(most),
            }
            model.check();
        }
        model.finish();
    }
}

#[test]
fn blocks_that_one_thread_takes_others_give_back_while_memory_goes_to_the_system() {
    let take = |turn: usize, taken: &mut dyn FnMut(NonNull<u8>, usize)| {
        let bytes = (1 + turn * 7 % 60) * GRAIN;
        taken(allocate(bytes).unwrap(), bytes);
    };
    crossing::cross(2_000, take, |turn, block, bytes| {
        // SAFETY: it was taken for so many bytes, and is given back once.
        unsafe { free(block, bytes) };
        if turn % 16 == 0 {
            trim();
        }
    });
}

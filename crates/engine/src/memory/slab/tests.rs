//! Slabs beside a plain list of what is in use, and what becomes of their pages.

use super::super::crossing;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn classes_follow_one_another_and_waste_little() {
    let mut class = 0;
    for size in 1..=LARGEST {
        let footprint = footprint(size);
        assert!(footprint >= size && footprint - size < COARSE_STEP);
        assert!(class_of(footprint) == class || class_of(footprint) == class + 1, "{size}");
        class = class_of(footprint);
    }
    assert_eq!(class, CLASSES - 1);
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    /// Gives back one of those there are.
    Give(usize),
    GiveAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        60 => (1..=200usize).prop_map(Step::Take),
        40 => any::<usize>().prop_map(Step::Give),
        1 => Just(Step::GiveAll),
    ];
    proptest::collection::vec(step, 1..50)
}

/// One class with its blocks, beside a plain list of what is in use.
struct Model {
    slab: SizeClass,
    footprint: usize,
    /// The blocks in use by their addresses, each with what was written to it.
    used: BTreeMap<usize, (NonNull<u8>, u8)>,
    next: u8,
}

impl Model {
    fn take(&mut self) {
        let block = self.slab.take(self.footprint).unwrap();
        let at = block.addr().get();
        assert!(at.is_multiple_of(STEP) && at % PAGE >= FIRST);
        assert!(at % PAGE + self.footprint <= PAGE, "beyond its page");
        let below = self.used.range(..=at).next_back();
        assert!(below.is_none_or(|(&below, _)| below + self.footprint <= at), "it overlaps");
        let above = self.used.range(at..).next();
        assert!(above.is_none_or(|(&above, _)| at + self.footprint <= above), "it overlaps");
        self.next = self.next.wrapping_add(1);
        // SAFETY: it was just taken.
        unsafe { block.write_bytes(self.next, self.footprint) };
        self.used.insert(at, (block, self.next));
    }

    fn give(&mut self, which: usize) {
        let Some(&at) = self.used.keys().nth(which % self.used.len().max(1)) else { return };
        let (block, byte) = self.used.remove(&at).unwrap();
        // SAFETY: it is in use, and given back once.
        unsafe {
            let bytes = std::slice::from_raw_parts(block.as_ptr(), self.footprint);
            assert!(bytes.iter().all(|&held| held == byte), "somebody else wrote to it");
            self.slab.give(block);
        }
    }

    /// The pages in the list are those with room, each once, and count what is in use.
    fn check(&self) {
        let mut pages: BTreeMap<usize, usize> = BTreeMap::new();
        for at in self.used.keys() {
            *pages.entry(at & !(PAGE - 1)).or_default() += 1;
        }
        let (mut page, mut previous, mut listed) = (self.slab.first, ptr::null_mut(), 0);
        while !page.is_null() {
            // SAFETY: in the list of a slab that nobody else uses.
            let header = unsafe { &*page };
            assert_eq!(header.previous, previous);
            assert_eq!(header.used, pages.remove(&page.addr()).unwrap_or(0));
            // SAFETY: as above.
            assert!(unsafe { !is_full(page, self.footprint) });
            assert!(header.used > 0 || listed == 0, "an empty page is kept beside another");
            listed += usize::from(header.used == 0);
            (previous, page) = (page, header.next);
        }
        assert_eq!(self.slab.last, previous);
        let most = (PAGE - FIRST) / self.footprint;
        assert!(pages.values().all(|&used| used == most), "a page with room is not listed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn blocks_never_overlap_and_keep_what_is_written(
        size in 1..=LARGEST,
        steps in steps(),
    ) {
        let footprint = footprint(size);
        let mut model =
            Model { slab: SizeClass::new(), footprint, used: BTreeMap::new(), next: 0 };
        for step in steps {
            match step {
                Step::Take(count) => (0..count).for_each(|_| model.take()),
                Step::Give(which) => model.give(which),
                Step::GiveAll => while !model.used.is_empty() { model.give(0) },
            }
            model.check();
        }
        while !model.used.is_empty() {
            model.give(7);
        }
        model.check();
        if let Some(page) = NonNull::new(model.slab.first) {
            // SAFETY: nothing of it is in use.
            unsafe { pages::give(page.cast()) };
        }
    }
}

#[test]
fn pages_of_few_blocks_become_empty_while_the_fullest_serve() {
    const IN_A_PAGE: usize = (PAGE - FIRST) / LINE;
    const PAGES: usize = 16;
    let mut slab = SizeClass::new();
    let mut used: Vec<_> = (0..PAGES * IN_A_PAGE).map(|_| slab.take(LINE).unwrap()).collect();
    let mut state = 1_u64;
    let mut any = |len: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % len
    };
    let stay = used.len() / 4;
    while used.len() > stay {
        let which = any(used.len());
        // SAFETY: it is in use, and given back once.
        unsafe { slab.give(used.swap_remove(which)) };
    }
    for _ in 0..8 * stay {
        let which = any(used.len());
        // SAFETY: as above.
        unsafe { slab.give(used[which]) };
        used[which] = slab.take(LINE).unwrap();
    }
    let mut pages: Vec<_> = used.iter().map(|&block| page_of(block)).collect();
    pages.sort_unstable();
    pages.dedup();
    assert!(pages.len() <= PAGES / 4 + 2, "{} pages for what fills {}", pages.len(), PAGES / 4);
    for block in used {
        // SAFETY: as above.
        unsafe { slab.give(block) };
    }
    // SAFETY: the last page, of which nothing is in use.
    unsafe { pages::give(NonNull::new_unchecked(slab.first.cast())) };
}

#[test]
fn blocks_that_one_thread_takes_others_give_back() {
    const SIZES: [usize; 4] = [24, 56, 700, 2_000];
    let take = |turn: usize, taken: &mut dyn FnMut(NonNull<u8>, usize)| {
        let size = SIZES[turn % SIZES.len()];
        allocate(size, 3, |block| taken(block, size));
    };
    // SAFETY: it was taken for so many bytes, and is given back once.
    crossing::cross(20_000, take, |_, block, size| unsafe { free(block, size) });
}

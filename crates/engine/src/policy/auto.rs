//! `auto`: S3-FIFO's queues under the rule that does best of late.
//!
//! Shadow caches, one for each rule, are asked for a sample of the keys that the shard is asked for.
//! A key is in the sample by its hash: always or never. Whichever shadow hits most gives the rule
//! to the shard's queues; the entries stay where they are, and the queues find their new lengths
//! as entries come and go.
//!
//! Where entries weigh differently, shadows hold as much room as the shard does, and what is compared
//! is what their hits are worth.
//!
//! Shadows are made when the shard first evicts, and anew when it has become far larger or smaller.

use super::chooser::Chooser;
use super::lfu::S3Fifo;
use super::rule::{RULES, Rule};
use super::sketch::Sketch;
use super::watch::{Plan, Watch};
use super::weight::{Scale, Weight};
use super::{Admission, Eviction};
use crate::entry::EntryPtr;
use crate::index::{Host, Index, Sample, Shortage};

/// How often entries are evicted in vain for the bytes that shadows take.
const MOST_REFUSALS: u8 = 4;

/// Entries that are looked at for what one takes on average, and buckets that are looked into.
const WEIGHED: u64 = 512;

/// A span with nothing in it: the next eviction asks for shadows.
const NO_SPAN: (u64, u64) = (u64::MAX, 0);

pub(crate) struct Auto {
    queues: S3Fifo,
    chooser: Chooser,
    watch: Option<Box<Watch>>,
    /// Entries that the shard has at least and at most, for the shadows to stand for it.
    span: (u64, u64),
    /// What new shadows are to be made for.
    wanted: Option<Held>,
    /// How often their bytes were refused.
    refused: u8,
    /// The keys whose reads they were last said to be told of.
    sample: Sample,
}

/// What a shard holds, for shadows that are to hold a sample of it.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) entries: u64,
    /// The room that an entry takes on average.
    pub(super) room: u32,
    /// Whether all entries weigh the same.
    pub(super) even: bool,
}

impl Auto {
    pub(super) fn new(scale: Scale) -> Self {
        let mut queues = S3Fifo::default();
        queues.scale = scale;
        Self {
            queues,
            chooser: Chooser::default(),
            watch: None,
            span: NO_SPAN,
            wanted: None,
            refused: 0,
            sample: Sample::NONE,
        }
    }

    #[inline]
    pub(super) fn prepare(&mut self, host: &impl Host) -> Result<(), Shortage> {
        self.queues.prepare(host)?;
        match self.wanted {
            None => Ok(()),
            Some(held) => self.begin(held, host),
        }
    }

    /// Makes the shadows, and the sketch.
    #[cold]
    fn begin(&mut self, held: Held, host: &impl Host) -> Result<(), Shortage> {
        self.end(host);
        let allowance = host.allowance();
        let keys = Sketch::affordable(held.entries, allowance.saturating_mul(2));
        let Some((plan, keys)) = Plan::new(held.entries, held.even, allowance).zip(keys) else {
            self.wanted = None;
            return Ok(());
        };
        let price = plan.price() + Sketch::price(keys);
        if !host.charge(price) {
            self.refused += 1;
            if self.refused <= MOST_REFUSALS {
                return Err(Shortage::Bytes(price));
            }
            // Others take what is freed for it: it goes on as it is.
            self.wanted = None;
            return Ok(());
        }
        self.wanted = None;
        match (Watch::of(plan, held.room), Sketch::new(keys)) {
            (Some(watch), Some(sketch)) => {
                self.announce(host, watch.sample());
                self.watch = Some(Box::new(watch));
                self.queues.set_sketch(Some(sketch));
                self.chooser.restart();
            }
            // The system has no memory left: it goes on as it is.
            _ => host.release(price),
        }
        Ok(())
    }

    /// Gives up what the entries can do without, until the shard evicts again.
    pub(super) fn shrink(&mut self, host: &impl Host) {
        self.end(host);
        (self.span, self.wanted) = (NO_SPAN, None);
    }

    /// Says which keys' reads the shadows are to be told of.
    fn announce(&mut self, host: &impl Host, sample: Sample) {
        host.sample(std::mem::replace(&mut self.sample, sample), sample);
    }

    /// Drops shadows and sketch.
    fn end(&mut self, host: &impl Host) {
        self.announce(host, Sample::NONE);
        let price = self.watch.take().map_or(0, |watch| watch.price());
        let sketch = self.queues.set_sketch(None);
        host.release(price + sketch.map_or(0, |sketch| sketch.footprint()));
    }

    /// The entry is the caller's.
    #[inline]
    pub(super) fn admit(&mut self, hash: u64, entry: EntryPtr) -> Admission {
        self.queues.admit(hash, entry)
    }

    /// An entry is in the index. The caller is pinned.
    #[inline]
    pub(super) fn push(&mut self, hash: u64, entry: EntryPtr, main: bool) {
        self.queues.push(hash, main);
        self.came(hash, entry);
    }

    /// An entry took the place of another one: only now is there what that stood for, if it did. The
    /// caller is pinned, and has prepared.
    #[inline]
    pub(super) fn replaced(
        &mut self,
        hash: u64,
        (old, new): (EntryPtr, EntryPtr),
        index: &Index,
        host: &impl Host,
    ) {
        if self.awaits(old) {
            self.came(hash, new);
            self.queues.settle(hash, new, index, host);
        }
    }

    /// Tells the shadows of an entry, unless it stands for one that is awaited. The caller is pinned.
    #[inline]
    fn came(&mut self, hash: u64, entry: EntryPtr) {
        if let Some(weight) = self.followed(hash, entry) {
            if !self.queues.scale.is_even() {
                self.queues.mean.add(weight);
            }
            self.asked(hash, weight, 1);
        }
    }

    /// Tells the shadows what was read since the last eviction. The caller is pinned.
    #[inline]
    fn hear(&mut self, index: &Index, host: &impl Host) {
        host.take_reads(|hash, reads| {
            let followed = self.watch.as_ref().is_some_and(|watch| watch.sample().has(hash));
            if followed && let Some(weight) = self.weight_in(index, hash) {
                self.asked(hash, weight, reads);
            }
        });
    }

    /// What the entry of this hash weighs, if there is one. The caller is pinned.
    #[inline]
    fn weight_in(&self, index: &Index, hash: u64) -> Option<Weight> {
        if self.queues.scale.is_even() {
            return Some(Weight::EVEN);
        }
        let entry = index.find_by_hash(hash, |_, _| true).filter(|entry| !self.awaits(*entry))?;
        Some(self.weight_of(entry))
    }

    /// What an entry weighs that shadows are told of. The caller is pinned.
    #[inline]
    fn followed(&self, hash: u64, entry: EntryPtr) -> Option<Weight> {
        let watch = self.watch.as_ref()?;
        (watch.sample().has(hash) && !self.awaits(entry)).then(|| self.weight_of(entry))
    }

    #[inline]
    fn awaits(&self, entry: EntryPtr) -> bool {
        // SAFETY: the callers are pinned: what was in the index a moment ago is not freed.
        self.queues.scale.awaits(unsafe { entry.read() })
    }

    #[inline]
    fn weight_of(&self, entry: EntryPtr) -> Weight {
        // SAFETY: the callers are pinned: what was in the index a moment ago is not freed.
        self.queues.scale.weight_of(unsafe { entry.read() })
    }

    #[inline]
    fn asked(&mut self, hash: u64, weight: Weight, requests: u64) {
        if let Some(watch) = &mut self.watch
            && watch.request(hash, weight, &self.queues.mean, requests)
        {
            self.judge();
        }
    }

    #[cold]
    fn judge(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        if self.chooser.judge(watch.close()) {
            self.queues.set_rule(Rule::ALL[self.chooser.in_force()]);
        }
    }

    pub(super) fn evict(&mut self, index: &Index, host: &impl Host, live: u64) -> Eviction {
        self.hear(index, host);
        let (least, most) = self.span;
        if live < least || live > most {
            let held = self.held(index, live);
            // Where entries weigh differently, there may be far more under one rule than another.
            let more = if held.even { live / 8 } else { live };
            self.span = (live / 2, live.saturating_add(more));
            (self.wanted, self.refused) = (Some(held), 0);
        }
        self.queues.evict(index, host, live)
    }

    /// What there is, by a look at some of the entries. The caller is pinned.
    #[cold]
    fn held(&self, index: &Index, live: u64) -> Held {
        let even = self.queues.scale.is_even();
        let (mut cursor, mut room, mut count) = (0, 0, 0u64);
        let mut buckets = 0;
        while !even && count < WEIGHED && buckets < WEIGHED {
            buckets += 1;
            cursor = index.visit(cursor, |_, entry| {
                room += u64::from(self.weight_of(entry).room);
                count += 1;
            });
            if cursor == 0 {
                break;
            }
        }
        let room = room.checked_div(count).unwrap_or(1).clamp(1, u32::MAX.into()) as u32;
        Held { entries: live, room, even }
    }

    #[inline]
    pub(super) fn tidy(&mut self, index: &Index, host: &impl Host, live: u64) {
        self.queues.tidy(index, host, live);
    }

    /// What queues, sketch and shadows are charged.
    pub(super) fn footprint(&self) -> u64 {
        self.queues.footprint() + self.watch.as_ref().map_or(0, |watch| watch.price())
    }

    /// Takes what is known of the entries; the rule in force stays.
    pub(super) fn take_records(&mut self) -> Self {
        let mut taken = std::mem::replace(self, Self::new(self.queues.scale));
        self.sample = taken.sample;
        self.chooser = std::mem::take(&mut taken.chooser);
        self.queues.set_rule(Rule::ALL[self.chooser.in_force()]);
        taken
    }

    pub(super) fn report(&self) -> Report {
        let sampled = self.watch.as_ref().map(|watch| watch.sampled());
        Report {
            in_force: self.chooser.in_force(),
            ratios: self.chooser.ratios(),
            judged: self.chooser.judged(),
            switches: self.chooser.switches(),
            sampled,
            choices: Rule::choices(self.queues.scale.is_even()).len(),
        }
    }
}

/// What a shard's rule is, and why.
pub(crate) struct Report {
    /// The number of the rule in [`Rule::ALL`].
    pub(crate) in_force: usize,
    /// The shadows' hit ratios.
    pub(crate) ratios: [f64; RULES],
    /// Intervals that these come from.
    pub(crate) judged: u64,
    pub(crate) switches: u64,
    /// One key of so many is followed.
    pub(crate) sampled: Option<u64>,
    /// The rules among which there is a choice.
    pub(crate) choices: usize,
}

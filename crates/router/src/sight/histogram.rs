//! Latencies in buckets that are log-linear, as those of HdrHistogram: each power of two of
//! microseconds has 16 of one width. What is read of them is off by 1/32 at most, or by 31 ns below
//! a microsecond. From 67 s on there is one bucket. A histogram takes 3.5 KB, whatever is recorded.

use super::COUNTED;
use std::array;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets of a power of two.
const STEPS: usize = 16;
/// Powers of two of microseconds that are told apart: the last bucket begins at 2^26 µs, 67 s.
pub const POWERS: usize = 27;
/// Below 1 µs, from 1 µs on for each power of two, and one for all above.
const BUCKETS: usize = STEPS * POWERS + 1;

/// The bucket of a time.
#[inline]
fn bucket(nanos: u64) -> usize {
    // In sixteenths of a microsecond.
    let steps = nanos / 125 * 2 + nanos % 125 * 2 / 125;
    if steps < 2 * STEPS as u64 {
        return steps as usize;
    }
    let power = steps.ilog2() as usize - STEPS.ilog2() as usize;
    (power * STEPS + (steps >> power) as usize).min(BUCKETS - 1)
}

/// Where a bucket begins, in nanoseconds.
fn begin(bucket: usize) -> f64 {
    let power = (bucket / STEPS).saturating_sub(1);
    let step = bucket - power * STEPS;
    ((step as u64) << power) as f64 * 62.5
}

/// Adds to what one thread alone writes. Relaxed: counts order nothing, and one writer needs no locked
/// operation.
#[inline]
pub(super) fn add(cell: &AtomicU64, count: u64) {
    if !COUNTED {
        return;
    }
    cell.store(cell.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}

/// How long something took, as one thread records it and any thread reads it.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: array::from_fn(|_| AtomicU64::new(0)), nanos: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// `count` things took so many nanoseconds each. One thread calls this.
    #[inline]
    pub(crate) fn record(&self, nanos: u64, count: u64) {
        if !COUNTED {
            return;
        }
        add(&self.buckets[bucket(nanos)], count);
        add(&self.nanos, nanos.saturating_mul(count));
    }
}

/// What histograms have recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies {
    buckets: Box<[u64]>,
    nanos: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS].into(), nanos: 0 }
    }
}

impl Latencies {
    /// Adds what a histogram has recorded until now. What is recorded meanwhile may be in it or not.
    pub(super) fn merge(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        self.nanos += histogram.nanos.load(Ordering::Relaxed);
    }

    /// The counts of the buckets that are not empty, with their numbers: what [`Latencies::of`] takes.
    pub fn counts(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.buckets.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// What several have recorded, by the counts of all and how long all took together, in milliseconds.
    /// Buckets that do not exist are left out.
    pub fn of(counts: impl IntoIterator<Item = (usize, u64)>, sum: f64) -> Self {
        let mut all = Self { nanos: (sum * 1e6) as u64, ..Self::default() };
        for (bucket, count) in counts {
            if let Some(total) = all.buckets.get_mut(bucket) {
                *total += count;
            }
        }
        all
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How long all of them took together, in milliseconds.
    pub fn sum(&self) -> f64 {
        self.nanos as f64 / 1e6
    }

    /// How many took less than 1 µs, and how many from each power of two of microseconds to the next.
    /// The last count is of all that took longer.
    pub fn powers(&self) -> [u64; POWERS + 1] {
        array::from_fn(|at| self.buckets.iter().skip(at * STEPS).take(STEPS).sum())
    }

    /// The time that a share of them, from 0 to 1, did not exceed, in milliseconds: the middle of its
    /// bucket. `None` if there are none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let at = self.buckets.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        let end = if at + 1 < BUCKETS { begin(at + 1) } else { begin(at) };
        Some((begin(at) + end) / 2.0 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for at in 0..BUCKETS {
            let begins = begin(at).ceil() as u64;
            assert_eq!(bucket(begins), at, "{begins} ns");
            assert!(at == 0 || bucket(begins - 1) == at - 1, "{begins} ns");
        }
        assert_eq!(begin(BUCKETS - 1), f64::from(1 << 26) * 1e3);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn what_is_read_is_off_by_the_documented_error_at_most(
            mut times in prop::collection::vec(0u64..60_000_000_000, 1..200),
            share in 0.0f64..=1.0,
        ) {
            let (one, other) = (Histogram::default(), Histogram::default());
            for (at, time) in times.iter().enumerate() {
                [&one, &other][at % 2].record(*time, 1);
            }
            let mut sum = Latencies::default();
            sum.merge(&one);
            sum.merge(&other);
            times.sort_unstable();
            prop_assert_eq!(sum.count(), times.len() as u64);
            prop_assert_eq!(sum.sum(), times.iter().sum::<u64>() as f64 / 1e6);
            let rank = (share * times.len() as f64).ceil().max(1.0) as usize - 1;
            let (exact, read) = (times[rank] as f64, sum.quantile(share).unwrap() * 1e6);
            prop_assert!((exact - read).abs() <= (exact / 32.0).max(32.0), "{exact} {read}");
        }

        #[test]
        fn a_time_is_counted_below_the_power_of_two_that_it_does_not_reach(
            nanos in 0u64..200_000_000_000, count in 1u64..9,
        ) {
            let histogram = Histogram::default();
            histogram.record(nanos, count);
            let mut read = Latencies::default();
            read.merge(&histogram);
            let at = (0..POWERS).position(|power| nanos < 1_000 << power).unwrap_or(POWERS);
            let mut powers = [0; POWERS + 1];
            powers[at] = count;
            prop_assert_eq!(read.powers(), powers);
        }
    }

    #[test]
    fn nothing_recorded_has_no_quantile() {
        assert_eq!(Latencies::default().quantile(0.5), None);
    }
}

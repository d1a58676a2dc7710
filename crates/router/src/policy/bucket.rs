//! A bucket of tokens in one word: it holds what a second brings, and fills by the clock that it is told.
//! What is kept is when it will be full again (the generic cell rate algorithm), so that nothing has to
//! fill it, and threads share it without a lock.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Nanoseconds in a second: for as long a bucket fills, whatever its rate.
const SECOND: u64 = 1_000_000_000;

/// A bucket of tokens, full at first. Times are nanoseconds of a clock that never goes back.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// When it is full again. Relaxed everywhere: a number by itself, whose steps are atomic.
    full_at: AtomicU64,
}

impl Bucket {
    /// Takes one token; where not a whole one is left, in how many nanoseconds there will be.
    pub(crate) fn take(&self, rate: NonZeroU64, now: u64) -> Result<(), u64> {
        let cost = cost(1, rate);
        let spent = |full_at: u64| {
            let next = full_at.max(now).saturating_add(cost);
            (next <= now.saturating_add(SECOND)).then_some(next)
        };
        let taken = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent);
        let wait = |full_at: u64| full_at.saturating_add(cost).saturating_sub(now + SECOND);
        taken.map(|_| ()).map_err(wait)
    }

    /// Whether anything is left; otherwise, in how many nanoseconds something will be.
    pub(super) fn look(&self, now: u64) -> Result<(), u64> {
        let owed = self.full_at.load(Ordering::Relaxed).saturating_sub(now);
        if owed < SECOND { Ok(()) } else { Err(owed - SECOND + 1) }
    }

    /// Takes so many tokens, more than are left if need be: nothing is left until they have come.
    pub(super) fn charge(&self, count: u64, rate: NonZeroU64, now: u64) {
        let cost = cost(count, rate);
        let spent = |full_at: u64| Some(full_at.max(now).saturating_add(cost));
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent);
    }
}

/// How long it takes until so many tokens have come.
fn cost(count: u64, rate: NonZeroU64) -> u64 {
    let cost = u128::from(count) * u128::from(SECOND) / u128::from(rate.get());
    u64::try_from(cost).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A bucket as one would tell it: so many tokens are there, in billionths; a second fills it.
    struct Plain {
        tokens: i128,
        at: u64,
    }

    impl Plain {
        fn fill(&mut self, rate: u64, now: u64) -> i128 {
            let most = i128::from(rate) * i128::from(SECOND);
            let come = i128::from(now - self.at) * i128::from(rate);
            (self.tokens, self.at) = ((self.tokens + come).min(most), now);
            self.tokens
        }

        fn take(&mut self, rate: u64, now: u64) -> bool {
            let whole = self.fill(rate, now) >= i128::from(SECOND);
            self.tokens -= if whole { i128::from(SECOND) } else { 0 };
            whole
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Take,
        Look,
        Charge(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..3 * SECOND).prop_map(Step::Wait),
            (0..SECOND / 100).prop_map(Step::Wait),
            Just(Step::Take),
            Just(Step::Take),
            Just(Step::Look),
            (0..5_000u64).prop_map(Step::Charge),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// Rates of which a token takes a whole number of nanoseconds: both count without rounding.
    fn whole_rates() -> impl Strategy<Value = u64> {
        prop::sample::select(vec![1, 2, 5, 8, 10, 100, 125, 1_000, 4_000, 1_000_000, 1_000_000_000])
    }

    proptest! {
        #[test]
        fn a_bucket_gives_what_a_plain_one_gives(rate in whole_rates(), start in 0..u64::MAX / 4,
                                                 steps in steps()) {
            let per_second = NonZeroU64::new(rate).unwrap();
            let bucket = Bucket::default();
            let full = i128::from(rate) * i128::from(SECOND);
            let (mut plain, mut now) = (Plain { tokens: full, at: start }, start);
            for step in steps {
                match step {
                    Step::Wait(time) => now += time,
                    Step::Take => {
                        let taken = bucket.take(per_second, now);
                        prop_assert_eq!(taken.is_ok(), plain.take(rate, now));
                        if let Err(wait) = taken {
                            // It says when there will be one, to the nanosecond.
                            let missing = i128::from(SECOND) - plain.tokens;
                            prop_assert_eq!(i128::from(wait), (missing + i128::from(rate) - 1) / i128::from(rate));
                        }
                    }
                    Step::Look => {
                        prop_assert_eq!(bucket.look(now).is_ok(), plain.fill(rate, now) > 0);
                    }
                    Step::Charge(count) => {
                        bucket.charge(count, per_second, now);
                        plain.fill(rate, now);
                        plain.tokens -= i128::from(count) * i128::from(SECOND);
                    }
                }
            }
        }

        /// Of any rate, also one whose tokens take no whole number of nanoseconds.
        #[test]
        fn no_stretch_of_time_gets_more_than_it_brings_and_one_second_of_reserve(
            rate in 1..10_000u64, waits in prop::collection::vec(0..SECOND / 1_000, 1..500),
        ) {
            let (bucket, per_second) = (Bucket::default(), NonZeroU64::new(rate).unwrap());
            let (mut now, mut taken) = (SECOND, 0u128);
            for wait in waits {
                now += wait;
                taken += u128::from(bucket.take(per_second, now).is_ok());
                let passed = u128::from(now - SECOND);
                // A nanosecond for each token is what rounding may give away.
                let brought = u128::from(rate) * (passed + u128::from(SECOND) + taken);
                prop_assert!(taken * u128::from(SECOND) <= brought);
            }
        }
    }

    #[test]
    fn who_waits_as_long_as_it_is_told_gets_a_token() {
        let (bucket, rate) = (Bucket::default(), NonZeroU64::new(3).unwrap());
        let mut now = 0;
        for _ in 0..1_000 {
            while let Err(wait) = bucket.take(rate, now) {
                assert!((1..=SECOND).contains(&wait));
                assert!(bucket.take(rate, now + wait - 1).is_err());
                now += wait;
            }
        }
        assert!(now / SECOND >= 332, "1,000 tokens at 3 a second took {now} ns");
    }

    #[test]
    fn a_debt_beyond_all_measure_overflows_nothing() {
        let (bucket, rate) = (Bucket::default(), NonZeroU64::new(1).unwrap());
        for _ in 0..10 {
            bucket.charge(u64::MAX, rate, 5);
        }
        assert!(bucket.look(5).is_err());
        assert!(bucket.take(rate, 5).is_err());
    }
}

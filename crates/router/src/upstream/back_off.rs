//! How long a connection waits before it tries again: twice as long after each failure, and nobody
//! as long as all others.

/// The waits of one connection.
#[derive(Debug)]
pub(super) struct BackOff {
    least: u64,
    most: u64,
    failures: u32,
    /// The state of a xorshift generator, never 0.
    random: u64,
}

impl BackOff {
    /// Waits of `least` to `most` milliseconds. Connections of different seeds wait differently.
    pub(super) fn new(least: u64, most: u64, seed: u64) -> Self {
        Self { least: least.max(1), most: most.max(least).max(1), failures: 0, random: seed | 1 }
    }

    /// It worked: the next wait is a short one again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed once more; how many milliseconds to wait: between half of the whole and the whole.
    pub(super) fn next(&mut self) -> u64 {
        let factor = 1u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        let whole = self.least.saturating_mul(factor).min(self.most);
        self.failures = (self.failures + 1).min(63);
        whole - self.draw() % (whole / 2 + 1)
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[cfg(test)]
mod tests {
    use super::BackOff;

    #[test]
    fn waits_double_up_to_the_most_and_begin_anew_after_a_success() {
        let mut waits = BackOff::new(100, 5_000, 7);
        for whole in [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000] {
            let wait = waits.next();
            assert!((whole / 2..=whole).contains(&wait), "{wait} of {whole}");
        }
        waits.reset();
        assert!(waits.next() <= 100);
    }

    #[test]
    fn failures_without_end_overflow_nothing() {
        let mut waits = BackOff::new(u64::MAX / 2, u64::MAX, 0);
        for _ in 0..200 {
            assert!(waits.next() >= u64::MAX / 4);
        }
    }
}

//! Time: milliseconds on a monotonic clock that starts with the cache, real or set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A monotonic clock in milliseconds. Clones of a manual clock share their time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The operating system's monotonic clock; zero is now.
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(0))))
    }

    /// Milliseconds since the clock's start, rounded down.
    #[inline]
    pub fn now(&self) -> u64 {
        match &self.0 {
            Source::System(start) => start.elapsed().as_millis() as u64,
            // Relaxed: the clock publishes nothing but itself.
            Source::Manual(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Milliseconds since the clock's start, rounded up: deadlines count from here, so that no
    /// entry lives shorter than it was promised.
    #[inline]
    pub fn now_rounded_up(&self) -> u64 {
        match &self.0 {
            Source::System(start) => start.elapsed().as_nanos().div_ceil(1_000_000) as u64,
            Source::Manual(now) => now.load(Ordering::Relaxed),
        }
    }

    /// The time since the clock's start, as finely as it is known.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System(start) => start.elapsed(),
            Source::Manual(now) => Duration::from_millis(now.load(Ordering::Relaxed)),
        }
    }

    /// Moves a manual clock forward by `ms`. The system's clock is not moved.
    pub fn advance(&self, ms: u64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(ms, Ordering::Relaxed);
        }
    }

    /// Whether two clocks tell the same time: both the operating system's, or one manual clock.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Source::System(_), Source::System(_)) => true,
            (Source::Manual(a), Source::Manual(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Whether the time is the operating system's.
    pub fn is_system(&self) -> bool {
        matches!(self.0, Source::System(_))
    }
}

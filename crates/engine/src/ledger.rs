//! The ledger: one byte budget for the whole cache, and an account on it for each shard.
//!
//! A shard takes its bytes from the budget in leases, so that shards seldom meet on one line; a thread
//! keeps some of them in its lane.
//! At every moment: budget used = what is charged + leases of accounts + credit of lanes <= cap. Charges
//! come before allocations, releases after frees. What was charged by one account may be released to
//! another one.

use crate::shim::{AtomicU64, Ordering};
use crossbeam_utils::CachePadded;

/// The most bytes that an account holds uncharged.
const LEASE: u64 = 64 * 1024;

/// A budget that is never overdrawn.
pub(crate) struct Ledger {
    cap: AtomicU64,
    used: CachePadded<AtomicU64>,
}

impl Ledger {
    pub(crate) fn new(cap: u64) -> Self {
        Self { cap: AtomicU64::new(cap), used: CachePadded::new(AtomicU64::new(0)) }
    }

    // Counts order nothing but themselves. Only a cap that is lowered meets what is taken: either
    // `take` sees the new cap, or whoever lowered it sees what was taken. That needs one order of
    // all four accesses.

    #[inline]
    pub(crate) fn cap(&self) -> u64 {
        self.cap.load(Ordering::SeqCst)
    }

    pub(crate) fn set_cap(&self, cap: u64) {
        self.cap.store(cap, Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }

    /// Takes `n` from the budget, if it has them.
    #[inline]
    pub(crate) fn take(&self, n: u64) -> bool {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            match used.checked_add(n) {
                Some(wanted) if wanted <= self.cap() => {
                    match self.used.compare_exchange_weak(
                        used,
                        wanted,
                        Ordering::SeqCst,
                        Ordering::Relaxed,
                    ) {
                        Ok(_) if wanted <= self.cap() => return true,
                        Ok(_) => {
                            self.give(n);
                            return false;
                        }
                        Err(now) => used = now,
                    }
                }
                _ => return false,
            }
        }
    }

    /// Gives `n` back.
    #[inline]
    pub(crate) fn give(&self, n: u64) {
        self.used.fetch_sub(n, Ordering::Relaxed);
    }
}

/// A shard's account.
pub(crate) struct Account {
    /// Taken from the ledger, and not charged for anything.
    lease: AtomicU64,
}

impl Account {
    pub(crate) fn new() -> Self {
        Self { lease: AtomicU64::new(0) }
    }

    /// Bytes leased and not charged.
    pub(crate) fn leased(&self) -> u64 {
        self.lease.load(Ordering::Relaxed)
    }

    /// Charges `n`, from the lease or else from the ledger; false if neither has them.
    #[inline]
    pub(crate) fn charge(&self, ledger: &Ledger, n: u64) -> bool {
        let mut lease = self.lease.load(Ordering::Relaxed);
        while lease >= n {
            match self.lease.compare_exchange_weak(
                lease,
                lease - n,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => lease = now,
            }
        }
        self.charge_from(ledger, n)
    }

    #[cold]
    fn charge_from(&self, ledger: &Ledger, n: u64) -> bool {
        let spare = LEASE.min(ledger.cap() / 256);
        if spare > 0 && ledger.take(n + spare) {
            self.lease.fetch_add(spare, Ordering::Relaxed);
            return true;
        }
        // What is leased must not be in its own way.
        ledger.take(n) || {
            self.surrender(ledger, 0);
            ledger.take(n)
        }
    }

    /// Releases what was charged for something that is freed now.
    #[inline]
    pub(crate) fn release(&self, ledger: &Ledger, n: u64) {
        let lease = self.lease.fetch_add(n, Ordering::Relaxed) + n;
        if lease > LEASE {
            self.surrender(ledger, LEASE / 2);
        }
    }

    /// Gives all but `keep` bytes of the lease back to the ledger.
    pub(crate) fn surrender(&self, ledger: &Ledger, keep: u64) {
        let mut lease = self.lease.load(Ordering::Relaxed);
        while lease > keep {
            match self.lease.compare_exchange_weak(
                lease,
                keep,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    ledger.give(lease - keep);
                    return;
                }
                Err(now) => lease = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn charges_never_pass_the_cap_and_leases_can_be_called_in() {
        let ledger = Ledger::new(1_000_000);
        let (a, b) = (Account::new(), Account::new());
        assert!(a.charge(&ledger, 600_000));
        assert!(!b.charge(&ledger, 400_000), "the lease of a is in the way");
        a.surrender(&ledger, 0);
        assert!(b.charge(&ledger, 400_000));
        assert!(!a.charge(&ledger, 1));
        assert_eq!((ledger.used(), a.leased(), b.leased()), (1_000_000, 0, 0));
        a.release(&ledger, 600_000);
        a.surrender(&ledger, 0);
        assert_eq!((ledger.used(), a.leased(), b.leased()), (400_000, 0, 0));
    }
}

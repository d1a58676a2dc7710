//! Whether the process has room for one more client: descriptors enough stay free for what is no client. By
//! them stores are met, workers replaced, files opened, whoever comes.
//!
//! The system gives a new descriptor the lowest number that is free, so that all below a client's are taken.
//! What matters are those above. Beyond the last but so many, which are no client's, it is told at once. Below,
//! the free ones are counted, since what is no client may hold some of the last for good. Counting finds twice
//! as many as are kept, at the most, and then as many clients come uncounted as were found beyond these.

use std::sync::atomic::{AtomicU64, Ordering};

/// The fewest that are no client's, where the limit is not small, and the most.
const LEAST: u64 = 32;
const MOST: u64 = 1024;

/// The numbers that descriptors may have now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Those of clients are below this.
    clients: u64,
    /// All are.
    limit: u64,
}

impl Room {
    /// By the limit that the process has now: it may be changed while it runs.
    pub fn now() -> Self {
        Self::of(limit())
    }

    fn of(limit: u64) -> Self {
        let kept = (limit / 16).clamp(LEAST, MOST).min(limit / 4);
        Self { clients: limit - kept, limit }
    }

    /// Whether a client may have a descriptor of this number, which it has: whether as many stay free as are
    /// kept.
    pub fn is_for_clients(self, number: u64) -> bool {
        if number >= self.clients {
            UNCOUNTED.store(0, Ordering::Relaxed);
            return false;
        }
        let one_less = |left: u64| left.checked_sub(1);
        if UNCOUNTED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            return true;
        }
        let kept = self.limit - self.clients;
        let free = free_above(number, 2 * kept);
        UNCOUNTED.store(free.saturating_sub(kept), Ordering::Relaxed);
        free >= kept
    }

    /// Whether the system gives such a number.
    pub fn is_given(self, number: u64) -> bool {
        number < self.limit
    }
}

/// So many clients of the process may come until the free numbers are counted again. Relaxed: it guards
/// nothing else, and threads that count at the same time find the same.
static UNCOUNTED: AtomicU64 = AtomicU64::new(0);

/// How many numbers above this one are free, up to `most`. A copy of a descriptor has the lowest that is free
/// from a given one on: so it costs as much as are found, however many clients there are.
#[cfg(unix)]
fn free_above(number: u64, most: u64) -> u64 {
    use std::fs::File;
    use std::sync::LazyLock;

    static COPIED: LazyLock<Option<File>> = LazyLock::new(|| File::open("/dev/null").ok());
    let Some(copied) = COPIED.as_ref() else { return most };
    let (mut free, mut last) = (0, number);
    while free < most
        && let Ok(from) = i32::try_from(last + 1)
        && let Ok(copy) = rustix::io::fcntl_dupfd_cloexec(copied, from)
    {
        (free, last) = (free + 1, number_of(&copy));
    }
    free
}

#[cfg(not(unix))]
fn free_above(_: u64, most: u64) -> u64 {
    most
}

#[cfg(unix)]
fn limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn limit() -> u64 {
    u64::MAX
}

/// The number of a descriptor.
#[cfg(unix)]
pub fn number_of(descriptor: &impl std::os::fd::AsRawFd) -> u64 {
    u64::try_from(descriptor.as_raw_fd()).unwrap_or(0)
}

/// None has one here.
#[cfg(not(unix))]
pub fn number_of<T>(_: &T) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_numbers_are_no_clients_however_small_or_large_the_limit() {
        let kept = |limit| limit - Room::of(limit).clients;
        let limits = [0, 3, 64, 256, 1024, 4096, 65_536, 1 << 20, u64::MAX];
        assert_eq!(limits.map(kept), [0, 0, 16, 32, 64, 256, 1024, 1024, 1024]);
    }

    #[test]
    fn a_client_has_a_number_below_those_that_are_kept() {
        let room = Room::now();
        assert!(room.is_for_clients(room.clients - 1) && !room.is_for_clients(room.clients));
        assert!(room.is_given(room.limit - 1) && !room.is_given(room.limit));
    }
}

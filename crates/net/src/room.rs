//! Whether the process has room for one more client. The system gives a new descriptor the lowest number that
//! is free, so the number of a client's socket tells how full the process is. The last numbers are no
//! client's: by them stores are met, workers replaced, files opened, whoever comes.

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

    /// Whether a client may have a descriptor of this number.
    pub fn is_for_clients(self, number: u64) -> bool {
        number < self.clients
    }

    /// Whether the system gives such a number.
    pub fn is_given(self, number: u64) -> bool {
        number < self.limit
    }
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
        let room = Room::of(1024);
        assert!(room.is_for_clients(959) && !room.is_for_clients(960));
        assert!(room.is_given(1023) && !room.is_given(1024));
    }
}

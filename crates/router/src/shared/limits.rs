//! How much of everything a client may send or make wait.

/// How many milliseconds longer than for a reply the node waits until it takes a store for dead that
/// sends nothing.
const SILENCE: u64 = 3_000;

/// The bounds of one session.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Once this many bytes of replies wait to be written, no further command is run until the
    /// driver has written them. One command's reply may go beyond it.
    pub output: usize,
    /// The most commands that one chunk runs: the rest waits until other clients had their turn.
    pub batch: u64,
    /// The most bytes of an unfinished command kept for one client; a client that sends more is told
    /// so and disconnected.
    pub input: usize,
    /// The most bytes of one argument, 100 at the least; a command with a longer one is refused as it comes,
    /// and not kept.
    pub value: usize,
    /// The most bytes of commands that wait because the client does not read its replies; a client
    /// that sends more is told so and disconnected.
    pub waiting: usize,
    /// The most bytes of messages that wait for a client that does not take them; one that has more
    /// is disconnected.
    pub messages: usize,
    /// How long a client may have replies to take and take none of them, in milliseconds; then it is
    /// disconnected.
    pub slow_reader: u64,
    /// The most requests that wait for their replies on a connection to the store: once there are as
    /// many, other clients' commands for it wait until half of them are answered.
    pub in_flight: usize,
    /// The most bytes of requests that wait to be written to such a connection, in the same way. One
    /// command may go beyond it.
    pub unwritten: usize,
    /// The most reads whose replies are remembered that each server is asked at once, all threads
    /// together: see `path/relay/misses.rs`.
    pub misses: usize,
    /// The most of them that wait until a server may be asked.
    pub waiting_misses: usize,
    /// How long one waits for that at the most, in milliseconds; never longer than `store_timeout`.
    pub wait: u64,
    /// So many requests to a server that come to nothing, one behind the other, have it asked for
    /// nothing for a while; it is asked whatever happens, if it is 0: see `upstream/breaker.rs`.
    pub breaker_failures: u32,
    /// How long that is first, in milliseconds.
    pub breaker_pause: u64,
    /// How long, in milliseconds, a request waits for the store, from its arrival or from the last
    /// reply that the store gave its client, and a connection to the store until it is made; half as long for a reply of a replica, since another server is asked then.
    pub store_timeout: u64,
    /// How long, in milliseconds, from the loss of a connection to a store, requests wait for the store, and
    /// what was lost and may be done again is tried again; not at all, if it is 0. In front of a cluster, as
    /// long as `store_timeout`.
    pub store_retry: u64,
    /// The most connections to the store, for each thread, that belong to single clients.
    pub pinned: usize,
    /// The most keys that are remembered because clients who read them track them; any number, if it
    /// is 0. Beyond, some are told as changed. A key counts once, and once more for each 256 bytes of
    /// it and for each eight clients.
    pub tracked_keys: usize,
    /// The same of one client, whose keys are all told as changed beyond; of a store behind the node.
    pub tracked_keys_by_client: usize,
    /// The most bytes that wait in the process: of clients, for them, and for the store. Beyond, the client
    /// with most of them is cut.
    pub buffers: u64,
    /// The most clients at once.
    pub clients: usize,
    /// The most connections that are let in a second; any number, if it is 0.
    pub accepts: usize,
    /// The most that agree on keys of TLS at once; any number, if it is 0.
    pub handshakes: usize,
}

impl Limits {
    /// How long a read waits until a server may be asked, in milliseconds.
    pub(crate) fn miss_wait(&self) -> u64 {
        self.wait.min(self.store_timeout)
    }

    /// How long a read may be under way, in milliseconds: a store that owes a reply and sends nothing
    /// for as long is taken for dead.
    pub(crate) fn longest_read(&self) -> u64 {
        self.store_timeout.saturating_add(SILENCE)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            output: 1024 * 1024,
            batch: 512,
            input: 1024 * 1024 * 1024,
            value: 512 * 1024 * 1024,
            waiting: 64 * 1024 * 1024,
            messages: 32 * 1024 * 1024,
            slow_reader: 300_000,
            in_flight: 10_000,
            unwritten: 16 * 1024 * 1024,
            misses: 1_000,
            waiting_misses: 10_000,
            wait: 1_000,
            breaker_failures: 20,
            breaker_pause: 1_000,
            store_timeout: 2_000,
            store_retry: 0,
            pinned: 1024,
            tracked_keys: 1_000_000,
            tracked_keys_by_client: 100_000,
            buffers: 1 << 30,
            clients: 10_000,
            accepts: 0,
            handshakes: 1_000,
        }
    }
}

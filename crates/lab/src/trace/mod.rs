//! Recorded requests: which key each is for, and where the file tells, of what size and when.

mod compressed;
mod error;
mod formats;
mod keys;
mod progress;
mod read;

pub use error::TraceError;
pub use formats::Format;
pub use progress::Progress;
pub use read::read;

/// The requests of a trace in their order, by keys from 0 on.
#[derive(Debug, Default)]
pub struct Trace {
    keys: Vec<u32>,
    sizes: Vec<u32>,
    times: Vec<u64>,
    distinct: usize,
}

impl Trace {
    /// The key of each request: the first one is 0, and each new one is the next number.
    pub fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// Requests.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys there are.
    pub fn distinct(&self) -> usize {
        self.distinct
    }

    /// Whether requests have sizes.
    pub fn has_sizes(&self) -> bool {
        !self.sizes.is_empty()
    }

    /// Whether requests have times.
    pub fn has_times(&self) -> bool {
        !self.times.is_empty()
    }

    /// The size of the value of a request, in bytes; 1, if the trace has no sizes.
    pub fn size(&self, at: usize) -> u32 {
        self.sizes.get(at).copied().unwrap_or(1)
    }

    /// The bytes of the values of all keys, each of the size that it had last.
    pub fn footprint(&self) -> u64 {
        let mut sizes = vec![0; self.distinct];
        for (at, &key) in self.keys.iter().enumerate() {
            sizes[key as usize] = self.size(at);
        }
        sizes.into_iter().map(u64::from).sum()
    }

    /// When a request came, in milliseconds since some moment; 0, if the trace has no times.
    pub fn time(&self, at: usize) -> u64 {
        self.times.get(at).copied().unwrap_or(0)
    }
}

/// A request as a file tells it.
#[derive(Clone, Copy, Debug, Default)]
struct Request {
    size: Option<u32>,
    /// Milliseconds.
    time: Option<u64>,
}

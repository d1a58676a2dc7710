//! The keys of a pipeline, before its commands run: the processor fetches what memory has of all of
//! them at once, where the commands would wait for one after the other. A hint, and nothing else: what
//! the commands are is found out when their turns come.

use breakwater_resp::glance;
use smallvec::SmallVec;

/// Commands whose keys are fetched together.
pub(super) const AHEAD: usize = 16;

/// The keys of the first commands of a pipeline: of most commands it is the second word. Of a long
/// command nothing is looked at, and of those behind it: it takes longer than the wait for memory.
pub(super) fn keys(mut bytes: &[u8]) -> SmallVec<[&[u8]; AHEAD]> {
    let mut keys = SmallVec::new();
    while keys.len() < AHEAD
        && let Some((key, len)) = glance(bytes)
    {
        keys.push(key);
        bytes = &bytes[len..];
    }
    keys
}

/// The key of the only command that these bytes are. Those of several are fetched when these run.
pub(super) fn only_key(bytes: &[u8]) -> Option<&[u8]> {
    glance(bytes).filter(|(_, len)| *len == bytes.len()).map(|(key, _)| key)
}

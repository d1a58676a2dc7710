//! What names this process: handles of caches carry it, since numbers of caches repeat elsewhere.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::process;
use std::sync::OnceLock;

/// The process's number and a draw, since numbers of processes are used again.
pub fn name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        // The standard library seeds its hashers by the system's source of randomness.
        let draw = RandomState::new().hash_one(process::id());
        format!("{}-{draw:016x}", process::id())
    })
}

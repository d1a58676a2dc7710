//! Whole sessions: clients of two threads, a store and the network between them, where anything may
//! happen at any time. What holds all the same is said in `tests/storm`. Run with
//! `cargo +nightly fuzz run storm` in crates/router.

#![no_main]

#[path = "../../tests/storm/mod.rs"]
mod storm;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: storm::case::Case| {
    storm::weather(&case);
});

//! Sessions of the node in a storm: short ones of the fuzzer's, from seeds.

#[path = "storm/mod.rs"]
mod storm;

use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("BREAKWATER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
    ))]

    #[test]
    fn whatever_happens_everybody_is_served_and_gets_what_is_theirs(bytes in vec(any::<u8>(), 0..2048)) {
        if let Ok(case) = storm::case::Case::arbitrary_take_rest(Unstructured::new(&bytes)) {
            storm::weather(&case);
        }
    }
}

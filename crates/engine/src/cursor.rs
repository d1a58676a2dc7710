//! Going through an index by cursors, in steps between which others may write.

use std::ops::ControlFlow;

/// Calls `step` with a cursor, 0 at first, and then with the one that it gave, until that is 0 or
/// the step breaks off; what it broke off with. What a step pins it lets go of at its end.
pub fn run_to_end<B>(mut step: impl FnMut(u64) -> ControlFlow<B, u64>) -> Option<B> {
    let mut cursor = 0;
    loop {
        match step(cursor) {
            ControlFlow::Continue(0) => return None,
            ControlFlow::Continue(next) => cursor = next,
            ControlFlow::Break(found) => return Some(found),
        }
    }
}

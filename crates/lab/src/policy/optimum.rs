//! Bélády's optimum: what leaves is that whose next request is farthest. What was asked for is
//! stored, as by all others. It needs the whole trace.
//!
//! Source: Bélády, "A study of replacement algorithms for a virtual-storage computer", 1966. Where
//! weights differ it is a good bound, and not the best that could be.

use crate::Trace;
use std::collections::BinaryHeap;

/// No further request.
const NEVER: u32 = u32::MAX;

/// Whether each of some requests of a trace was a hit, told in order.
pub(crate) fn optimum(
    trace: &Trace,
    requests: &[u32],
    weight_of: impl Fn(usize) -> u32,
    capacity: u64,
    mut tell: impl FnMut(usize, bool),
) {
    let next = next_requests(trace, requests);
    // When each key that is held is requested next.
    let mut held: Vec<Option<u32>> = vec![None; trace.distinct()];
    let mut weights = vec![0; trace.distinct()];
    let mut weight = 0;
    let mut farthest = BinaryHeap::new();
    for (&at, &next) in requests.iter().zip(&next) {
        let key = trace.keys()[at as usize];
        let found = held[key as usize].take().is_some();
        if found {
            weight -= u64::from(weights[key as usize]);
        }
        tell(at as usize, found);
        let more = weight_of(at as usize);
        if u64::from(more) > capacity {
            continue;
        }
        while weight + u64::from(more) > capacity {
            let Some((request, key)) = farthest.pop() else { break };
            // Otherwise it was requested since.
            if held[key as usize] == Some(request) {
                held[key as usize] = None;
                weight -= u64::from(weights[key as usize]);
            }
        }
        held[key as usize] = Some(next);
        weights[key as usize] = more;
        weight += u64::from(more);
        farthest.push((next, key));
    }
}

/// For each of some requests the next one of its key among them.
fn next_requests(trace: &Trace, requests: &[u32]) -> Vec<u32> {
    let mut latest = vec![NEVER; trace.distinct()];
    let mut next = vec![NEVER; requests.len()];
    for (place, &at) in requests.iter().enumerate().rev() {
        let key = trace.keys()[at as usize] as usize;
        next[place] = std::mem::replace(&mut latest[key], at);
    }
    next
}

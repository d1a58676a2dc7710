//! What was sent over a connection and not answered: a server of a cluster may say that another one is
//! to be asked.

use std::collections::VecDeque;

/// Requests, one behind the other, in the order in which they were sent.
#[derive(Default)]
pub(super) struct Sent {
    bytes: Vec<u8>,
    /// Where the first one begins.
    start: usize,
    lengths: VecDeque<u32>,
}

impl Sent {
    pub(super) fn push(&mut self, request: &[u8]) {
        self.bytes.extend_from_slice(request);
        self.lengths.push_back(request.len() as u32);
    }

    /// The request at a place, counted from the first.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        let length = *self.lengths.get(at)? as usize;
        let start =
            self.start + self.lengths.iter().take(at).map(|len| *len as usize).sum::<usize>();
        self.bytes.get(start..start + length)
    }

    /// The first one is answered.
    pub(super) fn pop(&mut self) {
        self.start += self.lengths.pop_front().unwrap_or(0) as usize;
        if self.lengths.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(64 * 1024);
            self.start = 0;
        } else if self.start >= 64 * 1024 && self.start >= self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sent;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn what_is_not_answered_is_kept(
            steps in prop::collection::vec((any::<bool>(), 0usize..40_000), 1..60),
        ) {
            let (mut sent, mut model) = (Sent::default(), VecDeque::new());
            for (at, (push, length)) in steps.into_iter().enumerate() {
                match push {
                    true => {
                        let request = vec![at as u8; length];
                        sent.push(&request);
                        model.push_back(request);
                    }
                    false => {
                        sent.pop();
                        model.pop_front();
                    }
                }
                for (at, request) in model.iter().enumerate() {
                    prop_assert_eq!(sent.get(at), Some(request.as_slice()));
                }
                prop_assert_eq!(sent.get(model.len()), None);
            }
        }
    }
}

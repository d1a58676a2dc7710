//! Replies in the order of their requests, where some come from a store and take a while.

use std::collections::VecDeque;

/// Names a place among a client's replies.
pub(crate) type Ticket = u64;

/// One reply, or several that were made one after the other.
enum Slot {
    /// Asked for by so many bytes.
    Owed(usize),
    /// Owed, and for nobody when it comes.
    Muted,
    Made(Vec<u8>),
}

/// What a client is still owed, and what waits behind that.
#[derive(Default)]
pub(crate) struct OwedReplies {
    /// The ticket of the first slot.
    first: Ticket,
    slots: VecDeque<Slot>,
    /// Bytes of replies that wait.
    kept: usize,
    /// Bytes of the requests whose replies are owed.
    asked: usize,
    /// Whether what is asked for now is for nobody.
    muted: bool,
}

impl OwedReplies {
    /// Whether the client is owed nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many replies wait, or are waited for.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many bytes of replies wait.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// How many bytes are kept, and will be if replies are as long as their requests.
    pub(crate) fn expected(&self) -> usize {
        self.kept + self.asked
    }

    /// The reply of this ticket is asked for by so many bytes.
    pub(crate) fn weigh(&mut self, ticket: Ticket, bytes: usize) {
        let at = ticket.checked_sub(self.first).map(|at| at as usize);
        if let Some(Slot::Owed(asked)) = at.and_then(|at| self.slots.get_mut(at)) {
            *asked += bytes;
            self.asked += bytes;
        }
    }

    /// The ticket of the next slot.
    pub(crate) fn end(&self) -> Ticket {
        self.first + self.slots.len() as u64
    }

    /// Whether the reply of this ticket has left.
    pub(crate) fn has_left(&self, ticket: Ticket) -> bool {
        ticket < self.first
    }

    /// From now on replies are for nobody, or not; whether they were.
    pub(crate) fn mute(&mut self, muted: bool) -> bool {
        std::mem::replace(&mut self.muted, muted)
    }

    /// A place for a reply that comes later.
    pub(crate) fn owe(&mut self) -> Ticket {
        self.slots.push_back(if self.muted { Slot::Muted } else { Slot::Owed(0) });
        self.end() - 1
    }

    /// A reply that was made now, behind those that are owed.
    pub(crate) fn make(&mut self, reply: &[u8]) {
        if self.muted {
            return;
        }
        self.kept += reply.len();
        match self.slots.back_mut() {
            Some(Slot::Made(made)) => made.extend_from_slice(reply),
            _ => self.slots.push_back(Slot::Made(reply.to_vec())),
        }
    }

    /// A reply that was owed has come: appends to `out` what can leave now. A ticket that is known
    /// no more is for nobody.
    pub(crate) fn fill(&mut self, ticket: Ticket, reply: &[u8], out: &mut Vec<u8>) {
        let Some(at) = ticket.checked_sub(self.first) else { return };
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        let reply = match slot {
            Slot::Muted => &[],
            Slot::Owed(asked) => {
                self.asked -= *asked;
                reply
            }
            Slot::Made(_) => reply,
        };
        if at == 0 {
            // The usual case: no copy is made.
            self.slots.pop_front();
            self.first += 1;
            out.extend_from_slice(reply);
        } else {
            *slot = Slot::Made(reply.to_vec());
            self.kept += reply.len();
        }
        while let Some(Slot::Made(_)) = self.slots.front() {
            if let Some(Slot::Made(made)) = self.slots.pop_front() {
                self.kept -= made.len();
                out.extend_from_slice(&made);
            }
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OwedReplies;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn replies_leave_in_the_order_of_their_requests(
            local in prop::collection::vec(any::<bool>(), 1..40),
            order in prop::collection::vec(any::<prop::sample::Index>(), 40),
        ) {
            let (mut replies, mut out, mut expected) = (OwedReplies::default(), vec![], vec![]);
            let mut owed = vec![];
            for (n, is_local) in local.iter().enumerate() {
                let reply = format!("+{n}\r\n").into_bytes();
                expected.extend_from_slice(&reply);
                match (is_local, replies.is_empty()) {
                    (true, true) => out.extend_from_slice(&reply),
                    (true, false) => replies.make(&reply),
                    (false, _) => {
                        let ticket = replies.owe();
                        replies.weigh(ticket, reply.len());
                        owed.push((ticket, reply));
                    }
                }
            }
            for index in order {
                if owed.is_empty() {
                    break;
                }
                let (ticket, reply) = owed.swap_remove(index.index(owed.len()));
                replies.fill(ticket, &reply, &mut out);
                prop_assert!(expected.starts_with(&out));
                let to_come: usize = owed.iter().map(|(_, reply)| reply.len()).sum();
                prop_assert_eq!(replies.expected(), replies.kept() + to_come);
            }
            for (ticket, reply) in owed {
                replies.fill(ticket, &reply, &mut out);
            }
            prop_assert_eq!(out, expected);
            prop_assert!(replies.is_empty() && replies.expected() == 0);
        }
    }
}

//! Whose replies are to come over a connection to the store.

use super::reply::To;
use super::sent::Sent;
use std::collections::VecDeque;

/// Whose reply is to come, and when it was asked for, by the relay's clock.
pub(super) struct Addressee {
    pub(super) to: To,
    pub(super) asked: u64,
}

/// Whose replies are to come, by tokens that are given out in ascending order.
#[derive(Default)]
pub(super) struct Addressees {
    first: u64,
    all: VecDeque<Option<Addressee>>,
    /// Their requests, where another server may have to be asked.
    sent: Option<Sent>,
}

impl Addressees {
    /// The token of the next one.
    pub(super) fn next(&self) -> u64 {
        self.first + self.all.len() as u64
    }

    /// Whether none is to come.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many are to come.
    pub(super) fn count(&self) -> i64 {
        self.all.iter().flatten().count() as i64
    }

    /// Keeps what is asked from now on, once nothing is to come that was not kept.
    pub(super) fn keep(&mut self) {
        if self.sent.is_none() && self.all.is_empty() {
            self.sent = Some(Sent::default());
        }
    }

    pub(super) fn add(&mut self, to: To, asked: u64, request: &[u8]) {
        self.all.push_back(Some(Addressee { to, asked }));
        if let Some(sent) = &mut self.sent {
            sent.push(request);
        }
    }

    /// Nobody waits for what is to come.
    pub(super) fn forget(&mut self) {
        self.all.iter_mut().flatten().for_each(|one| one.to = To::Nobody);
    }

    /// What was asked, where that is kept.
    pub(super) fn request(&self, token: u64) -> Option<Vec<u8>> {
        let at = token.checked_sub(self.first)? as usize;
        self.sent.as_ref()?.get(at).map(<[u8]>::to_vec)
    }

    /// Whose reply this is, if it is to come.
    pub(super) fn to(&self, token: u64) -> Option<&To> {
        let at = token.checked_sub(self.first)? as usize;
        self.all.get(at)?.as_ref().map(|one| &one.to)
    }

    /// Those whose replies are to come, with their tokens.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u64, &To)> {
        (self.first..).zip(&self.all).filter_map(|(token, one)| Some((token, &one.as_ref()?.to)))
    }

    /// All whose replies do not come any more.
    pub(super) fn into_all(self) -> impl Iterator<Item = To> {
        self.all.into_iter().flatten().map(|one| one.to)
    }

    /// Takes one out: mostly the first.
    pub(super) fn take(&mut self, token: u64) -> Option<Addressee> {
        let taken = self.all.get_mut(token.checked_sub(self.first)? as usize)?.take();
        while matches!(self.all.front(), Some(None)) {
            self.all.pop_front();
            self.first += 1;
            if let Some(sent) = &mut self.sent {
                sent.pop();
            }
        }
        taken
    }
}

//! The next client in the queue, while the present one is served: what it has sent is received already,
//! and what its request needs of memory is on its way into the processor's cache, where it would wait
//! for that. The one behind it is fetched as well.

use super::{Driver, Task};
use crate::channel::{Received, Space};
use breakwater_router::expect;
use slotmap::DefaultKey;
use std::io;
use std::mem;

/// What was received of a client before its turn.
#[derive(Default)]
pub(super) struct Lookahead {
    space: Space,
    of: Option<(DefaultKey, io::Result<Received>)>,
}

impl Lookahead {
    /// What was received of this client, if anything was: it lies in `space` then.
    pub(super) fn take(
        &mut self,
        key: DefaultKey,
        space: &mut Space,
    ) -> Option<io::Result<Received>> {
        let (_, received) = self.of.take_if(|(of, _)| *of == key)?;
        mem::swap(space, &mut self.space);
        Some(received)
    }
}

impl Driver {
    /// Looks at those who are next.
    pub(super) fn look_ahead(&mut self) {
        if let Some(Task::Serve(key)) = self.queue.get(1)
            && let Some(connection) = self.connections.get(*key)
        {
            expect(&**connection);
        }
        if let Some(Task::Serve(key)) = self.queue.front() {
            self.guard(*key, Self::receive_ahead);
        }
    }

    fn receive_ahead(&mut self, key: DefaultKey) {
        // Of one who is gone nothing is kept.
        let keeps = |(of, _): &(DefaultKey, _)| self.connections.contains_key(*of);
        if self.ahead.of.as_ref().is_some_and(keeps) {
            return;
        }
        let client = self.connections.get_mut(key).and_then(|connection| connection.client());
        let ahead = client.and_then(|client| client.receive_ahead(&mut self.ahead.space));
        self.work.expected = ahead.as_ref().and_then(|ahead| ahead.expected);
        self.ahead.of = ahead.map(|ahead| (key, ahead.received));
    }
}

//! What lies between relays and stores where a test moves each piece by hand: connections that are to be
//! opened, bytes on their way to a store, letters from one relay to another.

use breakwater_router::{Delivery, Letter, LinkId, Relay};

/// The number of a relay, and of one of its connections.
pub type Line = (u64, LinkId);

#[derive(Default)]
pub struct Wires {
    /// Connections that relays want opened.
    pub opening: Vec<Line>,
    pub open: Vec<Line>,
    /// What is on its way to a store.
    pub written: Vec<(Line, Vec<u8>)>,
    pub letters: Vec<Letter>,
}

/// What a relay wanted done.
pub struct Exchanged {
    /// Whether that was anything.
    pub busy: bool,
    /// Connections that it has closed.
    pub closed: Vec<Line>,
    /// What is for its clients.
    pub deliveries: Vec<Delivery>,
}

impl Wires {
    /// Does what a relay wants done.
    pub fn exchange(&mut self, relay: &mut Relay) -> Exchanged {
        let number = relay.number();
        let closed: Vec<_> = relay.closes().into_iter().map(|id| (number, id)).collect();
        let (opens, touched) = (relay.opens(), relay.touched());
        let moved = !closed.is_empty() || !opens.is_empty() || !touched.is_empty();
        self.opening.retain(|line| !closed.contains(line));
        closed.iter().for_each(|line| self.hang_up(*line));
        self.opening.extend(opens.into_iter().map(|id| (number, id)));
        touched.into_iter().for_each(|id| self.write(relay, id));
        self.letters.extend(relay.letters());
        relay.settle();
        let deliveries = relay.deliveries();
        Exchanged { busy: moved || !deliveries.is_empty(), closed, deliveries }
    }

    /// Writes what a relay has for a line, if that is open: else it is written when it opens.
    fn write(&mut self, relay: &mut Relay, id: LinkId) {
        let line = (relay.number(), id);
        if self.open.contains(&line)
            && let Some(output) = relay.output(id)
        {
            self.written.push((line, std::mem::take(output)));
        }
    }

    /// A line is gone, and what was on its way over it.
    pub fn hang_up(&mut self, line: Line) {
        self.open.retain(|other| *other != line);
        self.written.retain(|(other, _)| *other != line);
    }

    /// What is on its way over a line arrives.
    pub fn take_written(&mut self, line: Line) -> Vec<Vec<u8>> {
        self.written.extract_if(.., |(other, _)| *other == line).map(|(_, bytes)| bytes).collect()
    }
}

//! What moves in a storm between relays, the store and each other, one piece at a time: connections, bytes,
//! letters; and what becomes of all that when a thread ends.

use super::client::Client;
use super::wires::{Exchanged, Line, Wires};
use super::{CLIENTS, End, Storm, relay};

impl Storm {
    /// Does what a relay wants done; whether that was anything.
    pub(super) fn exchange(&mut self, at: usize) -> bool {
        let Exchanged { busy, closed, deliveries } = self.wires.exchange(&mut self.relays[at]);
        closed.into_iter().for_each(|line| self.store.hang_up(line));
        for delivery in deliveries {
            let of = |client: &&mut Client| client.id() == delivery.client && !client.over;
            if let Some(client) = self.clients.iter_mut().find(of) {
                client.deliver(&delivery);
            }
        }
        busy
    }

    /// A connection is gone.
    fn drop_line(&mut self, line: Line) {
        self.wires.hang_up(line);
        self.store.hang_up(line);
    }

    /// A connection that was asked for is there, or cannot be.
    pub(super) fn opened(&mut self, line: Option<Line>, well: bool) {
        let Some(line) = line.filter(|line| self.relay(line.0).is_some()) else { return };
        self.wires.opening.retain(|other| *other != line);
        if well {
            self.wires.open.push(line);
            self.store.open(line);
        }
        let Some(relay) = self.relay(line.0) else { return };
        match well {
            true => relay.connected(line.1),
            false => relay.lost(line.1, "refused"),
        }
    }

    /// What was written to a connection arrives at the store.
    pub(super) fn forward(&mut self, line: Option<Line>) {
        let Some(line) = line else { return };
        for bytes in self.wires.take_written(line) {
            self.store.receive(line, &bytes);
        }
    }

    /// So many bytes of the store arrive.
    pub(super) fn back(&mut self, line: Option<Line>, count: usize) {
        // One that is on its way to another thread waits until that has it.
        let Some(line) = line.filter(|line| self.relay(line.0).is_some()) else { return };
        let bytes = self.store.take(line, count);
        if !bytes.is_empty()
            && let Some(relay) = self.relay(line.0)
        {
            relay.receive(line.1, &bytes);
        }
    }

    /// A connection is cut.
    pub(super) fn cut(&mut self, line: Option<Line>) {
        let Some(line) = line else { return };
        self.drop_line(line);
        if let Some(relay) = self.relay(line.0) {
            relay.lost(line.1, "it was cut");
        }
    }

    /// The oldest letter arrives, with the connections that go with it.
    pub(super) fn post(&mut self) {
        if self.wires.letters.is_empty() {
            return;
        }
        let letter = self.wires.letters.remove(0);
        let theirs = letter.connections().to_vec();
        let at = self.handed.iter().position(|(_, heir)| *heir == letter.to);
        let giver = at.filter(|_| !theirs.is_empty()).map(|at| self.handed.remove(at).0);
        let to = letter.to;
        let ours = self.relay(to).map(|relay| relay.read_letter(letter)).unwrap_or_default();
        for (at, id) in theirs.into_iter().enumerate() {
            let from = (giver.expect("somebody hands it on"), id);
            match ours.get(at) {
                Some(new) => self.move_line(from, (to, *new)),
                None => self.drop_line(from),
            }
        }
    }

    /// A connection belongs to another thread, which has its socket if it has one.
    fn move_line(&mut self, from: Line, to: Line) {
        let mut known = false;
        self.inherited.insert(to);
        let Wires { open, opening, .. } = &mut self.wires;
        for line in open.iter_mut().chain(opening).filter(|line| **line == from) {
            (*line, known) = (to, true);
        }
        if !known && let Some(relay) = self.relay(to.0) {
            return relay.lost(to.1, "its socket is not open");
        }
        let written = self.wires.written.iter_mut();
        written.filter(|(line, _)| *line == from).for_each(|(line, _)| *line = to);
        self.store.rename(from, to);
    }

    /// A thread ends as a driver does: its clients are gone without a word, its reads are handed on.
    pub(super) fn end_thread(&mut self, at: usize) {
        let fresh = relay(&self.router);
        let mut gone = std::mem::replace(&mut self.relays[at], fresh);
        let number = gone.number();
        for place in 0..CLIENTS {
            if self.clients[place].relay == at {
                self.clients[place] = self.connect(place);
            }
        }
        let mut kept = vec![];
        for letter in gone.leave() {
            if !letter.connections().is_empty() {
                self.handed.push((number, letter.to));
                kept.extend(letter.connections().iter().map(|id| (number, *id)));
            }
            self.wires.letters.push(letter);
        }
        self.wires.opening.retain(|line| line.0 != number || kept.contains(line));
        for line in self.wires.open.clone().into_iter().filter(|line| line.0 == number) {
            if !kept.contains(&line) {
                self.drop_line(line);
            }
        }
    }

    /// Everything that is on its way arrives.
    pub(super) fn arrive(&mut self) {
        for _ in 0..4 {
            let here = |storm: &Self, line: &Line| {
                storm.relays.iter().any(|relay| relay.number() == line.0)
            };
            while let Some(line) = self.wires.opening.iter().find(|line| here(self, line)).copied()
            {
                self.opened(Some(line), self.setup.end != End::Gone || !self.store.silent);
            }
            self.settle();
            for line in self.wires.open.clone() {
                self.forward(Some(line));
                self.store.release(line);
                self.back(Some(line), usize::MAX);
            }
            while !self.wires.letters.is_empty() {
                self.post();
            }
            self.settle();
        }
    }
}

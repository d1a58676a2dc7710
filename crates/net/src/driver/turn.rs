//! The turn: what is ready is served, a step a connection at a time, until nothing is ready or the
//! turn has taken its time. All that is done in one is a task in its queue, so that nothing can take
//! much longer than that.

use super::{Driver, Due, KEPT, LISTENER, LISTENERS, PAUSE, Task, WAKER, looks};
use crate::connection::Stage;
use crate::links::link_of;
use mio::Token;
use slotmap::{DefaultKey, KeyData};
use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

impl Driver {
    /// Does what is to be done now, for about as long as the settings say. What is left makes the
    /// descriptor readable again.
    ///
    /// A panic, which is a bug, costs as little as it can: see [`Driver::faults`].
    pub fn turn(&mut self) {
        self.guard_all(Self::try_turn);
    }

    fn try_turn(&mut self) {
        let begun = Instant::now();
        self.work.now = unix_millis();
        self.begin_turn(begun);
        self.store_tls = self.work.relay.as_ref().and_then(|_| self.membership.store_tls());
        self.expire(begun);
        self.wake_relay();
        loop {
            while self.gather() || !self.queue.is_empty() {
                while let Some(task) = self.queue.pop_front() {
                    self.perform(task);
                    if self.end_step(begun) >= self.settings.budget {
                        self.exchange();
                        self.rest_relay();
                        self.end_turn();
                        return self.pause();
                    }
                }
            }
            // Once for all that was ready: what many clients ask is written to the store together. What
            // becomes ready by that makes the descriptor readable again.
            self.exchange();
            if self.queue.is_empty() {
                break;
            }
        }
        self.rest_relay();
        self.end_turn();
        self.work.output.bytes.shrink_to(KEPT);
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Accept(at) => self.accept(at),
            Task::Serve(key) => self.guard(key, Self::serve),
            Task::End(key) => self.end(key),
            Task::Link(id) => self.receive(id),
        }
    }

    /// Waits for something to do, at most for `limit`, and does it: for hosts without a loop.
    ///
    /// # Errors
    /// The system cannot wait.
    pub fn wait(&mut self, limit: Duration) -> io::Result<()> {
        if self.queue.is_empty() {
            let limit = self.timeout(Instant::now()).map_or(limit, |timeout| timeout.min(limit));
            self.poll.poll(&mut self.events, Some(limit))?;
            self.guard_all(|driver| {
                driver.note();
            });
        }
        self.turn();
        Ok(())
    }

    /// Accepts no more, answers what was received and ends connections, `most` of them, to be called
    /// again for others: each in a pause of its client. One whose requests are not answered, or whose
    /// client has not taken its replies, `within` this time is cut.
    pub fn drain(&mut self, most: usize, within: Duration) {
        self.draining = true;
        self.listeners.clear();
        let now = Instant::now();
        let (due, look, looks) = (now + within, now + PAUSE.min(within / 2), looks(within / 2));
        let open = self.connections.iter_mut().filter(|(_, connection)| !connection.timed);
        for (key, connection) in open.take(most) {
            if let Some(client) = connection.client() {
                client.part();
            }
            connection.timed = true;
            self.deadlines.add(look, Due::Part(key, looks));
            self.deadlines.add(due, Due::End(key));
            if !connection.queued {
                connection.queued = true;
                self.queue.push_back(Task::Serve(key));
            }
        }
        self.pause();
    }

    /// Asks the system what is ready, without waiting; whether anything is.
    fn gather(&mut self) -> bool {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Ok(()) => self.note(),
            // Interrupted, or something that the next turn meets again.
            Err(_) => false,
        }
    }

    /// Queues what became ready; whether anything did.
    fn note(&mut self) -> bool {
        if self.queue.is_empty() {
            self.watch.restart();
        }
        let mut woken = false;
        for event in &self.events {
            match event.token() {
                WAKER => woken = true,
                Token(token) if token > LISTENER - LISTENERS => {
                    self.queue.push_back(Task::Accept(LISTENER - token));
                }
                token if let Some(id) = link_of(token) => {
                    self.links.became_ready(id, event.is_read_closed() || event.is_error());
                    self.queue.push_back(Task::Link(id));
                }
                Token(token) => {
                    let key = DefaultKey::from(KeyData::from_ffi(token as u64));
                    // An event of a connection that is gone means nobody.
                    let Some(connection) = self.connections.get_mut(key) else { continue };
                    let ended = event.is_read_closed() || event.is_error();
                    if (event.is_readable() || ended)
                        && let Some(channel) = connection.channel()
                    {
                        channel.became_readable(ended);
                    }
                    if !connection.queued {
                        connection.queued = true;
                        self.queue.push_back(Task::Serve(key));
                    }
                }
            }
        }
        if woken {
            self.open_mail();
            self.tell_news();
        }
        !self.events.is_empty()
    }

    /// Comes back as soon as the host has had its turn.
    pub(super) fn pause(&self) {
        // Without it the queue waits for the next event, which is late and not never.
        let _ = self.waker.wake();
    }

    /// Queues what is due.
    fn expire(&mut self, now: Instant) {
        while let Some(due) = self.deadlines.take(now) {
            match due {
                Due::Accept(at) => self.accept_again(at),
                Due::End(key) => self.queue.push_back(Task::End(key)),
                Due::Arrive(key) => {
                    let connection = self.connections.get(key);
                    if connection.is_some_and(|one| matches!(one.stage, Stage::Arriving(_))) {
                        self.queue.push_back(Task::End(key));
                    }
                }
                Due::Read(key) => self.look_at_reader(key, now),
                Due::Part(key, looks) => self.look_at_parting(key, looks, now),
                // Each turn looks.
                Due::Connect => {}
            }
        }
    }
}

/// Unix milliseconds.
fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

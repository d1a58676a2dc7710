//! What becomes of what one thread hears for all when that thread ends. Its connections go to another
//! thread, with their sockets and all that is under way over them: the store notices nothing, and no
//! message is lost, comes twice or comes out of order.
//!
//! ```text
//! who hears ends                Ears: what it heard and its connections, to the heir
//! the heir reads that           it hears from now on; Moved, to all who knew of the other one
//! who reads Moved               once more what nobody has answered, and all that it wants to hear
//!                               (Wants): letters to the other one may have met nobody
//! it breaks, or its heir ends   Deaf, to all: messages may have been lost
//! ```

use super::Relay;
use super::broadcast::Feed;
use super::ear::Hearing;
use super::link::Link;
use crate::news::Topic;
use crate::path::letter::{Letter, Listen, Word};
use crate::path::pending::LinkId;
use crate::shared::Left;
use std::any::Any;
use std::collections::{BTreeSet, HashMap};

/// What a thread heard for all.
struct Ears {
    links: Vec<Link>,
    hearing: Hearing,
    feed: Feed,
}

impl Relay {
    /// This thread ends. Another one hears in its place, unless this one is broken.
    pub(super) fn leave_ear(&mut self, broken: bool) {
        let number = self.number;
        match self.router.ear.leave(number, broken) {
            Left::Heir(heir) => {
                self.unlisten_all(number);
                let (numbers, ears) = self.take_ears();
                let word = Word::Ears { numbers, ears: Box::new(ears) };
                self.letters.push(Letter { to: heir, word });
            }
            Left::Nobody(told) => {
                self.letters
                    .extend(told.into_iter().map(|to| Letter { to, word: Word::Deaf(None) }));
            }
            Left::Other(0) => {}
            Left::Other(to) => self.letters.push(Letter { to, word: Word::Gone(number) }),
        }
    }

    /// What this thread hears for all, and the numbers of the connections that it has for that.
    fn take_ears(&mut self) -> (Vec<LinkId>, Ears) {
        let (hearing, feed) = (std::mem::take(&mut self.hearing), std::mem::take(&mut self.feed));
        let (mut numbers, mut ears) = (vec![], Ears { links: vec![], hearing, feed });
        for id in ears.hearing.ears.values().copied().chain(ears.feed.links()) {
            if let Some(link) = self.links.remove(&id) {
                self.uncount(&link);
                numbers.push(id);
                ears.links.push(link);
            }
        }
        (numbers, ears)
    }

    /// This thread hears for all from now on: the numbers that the connections have here.
    pub(super) fn take_over(
        &mut self,
        numbers: Vec<LinkId>,
        ears: Box<dyn Any + Send>,
    ) -> Vec<LinkId> {
        // Relays send nothing else.
        let Ok(ears) = ears.downcast::<Ears>() else { return vec![] };
        let others = self.router.ear.take_over(self.number);
        let Ears { links, hearing, feed } = *ears;
        (self.hearing, self.feed) = (hearing, feed);
        let mut now_here = vec![];
        for link in links {
            now_here.push(self.settle_in(link));
        }
        let renumbered: HashMap<_, _> = numbers.into_iter().zip(now_here.iter().copied()).collect();
        self.hearing.renumber(&renumbered);
        self.feed.renumber(&renumbered);
        // Threads that have ended meanwhile told the one that is gone.
        for thread in self.hearing.threads() {
            if thread != self.number && !others.contains(&thread) {
                self.unlisten_all(thread);
            }
        }
        // The servers may have changed since it looked.
        self.look();
        self.move_ears();
        self.move_feed();
        others.into_iter().for_each(|to| self.write(to, Word::Moved(self.number)));
        self.ask_again(self.number);
        now_here
    }

    /// Another thread hears for all: what it is to know of this one.
    pub(super) fn ask_again(&mut self, ear: u64) {
        let (thread, wanted) = (self.number, self.subscribers.topics());
        for (ask, topics) in self.subscribers.unconfirmed() {
            if self.lanes.awaits(ask) {
                continue;
            }
            let load = self.subscribers.load();
            let word = match topics.is_empty() {
                true => Word::Feed { thread, ask },
                false => Word::Listen(Box::new(Listen { thread, ask, topics, load })),
            };
            self.write(ear, word);
        }
        // Some of that is given up already.
        self.write(ear, Word::Wants { thread, topics: wanted });
    }

    /// All that a thread wants to hear: it may have told that it wants no more to nobody.
    pub(super) fn wants(&mut self, thread: u64, topics: &BTreeSet<Topic>) {
        let its = self.hearing.topics_of(thread);
        let ended = its.into_iter().filter(|topic| !topics.contains(topic)).collect();
        self.unlisten(thread, ended);
    }
}

//! Letters: what this thread tells others, and what they tell it.

use super::Relay;
use super::read::News;
use crate::path::letter::{Letter, Word};
use crate::path::pending::LinkId;

impl Relay {
    /// What is to be told to other threads.
    pub fn letters(&mut self) -> Vec<Letter> {
        std::mem::take(&mut self.letters)
    }

    /// Letters to this thread arrive from now on: others may leave to it what they have.
    pub fn is_reached(&self) {
        self.router.heirs.join(self.number);
    }

    /// Says something to another thread, or to this one.
    pub(super) fn write(&mut self, to: u64, word: Word) {
        let letter = Letter { to, word };
        match to == self.number {
            true => drop(self.read_letter(letter)),
            false => self.letters.push(letter),
        }
    }

    /// Takes what the relay of another thread tells. The connections that come with it, in their order
    /// ([`Letter::connections`]), have these numbers from now on.
    pub fn read_letter(&mut self, letter: Letter) -> Vec<LinkId> {
        match letter.word {
            Word::Reply { flight, kind, bytes, tracked, crowd } => {
                self.told(flight, (kind, &bytes), tracked, crowd);
            }
            Word::Failed { flight, why } => self.happen(flight, News::Failed, &why),
            Word::Lead(lease) => self.inherit(lease),
            Word::Listen(listen) => self.listen(*listen),
            Word::Unlisten { thread, topics } => self.unlisten(thread, topics),
            Word::Gone(thread) => self.unlisten_all(thread),
            Word::Stands { ask, refusal } => self.answer_ask(ask, refusal.as_deref()),
            Word::Message { topic, bytes } => self.take_message(&topic, &bytes),
            Word::Feed { thread, ask } => self.feed(thread, ask),
            Word::News { client, bytes, redirected } => self.take_news(client, bytes, redirected),
            Word::Unpaused => self.wake_paused(),
            Word::Deaf(topics) => self.deafen(topics),
            Word::Ears { numbers, ears } => return self.take_over(numbers, ears),
            Word::Legacy { legacy, .. } => return self.take_legacy(legacy),
            Word::Moved(ear) => self.ask_again(ear),
            Word::Wants { thread, topics } => self.wants(thread, &topics),
        }
        vec![]
    }

    /// The thread ends: what others are to know of that, and what they go on with.
    pub fn leave(&mut self) -> Vec<Letter> {
        self.end(false)
    }

    /// As [`Relay::leave`], after a panic, which may have left anything behind: nothing that it has is
    /// handed on.
    pub fn break_off(&mut self) -> Vec<Letter> {
        self.end(true)
    }

    fn end(&mut self, broken: bool) -> Vec<Letter> {
        self.leave_legacy(broken);
        self.bequeath();
        self.leave_ear(broken);
        self.leave_pins();
        self.router.hot.tell(self.number, 0, vec![]);
        for link in std::mem::take(&mut self.links).into_values() {
            self.uncount(&link);
        }
        self.settle();
        self.letters()
    }
}

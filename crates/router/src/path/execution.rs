//! A transaction of which the node does a part itself: what speaks of its client's own connection, as
//! `CLIENT SETNAME` or `SUBSCRIBE`. The store does the rest first; then the node does its part, request
//! by request, and their replies stand in the reply to `EXEC` where they belong. Meanwhile `EXEC` waits
//! in its client's session, and all that comes behind it.

use super::replies::Ticket;
use breakwater_resp::ReplyParser;
use std::collections::VecDeque;

/// One request of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The store does it.
    Stores,
    /// The node does it, as its client sent it.
    Own(Vec<u8>),
    /// The store has done it, with this reply.
    Done(Vec<u8>),
}

/// A transaction whose `EXEC` was sent to the store.
pub(crate) struct Execution {
    /// The place of the reply to `EXEC`, and whether that is for nobody.
    pub(crate) ticket: Ticket,
    muted: bool,
    /// Requests that are to be answered.
    parts: VecDeque<Piece>,
    /// How many they were.
    pub(crate) count: u32,
    /// The reply as far as it is known; `None` as long as the store has not answered.
    reply: Option<Vec<u8>>,
    /// Whether a part of it has to come behind what is owed for another one.
    pub(crate) owes: bool,
    /// Whether its client began to track in it: the store has done its part already, and does not
    /// tell of what that has read.
    pub(crate) tracks: bool,
    /// Whether the store has a part of it.
    is_shared: bool,
}

impl Execution {
    /// One of these parts, none of which is done.
    pub(super) fn new((ticket, muted): (Ticket, bool), parts: VecDeque<Piece>) -> Self {
        let (is_shared, count) = (parts.contains(&Piece::Stores), parts.len() as u32);
        Self { ticket, muted, parts, count, reply: None, owes: false, tracks: false, is_shared }
    }

    /// Whether the store has answered.
    pub(super) fn is_answered(&self) -> bool {
        self.reply.is_some()
    }

    /// The store has answered. If it has not done the transaction, nor does the node.
    pub(super) fn answer(&mut self, reply: &[u8]) {
        let stores = self.parts.iter().filter(|part| **part == Piece::Stores).count();
        match elements(reply).filter(|replies| replies.len() == stores) {
            Some(replies) => {
                self.reply = Some(format!("*{}\r\n", self.parts.len()).into_bytes());
                let own = self.parts.iter_mut().filter(|part| **part == Piece::Stores);
                own.zip(replies).for_each(|(part, reply)| *part = Piece::Done(reply));
            }
            None => {
                self.reply = Some(reply.to_vec());
                self.parts.clear();
            }
        }
        if self.muted {
            self.reply = Some(vec![]);
        }
    }

    /// The next part, once the store has answered.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        self.parts.pop_front()
    }

    /// A part cannot be done yet.
    pub(crate) fn put_back(&mut self, part: Piece) {
        self.parts.push_front(part);
    }

    /// Whether replies of the store stand behind the present part.
    pub(crate) fn goes_on(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Piece::Done(_)))
    }

    /// Whether its client may have been told of changes of what it reads in it before it reads that, or
    /// never.
    pub(super) fn misleads(&self) -> bool {
        self.is_shared && (self.tracks || self.owes)
    }

    /// A part has this reply.
    pub(crate) fn add(&mut self, reply: &[u8]) {
        self.reply.get_or_insert_default().extend_from_slice(reply);
    }

    /// The reply to `EXEC`, all or but for what had to come behind it.
    pub(crate) fn reply(&self) -> &[u8] {
        self.reply.as_deref().unwrap_or_default()
    }
}

/// The elements of an array; `None` if a reply is something else.
pub(super) fn elements(reply: &[u8]) -> Option<Vec<Vec<u8>>> {
    let text = reply.strip_prefix(b"*")?;
    let line = text.windows(2).position(|end| end == b"\r\n")?;
    let count: usize = std::str::from_utf8(&text[..line]).ok()?.parse().ok()?;
    let (mut rest, mut all) = (&text[line + 2..], vec![]);
    for _ in 0..count {
        let frame = ReplyParser::default().parse(rest).ok()??;
        all.push(rest[..frame.len].to_vec());
        rest = &rest[frame.len..];
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn execution() -> Execution {
        let own = |text: &str| Piece::Own(text.into());
        Execution::new((7, false), [own("a"), Piece::Stores, own("b"), Piece::Stores].into())
    }

    #[test]
    fn replies_of_the_store_stand_where_their_requests_stood() {
        let mut execution = execution();
        execution.answer(b"*2\r\n*1\r\n:1\r\n-ERR no\r\n");
        let done = |text: &str| Piece::Done(text.into());
        let own = |text: &str| Piece::Own(text.into());
        let expected = [own("a"), done("*1\r\n:1\r\n"), own("b"), done("-ERR no\r\n")];
        assert_eq!(std::iter::from_fn(|| execution.next()).collect::<Vec<_>>(), expected);
        assert_eq!(execution.reply(), b"*4\r\n");
    }

    #[test]
    fn what_the_store_does_not_do_nor_does_the_node() {
        for reply in ["*-1\r\n", "_\r\n", "-EXECABORT no\r\n", "*1\r\n:1\r\n", "*2\r\n:1\r\n"] {
            let mut execution = execution();
            execution.answer(reply.as_bytes());
            assert_eq!((execution.next(), execution.reply()), (None, reply.as_bytes()));
        }
    }
}

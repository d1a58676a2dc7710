//! What others say to a client: replies of the store, messages and news.

use super::Session;
use crate::client::news;
use crate::news::Notice;
use crate::path::{Delivery, Note, as_message};
use crate::shared::Ending;
use breakwater_resp::Protocol;

impl Session {
    /// Takes a reply of the store; appends to `out` what can leave now.
    pub fn deliver(&mut self, delivery: &Delivery, out: &mut Vec<u8>) {
        let before = out.len();
        match (&delivery.note, delivery.ticket) {
            (Note::Push, _) => self.push(&delivery.bytes, out),
            (Note::News { redirected }, _) => self.hear_news(&delivery.bytes, *redirected, out),
            (note, Some(ticket)) => {
                if delivery.bytes.first() == Some(&b'-') {
                    self.router.count_error(&self.state.client);
                }
                self.course.answer(ticket, &delivery.bytes, out);
                if *note != Note::Failed {
                    self.arrivals.hear();
                }
                match note {
                    Note::Database(db) => self.state.db = *db,
                    Note::Refused(topics) => self.course.drop_topics(topics),
                    _ => {}
                }
            }
            (_, None) => {}
        }
        self.pay(out.len() - before);
        self.state.closing |= delivery.ends;
        if delivery.ticket.is_some() && self.state.is_amid() {
            self.state.engage(self.course.engagement());
        }
    }

    /// Takes a message or news, in the form of the client's protocol.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match (self.state.protocol, bytes) {
            (Protocol::Resp2, [b'>', rest @ ..]) => {
                let message = as_message(bytes).unwrap_or_else(|| [b"*", rest].concat());
                self.course.push(&message, out);
            }
            _ => self.course.push(bytes, out),
        }
    }

    /// Takes news of changes. In RESP2 only who subscribes hears them, and those of another client.
    fn hear_news(&mut self, bytes: &[u8], redirected: bool, out: &mut Vec<u8>) {
        if self.state.protocol == Protocol::Resp3 {
            self.course.hear_news(bytes, out);
        } else if redirected
            && self.course.subscribes()
            && let Some(message) = as_message(bytes)
        {
            self.course.hear_news(&message, out);
        }
    }

    /// Takes news from its mailbox, behind the replies to all that it was fed; appends to `out` what
    /// the client is told. `false` if the connection has to end, since it missed something or its time
    /// is over.
    pub fn hear(&mut self, news: &[Notice], out: &mut Vec<u8>) -> bool {
        let before = out.len();
        news.iter().for_each(|one| news::write(one, &self.state, out));
        self.pay(out.len() - before);
        for one in news {
            match one {
                Notice::Missed => self.cause = Ending::Missed,
                Notice::Expired => self.cause = Ending::Expired,
                _ => continue,
            }
            return false;
        }
        true
    }
}

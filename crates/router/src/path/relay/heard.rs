//! What a connection to the store says, in the order in which it says it.

use crate::upstream::{Lost, Sink};
use breakwater_resp::Kind;
use std::collections::VecDeque;

/// What a connection said in one call.
pub(super) enum Heard {
    Connect,
    Close,
    Reply(u64, Kind, Vec<u8>),
    Lost(u64, Lost),
    Push(Vec<u8>),
    Greeted(Vec<u8>),
    Ready,
    Down(Option<Vec<u8>>),
}

impl Sink for VecDeque<Heard> {
    fn connect(&mut self, _attempt: u64) {
        self.push_back(Heard::Connect);
    }

    fn close(&mut self, _attempt: u64) {
        self.push_back(Heard::Close);
    }

    fn reply(&mut self, token: u64, kind: Kind, bytes: &[u8]) {
        self.push_back(Heard::Reply(token, kind, bytes.to_vec()));
    }

    fn lost(&mut self, token: u64, why: Lost) {
        self.push_back(Heard::Lost(token, why));
    }

    fn push(&mut self, bytes: &[u8]) {
        self.push_back(Heard::Push(bytes.to_vec()));
    }

    fn greeted(&mut self, hello: &[u8]) {
        self.push_back(Heard::Greeted(hello.to_vec()));
    }

    fn ready(&mut self) {
        self.push_back(Heard::Ready);
    }

    fn down(&mut self, refusal: Option<&[u8]>) {
        self.push_back(Heard::Down(refusal.map(<[u8]>::to_vec)));
    }
}

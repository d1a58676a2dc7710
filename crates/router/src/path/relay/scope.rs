//! What a request concerns, by its bytes: its keys, and what these belong to.

use super::Relay;
use crate::cache::KeyList;
use crate::catalog::{self, Class, Effect, Known};
use crate::path::pending::Scope;
use crate::topology::Span;
use breakwater_resp::{Args, Parsed, RequestParser};

impl Relay {
    /// The keys of a request, by its bytes; one without any concerns all.
    pub(super) fn scope_of(&self, request: &[u8]) -> Scope {
        let mut parser = RequestParser::default();
        let Parsed::Command(len) = parser.parse(request, true) else { return Scope::All };
        let args = parser.args(&request[..len]);
        match catalog::find(args) {
            Some(known) => scope_of_words(Some(known), args),
            None => scope_of_words(self.learned_of(args.word(0)).as_deref(), args),
        }
    }

    /// What the keys of a request belong to, by its bytes.
    pub(super) fn span_of(&self, request: &[u8]) -> Span {
        let mut parser = RequestParser::default();
        let Parsed::Command(len) = parser.parse(request, true) else { return Span::Keyless };
        let args = parser.args(&request[..len]);
        let learned = || self.learned_of(args.word(0));
        match catalog::find(args) {
            Some(known) => self.span_of_words(known, args),
            None => learned().map_or(Span::Keyless, |known| self.span_of_words(&known, args)),
        }
    }
}

/// The keys of a request of a command, those that it reads as well; all, if nobody knows them.
pub(super) fn scope_of_words(known: Option<&Known>, words: Args<'_>) -> Scope {
    let Some(known) = known else { return Scope::All };
    let mut keys = KeyList::default();
    known.each_key(words, |place, _| keys.push(words.word(place)));
    match known.effect(words) {
        Effect::Everything => Scope::All,
        _ if keys.is_empty() && matches!(known.class, Class::Other | Class::Read) => Scope::All,
        _ => Scope::of(keys.iter()),
    }
}

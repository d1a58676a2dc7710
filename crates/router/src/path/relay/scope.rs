//! What a request concerns, by its bytes: its keys, and what these belong to.

use super::Relay;
use crate::cache::KeyList;
use crate::catalog::{self, Class, Effect, Known};
use crate::path::changes::Changes;
use crate::path::course::Request;
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

/// The keys that a request concerns, and whether it is more than a read of them.
pub(super) fn scope(
    known: Option<&Known>,
    request: &Request<'_>,
    changes: &Changes,
) -> (Scope, bool) {
    let words = request.args;
    match known {
        Some(known) if known.class == Class::Read => (scope_of_words(Some(known), words), false),
        Some(known) if known.class == Class::Other => (Scope::All, true),
        // Also those that it only reads: nothing behind it may change them first.
        Some(_) if matches!(changes, Changes::Keys(_)) => (scope_of_words(known, words), true),
        _ => (changes.scope(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::{Request, scope};
    use crate::cache::KeyList;
    use crate::catalog::{self, Effect};
    use crate::path::changes::Changes;
    use crate::path::course::Stand;
    use crate::path::pending::Scope;
    use breakwater_resp::{Protocol, RequestParser, write_request};

    /// What a request of these words concerns, and whether it is more than a read.
    fn scope_of(words: &str) -> (Scope, bool) {
        let (mut bytes, mut parser) = (vec![], RequestParser::default());
        write_request(&mut bytes, &words.split(' ').collect::<Vec<_>>());
        parser.parse(&bytes, true);
        let args = parser.args(&bytes);
        let known = catalog::find(args).expect("a command");
        let mut keys = KeyList::default();
        let changes = match known.effect(args) {
            Effect::Nothing => Changes::Nothing,
            Effect::Everything => Changes::Everything,
            Effect::Keys(places) => {
                places.into_iter().for_each(|place| keys.push(args.word(place)));
                Changes::Keys(keys)
            }
        };
        let request = Request {
            client: 1,
            user: None,
            db: 0,
            protocol: Protocol::Resp2,
            concern: None,
            stand: Stand::Alone,
            waited: 0,
            at: 0,
            hooks: None,
            chooses: None,
            args,
            bytes: &bytes,
        };
        scope(Some(known), &request, &changes)
    }

    #[test]
    fn a_write_concerns_the_keys_that_it_reads_as_well() {
        let writes = [
            ("SORT a ALPHA STORE b", "a b"),
            ("COPY a b", "a b"),
            ("RENAME a b", "a b"),
            ("SUNIONSTORE a b c", "a b c"),
            ("ZRANGESTORE a b 0 1", "a b"),
            ("ZUNIONSTORE a 2 b c", "a b c"),
            ("BITOP AND a b c", "a b c"),
            ("PFMERGE a b", "a b"),
            ("GEOSEARCHSTORE a b FROMMEMBER m BYBOX 1 1 m", "a b"),
            ("GEORADIUS a 1 1 1 m STORE b", "a b"),
            ("LMOVE a b LEFT LEFT", "a b"),
            ("SET a 1", "a"),
        ];
        for (words, keys) in writes {
            let (scope, writes) = scope_of(words);
            assert!(writes, "{words}");
            for key in keys.split(' ') {
                assert!(scope.meets(&Scope::of([key.as_bytes()].into_iter())), "{words}: {key}");
            }
            assert!(!scope.meets(&Scope::of([&b"other"[..]].into_iter())), "{words}");
        }
        assert_eq!(scope_of("MGET a b"), (Scope::of([&b"a"[..], b"b"].into_iter()), false));
        assert_eq!(scope_of("FLUSHALL"), (Scope::All, true));
    }
}

//! A key of a read whose route a hook is to choose.

use crate::cache::Routes;
use crate::catalog::{Class, Known};
use crate::shared::Edition;
use breakwater_resp::Args;
use std::sync::Arc;

/// Nothing is remembered of reads of more keys, whatever their routes.
const MOST_KEYS: usize = 64;

/// A key that nobody knows the route of.
pub(crate) struct Candidate {
    /// Its place among the words.
    pub(crate) place: usize,
    pub(crate) key: Box<[u8]>,
    /// What the choice is to count for.
    rules: Arc<Edition>,
    round: u64,
}

impl Candidate {
    /// The first key of a command, from this place among its words on, that a hook is to be asked about:
    /// only reads have routes.
    pub(crate) fn of(
        rules: &Arc<Edition>,
        known: &Known,
        args: Args<'_>,
        from: usize,
    ) -> Option<Box<Self>> {
        let routes: &Routes = &rules.routes;
        if !routes.choices().is_used() || known.class != Class::Read {
            return None;
        }
        let (round, mut keys, mut found) = (routes.choices().round(), 0, None);
        known.each_key(args, |place, _| {
            keys += 1;
            if found.is_none() && place >= from && routes.settled(args.word(place)).is_none() {
                found = Some(place);
            }
        });
        let place = found.filter(|_| keys <= MOST_KEYS)?;
        Some(Box::new(Self { place, key: args.word(place).into(), rules: rules.clone(), round }))
    }

    /// The hook has chosen the route of this prefix, the usual one if it is `None`; `false` if there is
    /// none of that prefix.
    pub(crate) fn choose(&self, prefix: Option<&[u8]>) -> bool {
        let routes = &self.rules.routes;
        let chosen = prefix.map(|prefix| routes.named(prefix));
        if chosen == Some(None) {
            return false;
        }
        routes.choices().make(self.round, &self.key, chosen.flatten());
        true
    }
}

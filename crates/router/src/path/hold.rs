//! What a client has a connection of its own for, and what becomes of it: as one table.

/// What it has it for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Hold {
    /// For one request, if it has any.
    #[default]
    Nothing,
    /// Keys are watched over it.
    Watching,
    /// The store is to know it by that one, until it ends.
    Kept,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// A request that needs one until its reply: a command that waits, a transaction that chooses a
    /// database.
    Once,
    /// `WATCH`.
    Watch,
    /// What ends that: `EXEC`, `DISCARD`, `UNWATCH`.
    Unwatch,
    /// `MONITOR`, `CLIENT TRACKING`.
    Keep,
    /// It ends, or is as one that has just begun.
    Leave,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on being the client's.
    Stays,
    /// It comes back, with the reply to what is under way over it, if that is anything.
    Returns,
    /// It comes back once the store has let go of the keys.
    Cleaned,
    /// It is closed.
    Closes,
}

/// All that can happen.
const TABLE: &[(Hold, Use, Hold, Fate)] = {
    use Fate::*;
    use Hold::*;
    use Use::*;
    &[
        (Nothing, Once, Nothing, Returns),
        (Nothing, Watch, Watching, Stays),
        (Nothing, Unwatch, Nothing, Returns),
        (Nothing, Keep, Kept, Stays),
        (Nothing, Leave, Nothing, Returns),
        (Watching, Once, Watching, Stays),
        (Watching, Watch, Watching, Stays),
        (Watching, Unwatch, Nothing, Returns),
        (Watching, Keep, Kept, Stays),
        (Watching, Leave, Nothing, Cleaned),
        (Kept, Once, Kept, Stays),
        (Kept, Watch, Kept, Stays),
        (Kept, Unwatch, Kept, Stays),
        (Kept, Keep, Kept, Stays),
        (Kept, Leave, Nothing, Closes),
    ]
};

impl Hold {
    /// A client does something; what becomes of its connection.
    pub(super) fn take(&mut self, what: Use) -> Fate {
        let row = TABLE.iter().find(|(from, on, ..)| (*from, *on) == (*self, what));
        // The table has a row for each: see the tests.
        let (_, _, to, fate) = row.copied().unwrap_or((*self, what, Self::Nothing, Fate::Closes));
        *self = to;
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn there_is_one_row_for_whatever_may_happen() {
        let rows: HashSet<_> = TABLE.iter().map(|(from, on, ..)| (from, on)).collect();
        assert_eq!((rows.len(), TABLE.len()), (3 * 5, 3 * 5));
    }

    #[test]
    fn what_comes_back_is_held_for_nothing_and_watches_nothing() {
        for (from, on, to, fate) in TABLE {
            let is_over = *fate != Fate::Stays;
            assert!(!is_over || *to == Hold::Nothing, "{from:?} {on:?}");
            let unclean = *from == Hold::Watching && *on != Use::Unwatch;
            assert!(!(unclean && *fate == Fate::Returns), "{from:?} {on:?} comes back unclean");
        }
    }

    #[test]
    fn what_is_kept_is_the_clients_to_its_end_and_goes_to_nobody_else() {
        for (_, on, to, fate) in TABLE.iter().filter(|(from, ..)| *from == Hold::Kept) {
            let expected = match on {
                Use::Leave => (Hold::Nothing, Fate::Closes),
                _ => (Hold::Kept, Fate::Stays),
            };
            assert_eq!((*to, *fate), expected, "{on:?}");
        }
    }

    #[test]
    fn a_client_that_leaves_has_none_any_more() {
        for (from, on, to, fate) in TABLE.iter().filter(|(_, on, ..)| *on == Use::Leave) {
            assert!(*to == Hold::Nothing && *fate != Fate::Stays, "{from:?} {on:?}");
        }
    }
}

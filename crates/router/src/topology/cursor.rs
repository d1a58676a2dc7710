//! Cursors of scans: one belongs to the server that gave it. That of a replica has the replica's
//! number in the bits from 48 on; the primary's are as they are, so that they are good in scripts and
//! transactions as well. All are below 2^53: clients may keep them as doubles.

use super::server::{PRIMARY, ServerId};

const SHIFT: u32 = 48;
const MOST: u64 = 1 << 53;

/// The cursor that a client is given; `None` if it is too large to be one of a replica.
pub(crate) fn encode(server: ServerId, cursor: u64) -> Option<u64> {
    match (server, cursor) {
        (PRIMARY, _) | (_, 0) => Some(cursor),
        (_, _) if cursor >> SHIFT != 0 => None,
        _ => Some(u64::from(server) << SHIFT | cursor),
    }
}

/// The server that gave a cursor, and its own cursor.
pub(crate) fn decode(cursor: u64) -> (ServerId, u64) {
    if cursor >= MOST {
        return (PRIMARY, cursor);
    }
    ((cursor >> SHIFT) as ServerId, cursor & ((1 << SHIFT) - 1))
}

/// Where the number of a server stands in a cursor of a scan of all keys, where several servers take
/// writes. Servers' cursors are below the sizes of their tables.
const MASTER: u32 = 40;

/// The cursor for a scan that goes on at a server that takes writes; `None` if that is too large.
pub(crate) fn for_master(server: ServerId, cursor: u64) -> Option<u64> {
    let whole = u64::from(server) << MASTER | cursor;
    (cursor >> MASTER == 0 && whole < MOST).then_some(whole)
}

/// The server that takes writes at which a scan goes on, and its own cursor.
pub(crate) fn of_master(cursor: u64) -> (ServerId, u64) {
    let server = ServerId::try_from(cursor >> MASTER).unwrap_or(ServerId::MAX);
    (server, cursor & ((1 << MASTER) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::MOST_REPLICAS;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_the_server_that_gave_it(
            server in 0..=MOST_REPLICAS as ServerId,
            cursor in 0u64..1 << SHIFT,
        ) {
            let given = encode(server, cursor).unwrap();
            prop_assert!(given < MOST);
            prop_assert_eq!(given == 0, cursor == 0, "a scan ends where its server ends it");
            if cursor > 0 {
                prop_assert_eq!(decode(given), (server, cursor));
            }
        }

        #[test]
        fn a_cursor_of_one_of_several_masters_leads_back_to_it(
            server in 0..4096 as ServerId,
            cursor in 0u64..1 << MASTER,
        ) {
            let given = for_master(server, cursor).unwrap();
            prop_assert!(given < MOST);
            prop_assert_eq!(of_master(given), (server, cursor));
            prop_assert_eq!(for_master(server, cursor | 1 << MASTER), None);
        }

        #[test]
        fn what_a_replica_cannot_have_given_is_the_primarys(cursor in MOST..) {
            prop_assert_eq!(decode(cursor), (PRIMARY, cursor));
            prop_assert_eq!(encode(1, cursor), None);
        }
    }
}

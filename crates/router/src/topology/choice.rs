//! One of several servers: of two that are drawn, the one with fewer requests in flight
//! (Mitzenmacher, The Power of Two Choices, 2001).

use super::server::ServerId;

/// One of `servers`, each with its requests in flight; `lot` is drawn evenly from all numbers.
pub(crate) fn choose(servers: &[(ServerId, usize)], lot: u64) -> Option<ServerId> {
    let count = servers.len() as u64;
    if count == 0 {
        return None;
    }
    let first = lot % count;
    // Another one than the first, if there is one.
    let second = (first + 1 + (lot >> 32) % (count - 1).max(1)) % count;
    let (a, b) = (servers[first as usize], servers[second as usize]);
    Some(if b.1 < a.1 { b.0 } else { a.0 })
}

#[cfg(test)]
mod tests {
    use super::choose;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_busiest_is_never_chosen_where_there_is_another(
            loads in prop::collection::vec(0usize..100, 1..8),
            lot in any::<u64>(),
        ) {
            let servers: Vec<_> = (1u16..).zip(loads.iter().copied()).collect();
            let chosen = choose(&servers, lot).unwrap();
            let load = servers[usize::from(chosen) - 1].1;
            let most = *loads.iter().max().unwrap();
            let alone = loads.iter().filter(|load| **load == most).count() == 1;
            prop_assert!(load < most || !alone || loads.len() == 1);
        }
    }

    #[test]
    fn each_is_chosen_about_as_often_where_all_are_as_busy() {
        let servers = [(1, 5), (2, 5), (3, 5)];
        let mut lot = 88172645463325252u64;
        let mut counts = [0; 4];
        for _ in 0..3000 {
            lot ^= lot << 13;
            lot ^= lot >> 7;
            lot ^= lot << 17;
            counts[usize::from(choose(&servers, lot).unwrap())] += 1;
        }
        assert!(counts[1..].iter().all(|count| (800..1200).contains(count)), "{counts:?}");
        assert_eq!(choose(&[], 7), None);
    }
}

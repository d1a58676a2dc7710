//! Words that move home from overflow buckets, while something else happens.

use super::*;

/// Key 3 moves home from an overflow bucket, where key 1 has left, while something else happens.
/// Insertions keep away, as under the lock of a shard.
fn while_it_moves_home<R: 'static>(
    preemptions: usize,
    act: impl FnOnce(&World) -> R + Copy + Send + Sync + 'static,
    check: impl Fn(&World, R) + Send + Sync + 'static,
) {
    model(preemptions, move || {
        let world = World::with(&[1, 2, 3]);
        assert_eq!(world.remove(1), Some(entry(1, 1)));
        let actor = spawn(&world, act);
        world.index.trim(&world.books, hash_of(1));
        check(&world, actor.join().unwrap());
    });
}

#[test]
fn a_key_is_found_while_it_moves_home() {
    while_it_moves_home(
        3,
        |world| [(); 2].map(|()| world.find(3)),
        |world, seen| {
            assert_eq!(seen, [Some(entry(3, 1)); 2]);
            assert_eq!(world.contents(), entries([(2, 1), (3, 1)]));
            assert_eq!(world.index.footprint(), Index::price(1), "it came home");
        },
    );
}

#[test]
fn a_key_that_moves_home_is_replaced_once_and_never_goes_back() {
    while_it_moves_home(
        3,
        |world| {
            let replaced = world.put(3, 2, Expect::Present);
            assert_eq!(world.find(3), Some(entry(3, 2)));
            replaced
        },
        |world, replaced| {
            assert!(matches!(replaced, Put::Replaced(word) if word.entry() == Some(entry(3, 1))));
            assert_eq!(world.find(3), Some(entry(3, 2)));
            assert_eq!(world.contents(), entries([(2, 1), (3, 2)]));
        },
    );
}

#[test]
fn a_replacement_that_was_seen_stays_seen_while_its_key_moves_home() {
    model(2, || {
        let world = World::with(&[1, 2, 3]);
        assert_eq!(world.remove(1), Some(entry(1, 1)));
        let writer = spawn(&world, |world| world.put(3, 2, Expect::Any));
        let reader = spawn(&world, |world| {
            let reads = [(); 2].map(|()| world.find(3).expect("it was there all the time"));
            assert!(reads[0].as_raw() <= reads[1].as_raw());
        });
        world.index.trim(&world.books, hash_of(1));
        reader.join().unwrap();
        assert!(matches!(writer.join().unwrap(), Put::Replaced(_)));
        assert_eq!(world.contents(), entries([(2, 1), (3, 2)]));
    });
}

#[test]
fn a_key_that_moves_home_is_removed_once_and_stays_away() {
    while_it_moves_home(
        3,
        |world| (world.remove(3), world.find(3)),
        |world, outcome| {
            assert_eq!(outcome, (Some(entry(3, 1)), None));
            assert_eq!(world.contents(), entries([(2, 1)]));
        },
    );
}

#[test]
fn a_read_that_is_counted_while_its_key_moves_home_undoes_nothing() {
    while_it_moves_home(
        3,
        |world| {
            let hit = world.index.find(hash_of(3), |held| key_of(held) == 3);
            hit.expect("it was there all the time").count_read();
        },
        |world, ()| assert_eq!(world.contents(), entries([(2, 1), (3, 1)])),
    );
}

#[test]
fn a_walk_and_a_look_by_hash_meet_what_moves_home() {
    while_it_moves_home(
        3,
        |world| {
            let mut seen = Vec::new();
            run_to_end::<()>(|cursor| {
                Continue(world.index.visit(cursor, |_, entry| seen.push(key_of(entry))))
            });
            (seen, world.index.find_by_hash(hash_of(3), |_, held| key_of(held) == 3))
        },
        |_, (seen, found)| {
            assert!(seen.contains(&2) && seen.contains(&3), "{seen:?}");
            assert_eq!(found, Some(entry(3, 1)));
        },
    );
}

#[test]
fn a_key_that_moves_home_while_its_bucket_moves_is_neither_lost_nor_doubled() {
    while_it_moves_home(
        2,
        |world| (world.index.grow(&world.books), world.put(3, 2, Expect::Any)),
        |world, (grown, replaced)| {
            assert!(grown);
            assert!(matches!(replaced, Put::Replaced(word) if word.entry() == Some(entry(3, 1))));
            assert_eq!(world.contents(), entries([(2, 1), (3, 2)]));
            assert_eq!(world.put(5, 1, Expect::Any), Put::Inserted);
            assert_eq!(world.contents(), entries([(2, 1), (3, 2), (5, 1)]));
        },
    );
}

#[test]
fn clearing_drops_once_what_moves_home() {
    while_it_moves_home(
        2,
        |world| world.clear(),
        |world, cleared| {
            assert!(cleared && world.contents().is_empty());
            let mut gone = world.discarded();
            gone.sort_by_key(|entry| entry.as_raw());
            assert_eq!(gone, entries([(2, 1), (3, 1)]));
        },
    );
}

/// Several come home at once, from the last bucket first.
#[test]
fn a_chain_that_many_have_left_comes_home() {
    model(2, || {
        let world = World::with(&[1, 2, 3, 4, 5, 6]);
        for key in [1, 2, 3] {
            assert_eq!(world.remove(key), Some(entry(key, 1)));
        }
        let reader = spawn(&world, |world| [4, 6].map(|key| world.find(key)));
        world.index.trim(&world.books, hash_of(1));
        assert_eq!(reader.join().unwrap(), [4, 6].map(|key| Some(entry(key, 1))));
        assert_eq!(world.contents(), entries([(4, 1), (5, 1), (6, 1)]));
        assert_eq!(world.index.footprint(), Index::price(1) + Index::MOST_FOR_AN_INSERTION);
    });
}

//! Where the ring puts keys: as the vectors say, evenly, and so that few move.

use super::*;
use proptest::prelude::*;

fn equal(names: &[String]) -> Vec<RingNode> {
    names.iter().map(|name| RingNode { name: name.clone(), weight: 1.0 }).collect()
}

fn named(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("10.0.0.{at}:6379")).collect()
}

fn keys(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|at| format!("user:{at}"))
}

/// The vectors that programs in other languages are given.
fn vectors() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../__test__/routing/vectors.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_hash_is_that_of_the_vectors() {
    for pair in vectors()["hashes"].as_array().unwrap() {
        let (text, hex) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        assert_eq!(format!("{:x}", hash(text.as_bytes())), hex, "{text}");
    }
}

#[test]
fn keys_are_where_the_vectors_put_them() {
    let mut checked = 0;
    for ring in vectors()["rings"].as_array().unwrap() {
        // The node's own layout; that of Envoy is for what stands before it.
        if ring["options"].get("envoy").is_some() {
            continue;
        }
        let node = |given: &serde_json::Value| RingNode {
            name: given["name"].as_str().or(given.as_str()).unwrap().to_owned(),
            weight: given["weight"].as_f64().unwrap_or(1.0),
        };
        let nodes: Vec<_> = ring["nodes"].as_array().unwrap().iter().map(node).collect();
        let points = ring["options"]["points"].as_u64().unwrap_or(u64::from(POINTS)) as u32;
        let ring_of = Ring::new(&nodes, points, false);
        for pair in ring["keys"].as_array().unwrap() {
            let (key, name) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            assert_eq!(nodes[ring_of.locate(key.as_bytes())].name, name, "{key}");
            checked += 1;
        }
    }
    assert!(checked > 150);
}

#[test]
fn a_million_keys_are_shared_out_by_weight() {
    let mut nodes = equal(&named(5));
    nodes[0].weight = 2.0;
    let ring = Ring::new(&nodes, POINTS, false);
    let mut counts = [0usize; 5];
    keys(1_000_000).for_each(|key| counts[ring.locate(key.as_bytes())] += 1);
    for (at, count) in counts.iter().enumerate() {
        let fair = if at == 0 { 1.0 / 3.0 } else { 1.0 / 6.0 };
        let share = *count as f64 / 1e6;
        assert!((share / fair - 1.0).abs() < 0.1, "node {at} has {share}, not {fair}");
    }
}

#[test]
fn of_a_million_keys_a_share_moves_when_a_node_joins_and_to_nobody_else() {
    let all = equal(&named(5));
    let (four, five) = (Ring::new(&all[..4], POINTS, false), Ring::new(&all, POINTS, false));
    let mut moved = 0;
    for key in keys(1_000_000) {
        let (before, after) = (four.locate(key.as_bytes()), five.locate(key.as_bytes()));
        if before != after {
            assert_eq!(after, 4, "{key} moved to one that was there");
            moved += 1;
        }
    }
    assert!((180_000..=220_000).contains(&moved), "{moved} of a million moved");
}

fn node_names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set("[a-z0-9.:-]{1,12}", 1..8)
        .prop_map(|names| names.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_key_is_where_the_first_point_behind_it_is(
        names in node_names(),
        keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..40),
    ) {
        let ring = Ring::new(&equal(&names), 16, false);
        let mut points: Vec<_> = names
            .iter()
            .flat_map(|name| (0..16).map(move |at| (hash(format!("{name}_{at}").as_bytes()), name)))
            .collect();
        points.sort();
        for key in keys {
            let own = hash(&key);
            let found = points.iter().find(|point| point.0 >= own).unwrap_or(&points[0]);
            prop_assert_eq!(&names[ring.locate(&key)], found.1);
        }
    }

    #[test]
    fn the_order_of_nodes_moves_no_key(names in node_names(), key in any::<Vec<u8>>()) {
        let mut turned = names.clone();
        turned.reverse();
        let (one, other) =
            (Ring::new(&equal(&names), 64, true), Ring::new(&equal(&turned), 64, true));
        prop_assert_eq!(&names[one.locate(&key)], &turned[other.locate(&key)]);
    }

    #[test]
    fn successors_are_all_nodes_and_each_takes_over_from_those_before_it(
        names in node_names(),
        key in any::<Vec<u8>>(),
    ) {
        let ring = Ring::new(&equal(&names), 64, false);
        let order: Vec<_> = ring.successors(&key).collect();
        let mut all = order.clone();
        all.sort_unstable();
        prop_assert_eq!(all, (0..names.len()).collect::<Vec<_>>());
        for at in 0..order.len() {
            let down = &order[..at];
            prop_assert_eq!(ring.locate_up(&key, |node| !down.contains(&node)), order[at]);
        }
        prop_assert_eq!(ring.locate_up(&key, |_| false), order[0]);
    }

    #[test]
    fn keys_of_one_hash_tag_are_together(names in node_names(), key in "[a-z]{0,5}", tag in "[a-z]{1,5}") {
        let ring = Ring::new(&equal(&names), 64, true);
        let tagged = format!("{key}{{{tag}}}{key}");
        prop_assert_eq!(ring.locate(tagged.as_bytes()), ring.locate(tag.as_bytes()));
    }
}

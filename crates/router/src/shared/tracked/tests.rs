//! Who is told of which change, and what does not fit.

use super::*;

fn keys(names: &[&str]) -> KeyList {
    names.iter().map(|name| name.as_bytes()).collect()
}

fn told(all: &[Told]) -> Vec<(ClientId, Option<String>)> {
    let text = |key: &Arc<[u8]>| String::from_utf8_lossy(key).into_owned();
    all.iter().map(|told| (told.tracker.client, told.key.as_ref().map(text))).collect()
}

#[test]
fn whose_reads_are_registered_in_the_table_of_a_connection_is_told_that_all_may_have_changed() {
    let (all, of_one) = (TrackedReads::new(100, 100), TrackedReads::new(100, 100));
    let (one, two) = (all.begin(1, 1, 0), all.begin(2, 1, 0));
    of_one.adopt(&two);
    all.register(&one, &keys(&["a"]));
    let (number, _) = of_one.register(&two, &keys(&["a"]));
    assert!(of_one.holds(&two, b"a", number));
    assert_eq!(told(&all.flush_apart()), [(2, None)]);
    assert!(!of_one.holds(&two, b"a", number) && told(&of_one.changed(b"a")).is_empty());
    assert_eq!(told(&all.changed(b"a")), [(1, Some("a".to_owned()))]);
}

#[test]
fn a_change_is_told_once_to_each_that_has_read_the_key_since_it_was_told_last() {
    let tracked = TrackedReads::new(1 << 20, 1 << 20);
    let (one, two) = (tracked.begin(1, 1, 0), tracked.begin(2, 1, 0));
    let (first, _) = tracked.register(&one, &keys(&["a", "b"]));
    tracked.register(&two, &keys(&["a"]));
    assert!(tracked.holds(&one, b"a", first));
    let a = Some("a".to_owned());
    assert_eq!(told(&tracked.changed(b"a")), [(1, a.clone()), (2, a.clone())]);
    assert!(told(&tracked.changed(b"a")).is_empty());
    assert!(!tracked.holds(&one, b"a", first) && tracked.holds(&one, b"b", first));
    // What is read again meanwhile does not hide that it was told before its first reply.
    let (second, _) = tracked.register(&one, &keys(&["a"]));
    assert!(!tracked.holds(&one, b"a", first) && tracked.holds(&one, b"a", second));
    tracked.end(1);
    assert!(told(&tracked.changed(b"a")).is_empty());
}

#[test]
fn a_flush_is_told_to_all_and_leaves_what_is_read_after_it() {
    let tracked = TrackedReads::new(1 << 20, 1 << 20);
    let one = tracked.begin(1, 1, 0);
    let (before, _) = tracked.register(&one, &keys(&["a"]));
    assert_eq!(told(&tracked.flush()), [(1, None)]);
    assert!(!tracked.holds(&one, b"a", before) && tracked.changed(b"a").is_empty());
    let (after, _) = tracked.register(&one, &keys(&["a"]));
    assert!(tracked.holds(&one, b"a", after));
}

#[test]
fn of_keys_that_may_have_changed_those_are_told_who_have_read_them() {
    let tracked = TrackedReads::new(100, 100);
    let [one, two] = [1, 2].map(|client| tracked.begin(client, 1, 0));
    tracked.register(&one, &keys(&["a1", "b1"]));
    let (number, _) = tracked.register(&two, &keys(&["a2", "b1"]));
    let mut changed = told(&tracked.changed_where(|key| key.starts_with(b"a")));
    changed.sort();
    assert_eq!(changed, [(1, Some("a1".into())), (2, Some("a2".into()))]);
    assert!(tracked.holds(&two, b"b1", number) && !tracked.holds(&two, b"a2", number));
    assert!(tracked.changed_where(|key| key.starts_with(b"a")).is_empty());
}

#[test]
fn what_does_not_fit_is_told_as_changed() {
    let tracked = TrackedReads::new(STRIPES * 4, 1 << 20);
    let one = tracked.begin(1, 1, 0);
    let mut kept = std::collections::BTreeSet::new();
    for at in 0..1_000 {
        let name = format!("k{at}");
        kept.insert(name.clone());
        let (_, dropped) = tracked.register(&one, &keys(&[&name]));
        told(&dropped).into_iter().for_each(|(_, key)| assert!(kept.remove(&key.unwrap())));
    }
    assert!((1..=STRIPES * 4).contains(&kept.len()));
    assert!(kept.iter().all(|key| tracked.changed(key.as_bytes()).len() == 1));
}

#[test]
fn a_client_that_tracks_more_than_its_share_forgets_all_and_is_told_so() {
    let tracked = TrackedReads::new(1 << 20, 10);
    let (one, two) = (tracked.begin(1, 1, 0), tracked.begin(2, 1, 0));
    tracked.register(&two, &keys(&["k0"]));
    let mut dropped = vec![];
    for at in 0..11 {
        dropped.extend(tracked.register(&one, &keys(&[&format!("k{at}")])).1);
    }
    assert_eq!(told(&dropped), [(1, None)]);
    assert_eq!(told(&tracked.changed(b"k0")), [(2, Some("k0".to_owned()))]);
    // One key may weigh more than that.
    let long = "x".repeat(256 * 20);
    assert_eq!(told(&tracked.register(&one, &keys(&[&long])).1), [(1, None)]);
}

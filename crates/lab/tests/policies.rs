//! What holds for every policy on every trace, beside plain models that are slow and certain.

use breakwater_lab::trace::read;
use breakwater_lab::{
    Capacity, Curve, Format, Outcome, Plan, PolicyName, Progress, Routing, Trace,
};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

static FILES: AtomicU64 = AtomicU64::new(0);

/// A trace of keys, their sizes and seconds, by way of a file as any other.
fn trace(requests: &[(u32, u32, u32)]) -> Trace {
    let mut text = String::from("time,key,size\n");
    for (key, size, time) in requests {
        writeln!(text, "{time},{key},{size}").expect("a text has room");
    }
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("lab-{}-{number}.csv", std::process::id()));
    std::fs::write(&file, text).expect("a folder for temporary files");
    let trace = read(&file, Format::Csv, usize::MAX, &Progress::default());
    std::fs::remove_file(&file).expect("the file is there");
    trace.expect("a trace")
}

fn run(trace: &Trace, plan: Plan) -> Outcome {
    let outcomes =
        breakwater_lab::simulate(trace, &[plan], NonZeroUsize::MIN, &Progress::default());
    outcomes.expect("nobody cancels")[0]
}

/// Hits of an LRU cache that is a list.
fn plain_lru(requests: &[(u32, u32, u32)], capacity: u64, in_bytes: bool) -> u64 {
    let mut held: VecDeque<(u32, u64)> = VecDeque::new();
    let mut hits = 0;
    for &(key, size, _) in requests {
        let weight = if in_bytes { u64::from(size) } else { 1 };
        if let Some(at) = held.iter().position(|&(other, _)| other == key) {
            held.remove(at);
            hits += 1;
        }
        if weight > capacity {
            continue;
        }
        held.push_front((key, weight));
        while held.iter().map(|&(_, weight)| weight).sum::<u64>() > capacity {
            held.pop_back();
        }
    }
    hits
}

fn requests() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    let request = (0..40_u32, 1..20_u32, 0..3_u32);
    prop::collection::vec(request, 1..400).prop_map(|mut requests| {
        let mut now = 0;
        for (_, _, time) in &mut requests {
            now += *time;
            *time = now;
        }
        requests
    })
}

proptest! {
    #[test]
    fn lru_is_a_plain_list_in_entries_and_in_bytes(requests in requests(), capacity in 1..60_u64) {
        let trace = trace(&requests);
        for (given, in_bytes) in [(Capacity::Entries(capacity), false), (Capacity::Bytes(capacity), true)] {
            let outcome = run(&trace, Plan::new(PolicyName::Lru, given));
            prop_assert_eq!(outcome.hits, plain_lru(&requests, capacity, in_bytes));
        }
    }

    #[test]
    fn nothing_beats_the_optimum_and_nothing_is_lost(requests in requests(), capacity in 1..40_u64) {
        let trace = trace(&requests);
        let hits_of = |policy| run(&trace, Plan::new(policy, Capacity::Entries(capacity)));
        let best = hits_of(PolicyName::Optimum);
        let mut seen = [false; 40];
        let again = requests.iter().filter(|&&(key, ..)| std::mem::replace(&mut seen[key as usize], true));
        let again = again.count() as u64;
        for policy in PolicyName::ALL {
            let outcome = hits_of(policy);
            prop_assert!(outcome.hits <= best.hits, "{} {:?} {:?}", policy, outcome, best);
            prop_assert_eq!(outcome.requests, requests.len() as u64);
            let roomy = run(&trace, Plan::new(policy, Capacity::Entries(1000)));
            prop_assert_eq!(roomy.hits, again, "{} with room for all", policy);
        }
    }

    #[test]
    fn a_cache_in_bytes_never_answers_what_it_has_no_room_for(requests in requests(), capacity in 1..19_u64) {
        let trace = trace(&requests);
        for policy in PolicyName::ALL {
            let outcome = run(&trace, Plan::new(policy, Capacity::Bytes(capacity)));
            // Only a request behind one of its key that had room can be a hit.
            let mut fits = [false; 40];
            let possible = requests.iter().filter(|&&(key, size, _)| {
                std::mem::replace(&mut fits[key as usize], u64::from(size) <= capacity)
                    || fits[key as usize]
            });
            prop_assert!(outcome.hits <= possible.count() as u64, "{}", policy);
            prop_assert!(outcome.hit_bytes <= outcome.bytes);
        }
    }

    #[test]
    fn a_value_that_has_become_larger_than_all_is_not_kept(times in 1..5_usize, capacity in 1..9_u64) {
        let mut requests = vec![(1, capacity as u32, 0)];
        requests.extend(vec![(1, capacity as u32 + 1, 0); times + 1]);
        for policy in PolicyName::ALL {
            let outcome = run(&trace(&requests), Plan::new(policy, Capacity::Bytes(capacity)));
            prop_assert!(outcome.hits <= 1, "{} {:?}", policy, outcome);
        }
    }

    #[test]
    fn a_curve_of_all_keys_is_lru_at_every_capacity(requests in requests()) {
        let trace = trace(&requests);
        let mut curve = Curve::new(1.0);
        for &key in trace.keys() {
            curve.request(key, 1);
        }
        let capacities: Vec<u64> = (1..45).collect();
        for point in curve.points(&capacities) {
            let hits = plain_lru(&requests, point.capacity, false);
            let expected = hits as f64 / requests.len() as f64;
            prop_assert!((point.hit_ratio - expected).abs() < 1e-9, "{:?} {}", point, expected);
        }
    }

    #[test]
    fn a_value_is_a_hit_no_longer_than_its_ttl(requests in requests(), ttl in 1..20_u64) {
        let trace = trace(&requests);
        let plan = Plan { ttl: Some(ttl * 1000), ..Plan::new(PolicyName::Lru, Capacity::Entries(1000)) };
        let mut since = [None; 40];
        let mut hits = 0;
        for &(key, _, time) in &requests {
            let loaded = &mut since[key as usize];
            match *loaded {
                Some(at) if u64::from(time - at) < ttl => hits += 1,
                _ => *loaded = Some(time),
            }
        }
        prop_assert_eq!(run(&trace, plan).hits, hits);
    }

    #[test]
    fn several_nodes_hold_what_one_of_their_sum_holds_if_all_fits(requests in requests(), nodes in 1..6_usize) {
        let trace = trace(&requests);
        let one = run(&trace, Plan::new(PolicyName::Lru, Capacity::Entries(1000)));
        let nodes = NonZeroUsize::new(nodes).expect("at least one");
        let plan = |routing| Plan { nodes, routing, ..Plan::new(PolicyName::Lru, Capacity::Entries(1000)) };
        let routed = run(&trace, plan(Routing::Deterministic));
        let random = run(&trace, plan(Routing::Random));
        prop_assert_eq!(routed.hits, one.hits);
        prop_assert!(random.hits <= one.hits);
        prop_assert_eq!(random.requests, one.requests);
    }
}

#[test]
fn a_sampled_curve_tells_how_far_off_it_is() {
    // Keys by a power law, from a generator of Lehmer's kind.
    let mut state = 7_u64;
    let mut keys = Vec::new();
    for _ in 0..300_000 {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        let unit = (state >> 11) as f64 / (1_u64 << 53) as f64;
        keys.push((40_000_f64.powf(unit) - 1.0) as u32);
    }
    let capacities = [300, 1000, 3000, 10_000, 30_000];
    let points = |rate: f64| {
        let mut curve = Curve::new(rate);
        for &key in &keys {
            curve.request(key, 1);
        }
        curve.points(&capacities)
    };
    let exact = points(1.0);
    assert!(exact.iter().all(|point| point.error == 0.0));
    let far: Vec<f64> = points(0.1)
        .iter()
        .zip(&exact)
        .map(|(point, exact)| {
            assert!(point.error > 0.0 && point.error < 0.05, "{point:?}");
            (point.hit_ratio - exact.hit_ratio).abs() / point.error
        })
        .collect();
    assert!(far.iter().all(|&errors| errors < 4.0), "in standard errors: {far:?}");
}

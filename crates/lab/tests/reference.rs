//! Hit ratios of real traces beside those of an independent simulator, where the folder of traces is:
//! `BREAKWATER_TRACES` names it. LRU and the optimum agree within 0.05 points, S3-FIFO, ARC and SIEVE
//! within 1. Curves from a hundredth of the keys are 1 point off the whole ones at most, on average.

use breakwater_lab::trace::read;
use breakwater_lab::{Capacity, Curve, Format, Plan, PolicyName, Progress, Trace, simulate};
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// The column of each policy, and by how many points it may differ.
const COLUMNS: [(PolicyName, &str, f64); 5] = [
    (PolicyName::Lru, "lru", 0.05),
    (PolicyName::Optimum, "opt", 0.05),
    (PolicyName::S3Fifo, "s3-fifo", 1.0),
    (PolicyName::Arc, "arc", 1.0),
    (PolicyName::Sieve, "sieve", 1.0),
];

fn trace(folder: &Path, name: &str) -> Trace {
    let file = folder.join(format!("{name}.u32.gz"));
    read(&file, Format::U32, usize::MAX, &Progress::default()).expect("a trace of the folder")
}

/// The folder of traces, and the table of what another simulator says of them.
fn reference() -> Option<(PathBuf, String)> {
    let Some(folder) = std::env::var_os("BREAKWATER_TRACES").map(PathBuf::from) else {
        eprintln!("BREAKWATER_TRACES names no folder of traces: nothing was compared");
        return None;
    };
    let table = std::fs::read_to_string(folder.join("reference.tsv")).expect("reference.tsv");
    Some((folder, table))
}

#[test]
fn hit_ratios_are_those_of_an_independent_simulator() {
    let Some((folder, table)) = reference() else { return };
    let mut lines = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().expect("a head");
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut traces = HashMap::new();
    let mut worst: HashMap<PolicyName, f64> = HashMap::new();
    for row in lines {
        let trace = traces.entry(row[0]).or_insert_with_key(|name| trace(&folder, name));
        let capacity = Capacity::Entries(row[1].parse().expect("entries"));
        let plans = COLUMNS.map(|(policy, ..)| Plan::new(policy, capacity));
        let outcomes = simulate(trace, &plans, threads, &Progress::default()).expect("outcomes");
        for ((policy, column, _), outcome) in COLUMNS.iter().zip(outcomes) {
            let place = head.iter().position(|name| name == column).expect("a column");
            let expected: f64 = row[place].parse().expect("a ratio");
            let ours = outcome.hits as f64 / outcome.requests as f64 * 100.0;
            println!(
                "{:>12} {:>6} {policy:>8} {ours:6.2} {expected:6.2} {:+.2}",
                row[0],
                row[1],
                ours - expected
            );
            let worst = worst.entry(*policy).or_default();
            *worst = worst.max((ours - expected).abs());
        }
    }
    println!("worst: {worst:?}");
    for (policy, _, most) in COLUMNS {
        assert!(worst[&policy] <= most, "{policy} is {} points off", worst[&policy]);
    }
}

#[test]
fn a_curve_of_a_hundredth_of_the_keys_is_within_a_point_of_the_whole_one() {
    let Some((folder, table)) = reference() else { return };
    let mut names: Vec<&str> =
        table.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    names.dedup();
    let mut errors = Vec::new();
    for name in names {
        let trace = trace(&folder, name);
        let sizes: Vec<u64> = (1..=20).map(|step| trace.distinct() as u64 * step / 20).collect();
        let points = |rate: f64| {
            let mut curve = Curve::new(rate);
            for &key in trace.keys() {
                curve.request(key, 1);
            }
            curve.points(&sizes)
        };
        let off = points(0.01)
            .iter()
            .zip(points(1.0))
            .map(|(part, whole)| (part.hit_ratio - whole.hit_ratio).abs() * 100.0)
            .sum::<f64>()
            / sizes.len() as f64;
        println!("{name:>12} {:>8} keys: {off:.2} points", trace.distinct());
        errors.push(off);
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    println!("mean: {mean:.2} points");
    assert!(mean < 1.0, "{mean}");
}

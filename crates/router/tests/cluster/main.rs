//! A node in front of a Redis Cluster, without a socket: slots move, masters change, servers come and
//! go, know different things and lose connections, while clients work. Each client gets one reply to
//! each request, in order, and a right one; no write is done twice, or in another order than its client
//! made it, but where a server has refused the first of two and done the second, since their slot had
//! left it and come back; nothing waits for ever once the cluster is well.

mod client;
mod nodes;
#[path = "../wires/mod.rs"]
mod wires;
mod world;

use arbitrary::{Arbitrary, Unstructured};
use client::{Ask, keys};
use nodes::slot;
use proptest::collection::vec;
use proptest::prelude::*;
use world::{CLIENTS, Setup, Step, World};

/// Hash tags, of which each has two keys: each is in a slot of its own.
pub const TAGS: u8 = 6;

/// What these bytes mean: what is missing of them is 0.
fn of<T: for<'a> Arbitrary<'a>>(bytes: &[u8]) -> T {
    T::arbitrary(&mut Unstructured::new(bytes)).expect("whatever is missing is 0")
}

fn cases(most: usize) -> impl Strategy<Value = (Setup, Vec<Step>)> {
    let step = vec(any::<u8>(), 1..24).prop_map(|bytes| of(&bytes));
    (vec(any::<u8>(), 3).prop_map(|bytes| of(&bytes)), vec(step, 1..most))
}

fn config(cases: u32) -> ProptestConfig {
    let given = std::env::var("BREAKWATER_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(given.unwrap_or(cases))
    }
}

/// Everybody reads everything, and gets what is there.
fn read_all(world: &mut World) {
    for round in 0..2 {
        for at in 0..CLIENTS {
            let asks: Vec<Ask> =
                (0..TAGS).flat_map(|tag| [tag << 2, tag << 2 | 1]).map(Ask::Get).collect();
            world.clients[at].errors.clear();
            world.ask(at, &asks);
            world.settle();
            world.calm();
            assert!(world.clients[at].errors.is_empty(), "{round}: {:?}", world.clients[at].errors);
        }
    }
}

fn run(setup: Setup, steps: &[Step]) -> World {
    let mut world = World::new(setup);
    steps.iter().for_each(|step| world.take(step));
    world.calm();
    world
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn whatever_happens_to_the_cluster_replies_are_right((setup, steps) in cases(80)) {
        let mut world = run(setup, &steps);
        // What the node was told in the storm is old: it is to be well within a moment.
        world.pass(3_000);
        read_all(&mut world);
    }

    #[test]
    fn slots_that_move_and_masters_that_change_cost_no_reply((setup, steps) in cases(80)) {
        let steps: Vec<_> = steps.into_iter().filter(|step| !step.is_harmful()).collect();
        let mut world = World::new(setup);
        world.arrive();
        world.pass(200);
        steps.iter().for_each(|step| world.take(step));
        world.calm();
        for client in &world.clients {
            for error in &client.errors {
                // Some keys of a slot have left it and others have not, for longer than the node waits.
                prop_assert!(error.starts_with("-TRYAGAIN") || error.starts_with("-EXECABORT"), "{}", error);
            }
        }
    }
}

#[test]
fn what_was_read_of_a_slot_ends_when_it_moves_and_nothing_else_does() {
    for tag in 0..TAGS {
        let mut world = World::new(Setup { two: true, remembers: true, replicas: false });
        world.arrive();
        world.pass(200);
        read_all(&mut world);
        let before = world.cluster.reads.clone();
        read_all(&mut world);
        assert_eq!(world.cluster.reads, before, "all of it is remembered");
        // Nobody wrote its keys: only the map tells that it has moved.
        let moved = slot(&keys(tag << 2)[0]);
        world.cluster.begin_move(moved, 3);
        world.cluster.finish_move(moved);
        (0..nodes::NODES).for_each(|node| world.cluster.learn(node));
        world.pass(6_000);
        read_all(&mut world);
        for at in 0..TAGS {
            for key in keys(at << 2) {
                let times = world.cluster.reads[&key] - before[&key];
                assert_eq!(times, usize::from(at == tag), "{key}, when those of {tag} moved");
            }
        }
    }
}

#[test]
fn a_server_that_was_a_replica_and_is_one_again_answers_no_read_of_its_clients_own_writes() {
    use Ask::*;
    let steps = [
        Step::Ask(0, vec![Get(0)]),
        Step::Arrive,
        Step::FailOver(182),
        Step::Ask(214, vec![Transaction(211, false), MSet(99), Get(0), Get(0), Get(0)]),
        Step::Ask(73, vec![MSet(161), MSet(158), Set(0)]),
        Step::Pass(113),
        Step::Arrive,
        Step::FailOver(142),
    ];
    let mut world = run(Setup { two: false, remembers: false, replicas: false }, &steps);
    world.pass(3_000);
    read_all(&mut world);
}

/// The server refuses a write and does what was sent behind it, since its keys were away and are back.
#[test]
fn what_a_client_reads_behind_its_write_is_read_behind_it_wherever_that_went() {
    use Ask::*;
    let write_and_read = [
        Step::Ask(188, vec![Transaction(60, false), Transaction(80, false)]),
        Step::FailOver(14),
        Step::Ask(118, vec![Get(12), Transaction(0, false), Transaction(164, false)]),
        Step::Arrive,
        Step::Arrive,
        Step::Ask(87, vec![Get(0), Set(37)]),
        Step::Forward(84),
        Step::FailOver(74),
        Step::Ask(31, vec![Get(133)]),
    ];
    let with_replicas = [
        Step::Ask(18, vec![MGet(36), Set(92)]),
        Step::FailOver(0),
        Step::Ask(0, vec![Get(0)]),
        Step::Arrive,
        Step::Ask(90, vec![MGet(104)]),
        Step::FailOver(0),
        Step::Ask(0, vec![Get(0)]),
        Step::Ask(32, vec![MGet(52)]),
        Step::Arrive,
        Step::Ask(4, vec![Set(20)]),
        Step::Forward(193),
        Step::Ask(116, vec![Get(0), Get(212)]),
        Step::FailOver(32),
    ];
    for (replicas, steps) in [(false, write_and_read.as_slice()), (true, &with_replicas)] {
        let mut world = World::new(Setup { two: false, remembers: false, replicas });
        if !replicas {
            world.arrive();
            world.pass(200);
        }
        steps.iter().for_each(|step| world.take(step));
        world.calm();
        read_all(&mut world);
    }
}

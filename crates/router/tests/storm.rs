//! Sessions of the node in a storm, as the fuzzer has them, of bytes that are drawn by chance.

#[path = "storm/mod.rs"]
mod storm;

use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::*;
use storm::case::{Ask, Case, End, Kind, Memory, Setup, Step};
use storm::client::names;

/// What these bytes mean: what is missing of them is 0.
fn of<T: for<'a> Arbitrary<'a>>(bytes: &[u8]) -> T {
    T::arbitrary(&mut Unstructured::new(bytes)).expect("whatever is missing is 0")
}

/// Storms of up to so many steps. Each has bytes of its own, so that a failure loses those that do
/// not matter.
fn cases(most: usize) -> impl Strategy<Value = Case> {
    let step = vec(any::<u8>(), 1..100).prop_map(|bytes| of(&bytes));
    let setup = vec(any::<u8>(), 16).prop_map(|bytes| of(&bytes));
    (setup, vec(step, 1..most)).prop_map(|(setup, steps)| Case { setup, steps })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(
            std::env::var("BREAKWATER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
        )
    })]

    #[test]
    fn whatever_happens_everybody_is_served_and_gets_what_is_theirs(case in cases(80)) {
        storm::weather(&case);
    }
}

/// What a client does before it asks.
const MOODS: &[&[Ask]] =
    &[&[], &[Ask::Multi], &[Ask::Watch(0)], &[Ask::Watch(0), Ask::Multi], &[Ask::Track(true)]];

#[test]
fn no_number_of_words_of_any_command_trips_the_node() {
    let setup =
        Setup { honest: true, two: false, memory: Memory::On, end: End::Answers, retries: false };
    for which in 0..names().len() as u16 {
        for mood in MOODS {
            let steps = (0..7).flat_map(|count| {
                let asks = [mood, &[Ask::Any(which, count)][..]].concat();
                [Step::Leave(0), Step::Pipeline(0, asks), Step::Settle]
            });
            storm::weather(&Case { setup, steps: steps.collect() });
        }
    }
}

/// A store that answers what it is asked, and this in the end.
fn honest(end: End) -> Setup {
    Setup { honest: true, two: false, memory: Memory::On, end, retries: false }
}

fn ask(client: u8, asks: &[Ask]) -> Step {
    Step::Pipeline(client, asks.to_vec())
}

#[test]
fn a_command_that_waited_lets_none_behind_it_wait_without_end() {
    let watched = ask(0, &[Ask::Watch(0), Ask::Block(0)]);
    let steps = vec![watched, Step::Settle, Step::Settle, ask(0, &[Ask::Get(0), Ask::Exec])];
    storm::weather(&Case { setup: honest(End::Silent), steps });
}

#[test]
fn who_gives_up_a_subscription_is_answered_though_its_connection_is_lost() {
    let asks = [Ask::Subscribe(Kind::Channel, 0), Ask::Reset, Ask::Get(0)];
    let steps = vec![ask(0, &asks), Step::Open(0), Step::Forward(0), Step::Cut(0)];
    storm::weather(&Case { setup: honest(End::Answers), steps });
}

#[test]
fn clients_that_wait_for_other_kinds_of_connections_make_them_no_more() {
    // The storm's nodes have two connections for single clients.
    let mut steps = vec![ask(0, &[Ask::Watch(0)]), ask(1, &[Ask::Watch(0)])];
    steps.extend([2, 3, 4].map(|client| ask(client, &[Ask::Hello(true), Ask::Watch(0)])));
    steps.extend([Step::Settle, ask(0, &[Ask::Unwatch]), Step::Settle]);
    let most = storm::weather(&Case { setup: honest(End::Answers), steps });
    assert_eq!(most, 4, "one of each protocol for all, and two for single clients");
}

#[test]
fn what_waits_for_connections_one_after_the_other_waits_each_for_its_own_time() {
    // Two clients have the connections for single clients, and keep them.
    let taken = [ask(0, &[Ask::Watch(0)]), ask(1, &[Ask::Monitor]), Step::Settle];
    let news = [Ask::Subscribe(Kind::Channel, 0), Ask::Unsubscribe(Kind::Channel, 0)];
    let waits = (0..5).flat_map(|_| [&[Ask::Watch(0)][..], &news].concat()).collect();
    let steps = taken.into_iter().chain([Step::Pipeline(2, waits)]).collect();
    storm::weather(&Case { setup: honest(End::Answers), steps });
}

#[test]
fn a_connection_of_who_is_gone_is_given_to_one_client_at_a_time() {
    for last in [Ask::Caching, Ask::Unwatch, Ask::Block(0), Ask::Exec] {
        let begun = ask(0, &[Ask::Watch(0), Ask::Multi, last]);
        for begun in [ask(0, &[last]), begun] {
            let gone = [begun, Step::Leave(0), ask(0, &[Ask::Watch(1), Ask::Get(1)])];
            let steps = gone.into_iter().chain([Step::Settle, ask(1, &[Ask::Watch(2)])]);
            let steps = steps.chain([Step::Settle, ask(0, &[Ask::Get(1)])]).collect();
            storm::weather(&Case { setup: honest(End::Answers), steps });
        }
    }
}

#[test]
fn a_connection_that_refuses_to_forget_what_it_watches_is_not_given_on() {
    let watched = [ask(0, &[Ask::Watch(0)]), Step::Settle, Step::Error(0), Step::Error(1)];
    for end in [Step::Leave(0), ask(0, &[Ask::Unwatch]), ask(0, &[Ask::Multi, Ask::Discard])] {
        let steps = watched.clone().into_iter().chain([end, Step::Settle]);
        let next = [ask(1, &[Ask::Watch(1), Ask::Multi, Ask::Exec]), Step::Settle];
        let setup = honest(End::Answers);
        storm::weather(&Case { setup, steps: steps.chain(next).collect() });
    }
}

#[test]
fn a_connection_is_in_the_database_that_its_next_client_chose() {
    let choose = [Ask::Multi, Ask::Select(2), Ask::Exec];
    let read = [Ask::Watch(0), Ask::Get(0), Ask::Unwatch];
    for pause in [vec![], vec![Step::Open(0)], vec![Step::Open(0), Step::Open(0), Step::Forward(0)]]
    {
        let steps = [vec![ask(0, &choose)], pause, vec![Step::Leave(0), Step::Settle]].concat();
        let steps =
            [steps, vec![ask(1, &read), Step::Settle, ask(0, &read), Step::Settle]].concat();
        storm::weather(&Case { setup: honest(End::Answers), steps });
    }
}

#[test]
fn what_is_kept_of_a_transaction_does_not_hold_up_the_rest_of_it() {
    let subscribes = Ask::Subscribe(Kind::Channel, 0);
    let asks = [Ask::Multi, subscribes, Ask::Large(0, 8192), Ask::List, Ask::Exec, Ask::Ping];
    let steps = vec![ask(0, &asks), Step::Settle];
    storm::weather(&Case { setup: honest(End::Answers), steps });
}

#[test]
fn what_nobody_hears_any_more_is_ended_though_its_connection_was_lost_meanwhile() {
    let setup = Setup { two: true, ..honest(End::Answers) };
    let first = [Step::Ask(1, Ask::Hear), Step::Ask(2, Ask::Hear), Step::Settle];
    // Another one of the same thread asks while the connection that hears is cut.
    for other in [Ask::Subscribe(Kind::Channel, 0), Ask::Hear] {
        for cut in 0..3 {
            let steps = [&first[..], &[ask(0, &[other, Ask::Hear]), Step::Cut(cut)]].concat();
            storm::weather(&Case { setup, steps });
        }
    }
}

#[test]
fn what_is_lost_is_asked_again_in_its_own_database() {
    let setup = Setup { retries: true, ..honest(End::Answers) };
    let ready = [Ask::Set(0), Ask::Get(0), Ask::Select(2), Ask::GetRange(1)];
    for read in [Ask::Get(0), Ask::GetRange(0)] {
        for cut in 0..4 {
            let cuts = [Step::Ask(0, read), Step::Cut(cut), Step::Pass(500), Step::Settle];
            let steps = [&[ask(0, &ready), Step::Settle][..], &cuts].concat();
            storm::weather(&Case { setup, steps });
        }
    }
}

#[test]
fn a_pipeline_of_requests_that_block_is_answered_whole() {
    for two in [false, true] {
        let asks = (0..12).map(|_| Ask::Block(1)).chain([Ask::Get(0)]).collect();
        let setup = Setup { two, ..honest(End::Answers) };
        storm::weather(&Case { setup, steps: vec![Step::Pipeline(1, asks)] });
    }
}

/// What each needs a connection of its own, or waits for another one of its client.
const WAITERS: &[&[Ask]] = &[
    &[Ask::Wait],
    &[Ask::Block(0)],
    &[Ask::Watch(0), Ask::Multi, Ask::Get(0), Ask::Exec],
    &[Ask::Multi, Ask::Select(1), Ask::Exec],
    &[Ask::Wait, Ask::Set(0), Ask::Get(0), Ask::Watch(0)],
    &[Ask::Unknown(0), Ask::Wait, Ask::Script(0)],
    &[Ask::Hello(true), Ask::Set(0), Ask::Hello(false), Ask::Get(0)],
    &[Ask::Monitor],
];

#[test]
fn a_pipeline_at_a_store_that_is_silent_fails_at_once_and_not_one_after_the_other() {
    for asks in WAITERS {
        for (end, settles) in
            [(End::Silent, false), (End::Silent, true), (End::Gone, false), (End::Gone, true)]
        {
            let all: Vec<_> = asks.iter().copied().cycle().take(250).collect();
            let (all, later) = all.split_at(200);
            let others = (1..5).map(|client| ask(client, all));
            let first = if settles { vec![ask(0, &[Ask::Get(0)]), Step::Settle] } else { vec![] };
            let steps = first.into_iter().chain([ask(0, all)]).chain(others);
            let steps = steps.chain([Step::Pass(1_900), ask(0, later)]).collect();
            storm::weather(&Case { setup: honest(end), steps });
        }
    }
}

#[test]
fn what_ends_a_script_has_one_connection_more() {
    let kill = names().iter().position(|name| *name == "script|kill").expect("a command") as u16;
    let all = [Ask::Subscribe(Kind::Channel, 0), Ask::Reset, Ask::Monitor];
    let asks = [Step::Ask(1, Ask::Block(0)), Step::Ask(1, Ask::Any(kill, 0))];
    let others = [Step::Ask(0, Ask::Track(true)), ask(0, &all), Step::Settle];
    let kills = [Step::Ask(1, Ask::Any(kill, 0)), Step::Settle];
    let steps = asks.into_iter().chain(others).chain(kills).collect();
    let most = storm::weather(&Case { setup: honest(End::Answers), steps });
    assert_eq!(most, 6, "two for all, two for single clients, the one that hears, and that one");
}

#[test]
fn who_has_waited_long_enough_does_not_wait_for_a_connection_that_is_full() {
    // Its thread would wake it again and again, at the same time.
    let watches = [Ask::Watch(0), Ask::Multi, Ask::Get(0)];
    for last in [&[Ask::Unwatch][..], &watches] {
        for ms in [0, 1, 1_000] {
            let fill = ask(0, &[Ask::Set(0); 20]);
            let waits = [&[Ask::Set(0); 20], last, &[Ask::Set(0); 20]].concat();
            let later = ask(2, &[Ask::Set(0); 20]);
            let steps = vec![fill, ask(1, &waits), Step::Pass(ms), later];
            storm::weather(&Case { setup: honest(End::Silent), steps });
        }
    }
}

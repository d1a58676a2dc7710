//! Subscriptions of a process: one in the store for each channel, whatever its threads and the
//! network between them do.

use super::world;
use breakwater_resp::Protocol::{Resp2, Resp3};
use proptest::prelude::*;

const NEWS: &str = "$4\r\nnews\r\n";
const NEWS_CALM: &str = ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$4\r\ncalm\r\n";

fn message(channel: &str, text: &str) -> String {
    let (len, bytes) = (channel.len(), text.len());
    format!(">3\r\n$7\r\nmessage\r\n${len}\r\n{channel}\r\n${bytes}\r\n{text}\r\n")
}

#[test]
fn clients_of_all_threads_share_one_subscription_and_hear_in_the_order_of_the_store() {
    let mut world = world(3);
    let clients: Vec<_> = (0..9).map(|at| world.connect(at % 3, Resp3)).collect();
    for client in &clients {
        assert!(world.ask(*client, "SUBSCRIBE news sport").contains(NEWS));
        world.clients[*client].heard();
    }
    assert_eq!((world.server.subscribers("news"), world.server.subscribers("sport")), (1, 1));
    let mut expected = String::new();
    for at in 0..20 {
        let channel = if at % 3 == 0 { "sport" } else { "news" };
        world.server.publish(channel, &at.to_string());
        expected += &message(channel, &at.to_string());
    }
    world.settle();
    for client in &clients {
        assert_eq!(world.clients[*client].heard(), expected);
    }
    for client in &clients[..8] {
        world.leave(*client);
    }
    world.settle();
    assert_eq!(world.server.subscribers("news"), 1);
    world.ask(clients[8], "UNSUBSCRIBE");
    world.settle();
    assert_eq!((world.server.subscribers("news"), world.server.subscribers("sport")), (0, 0));
}

#[test]
fn when_the_thread_that_hears_ends_another_goes_on_and_nobody_misses_anything() {
    let mut world = world(3);
    let clients: Vec<_> = (0..3).map(|at| world.connect(at, Resp3)).collect();
    for client in &clients {
        world.ask(*client, "SUBSCRIBE news");
        world.clients[*client].heard();
    }
    // One more asks, and the thread ends before it is answered.
    let late = world.connect(1, Resp3);
    world.send(late, "SUBSCRIBE weather");
    // A message has reached the socket, another one half, and more follow before anybody takes over.
    world.server.publish("news", "first");
    world.server.publish("news", "second");
    world.back(world.open[0], 20);
    world.end_thread(0);
    world.server.publish("news", "third");
    world.settle();
    assert!(clients[1..].iter().all(|client| !world.clients[*client].ended));
    assert!(world.clients[late].heard().contains("weather"));
    world.server.publish("news", "fourth");
    world.server.publish("weather", "calm");
    world.settle();
    for client in &clients[1..] {
        let expected = ["first", "second", "third", "fourth"].map(|text| message("news", text));
        assert_eq!(world.clients[*client].heard(), expected.concat());
    }
    assert_eq!(world.clients[late].heard(), message("weather", "calm"));
    assert_eq!((world.server.subscribers("news"), world.server.subscribers("weather")), (1, 1));

    // As the last one ends, its subscriptions do as well.
    world.end_thread(1);
    world.settle();
    assert_eq!((world.server.subscribers("news"), world.server.subscribers("weather")), (1, 0));
    world.end_thread(2);
    world.settle();
    assert_eq!(world.server.subscribers("news"), 0);
}

#[test]
fn when_the_heir_ends_before_it_takes_over_those_of_others_are_cut_and_can_subscribe_again() {
    let mut world = world(3);
    let clients: Vec<_> = (0..3).map(|at| world.connect(at, Resp3)).collect();
    for client in &clients {
        world.ask(*client, "SUBSCRIBE news");
    }
    world.end_thread(0);
    world.end_thread(1);
    world.settle();
    assert!(world.clients[clients[2]].ended);
    assert_eq!(world.server.subscribers("news"), 0);
    let again = world.connect(2, Resp3);
    assert!(world.ask(again, "SUBSCRIBE news").contains(NEWS));
}

#[test]
fn after_a_panic_of_the_thread_that_hears_those_of_others_are_cut_and_the_next_hears_for_all() {
    let mut world = world(2);
    let clients: Vec<_> = (0..2).map(|at| world.connect(at, Resp3)).collect();
    for client in &clients {
        world.ask(*client, "SUBSCRIBE news");
    }
    let letters = world.relays[0].break_off();
    assert!(letters.iter().all(|letter| letter.connections().is_empty()));
    world.letters.extend(letters);
    world.end_thread(0);
    world.settle();
    assert!(world.clients[clients[1]].ended);
    let again = world.connect(1, Resp3);
    assert!(world.ask(again, "SUBSCRIBE news").contains(NEWS));
    world.server.publish("news", "calm");
    world.settle();
    assert_eq!(world.clients[again].heard(), NEWS_CALM);
}

#[test]
fn a_letter_to_a_thread_that_has_just_ended_is_answered_by_its_end() {
    let mut world = world(2);
    let first = world.connect(0, Resp3);
    world.ask(first, "SUBSCRIBE news");
    let letters = world.relays[0].leave();
    let late = world.connect(1, Resp3);
    // Whichever of the two it meets: the thread that ended is nobody's ear any more.
    assert!(world.ask(late, "SUBSCRIBE news").contains(NEWS));
    letters.into_iter().for_each(|letter| world.letters.push(letter));
    world.settle();
    assert_eq!(world.server.subscribers("news"), 2, "the socket of the other is not closed yet");
}

#[test]
fn who_subscribes_is_cut_when_the_connection_is_lost_and_can_subscribe_again() {
    let mut world = world(2);
    let clients: Vec<_> = (0..2).map(|at| world.connect(at, Resp2)).collect();
    for client in &clients {
        world.ask(*client, "SUBSCRIBE news");
    }
    assert_eq!(world.open.len(), 1);
    world.cut(0);
    world.settle();
    assert!(clients.iter().all(|client| world.clients[*client].ended));
    let again = world.connect(1, Resp2);
    assert!(world.ask(again, "SUBSCRIBE news").contains(NEWS));
    world.server.publish("news", "calm");
    world.settle();
    assert_eq!(world.clients[again].heard(), message("news", "calm").replace('>', "*"));
}

#[test]
fn what_the_store_refuses_is_refused_to_who_asks_and_to_nobody_else() {
    let mut world = world(2);
    world.server.closed.insert("secret".into());
    let (fine, curious) = (world.connect(0, Resp3), world.connect(1, Resp3));
    world.ask(fine, "SUBSCRIBE news");
    assert_eq!(world.ask(curious, "SUBSCRIBE news secret"), "-NOPERM no such channel\r\n");
    assert_eq!(world.ask(curious, "PING"), "+PONG\r\n");
    // It has none: the next is its first.
    assert!(world.ask(curious, "SUBSCRIBE news").ends_with(":1\r\n"));
    world.server.publish("news", "calm");
    world.settle();
    for client in [fine, curious] {
        assert_eq!(world.clients[client].heard(), message("news", "calm"));
        assert!(!world.clients[client].ended);
    }
}

#[test]
fn a_thread_that_does_not_keep_up_loses_its_subscribers_and_holds_up_nobody() {
    let mut world = world(2);
    let (quick, slow) = (world.connect(0, Resp3), world.connect(1, Resp3));
    world.ask(quick, "SUBSCRIBE news");
    world.ask(slow, "SUBSCRIBE news");
    let text = "x".repeat(1 << 20);
    let line = world.open[0];
    for _ in 0..40 {
        world.server.publish("news", &text);
        world.back(line, usize::MAX);
        assert!(world.clients[quick].heard().contains("message"));
    }
    // 32 MiB may be on their way, and what goes beyond.
    assert!((32..36).contains(&world.letters.len()), "{}", world.letters.len());
    world.settle();
    assert!(world.clients[slow].ended && !world.clients[quick].ended);
    let again = world.connect(1, Resp3);
    world.ask(again, "SUBSCRIBE news");
    world.server.publish("news", "calm");
    world.settle();
    assert_eq!(world.clients[again].heard(), message("news", "calm"));
}

#[derive(Clone, Debug)]
enum Act {
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    Publish(usize),
    Open,
    Forward(usize),
    Back(usize, usize),
    Post,
    Cut,
    EndThread,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..6usize, 0..3usize).prop_map(|(client, channel)| Act::Subscribe(client, channel)),
        2 => (0..6usize, 0..3usize).prop_map(|(client, channel)| Act::Unsubscribe(client, channel)),
        6 => (0..3usize).prop_map(Act::Publish),
        3 => Just(Act::Open),
        6 => any::<usize>().prop_map(Act::Forward),
        6 => (any::<usize>(), 1..200usize).prop_map(|(line, count)| Act::Back(line, count)),
        6 => Just(Act::Post),
        1 => Just(Act::Cut),
        1 => Just(Act::EndThread),
    ]
}

/// The numbers of the messages that a client has heard, in their order.
fn numbers(heard: &str) -> Vec<u32> {
    let words: Vec<_> = heard.split("\r\n").collect();
    let at = words.iter().enumerate().filter(|(_, word)| **word == "message");
    at.map(|(at, _)| words[at + 4].parse().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Messages come in the order of the store, none twice, and none is missing between the
    /// confirmation of a subscription and its end, unless the client is cut.
    #[test]
    fn messages_come_whole_and_in_order(acts in prop::collection::vec(act(), 1..200)) {
        const CHANNELS: [&str; 3] = ["a", "b", "c"];
        let mut world = world(3);
        (0..6).for_each(|at| assert_eq!(world.connect(at % 3, Resp3), at));
        let (mut published, mut ended_threads) = (vec![], 0);
        for act in acts {
            let gone = |at: usize| at % 3 < ended_threads;
            match act {
                Act::Subscribe(at, channel) if !gone(at) && !world.clients[at].ended => {
                    world.send(at, &format!("SUBSCRIBE {}", CHANNELS[channel]));
                }
                Act::Unsubscribe(at, channel) if !gone(at) && !world.clients[at].ended => {
                    world.send(at, &format!("UNSUBSCRIBE {}", CHANNELS[channel]));
                }
                Act::Publish(channel) => {
                    world.server.publish(CHANNELS[channel], &published.len().to_string());
                    published.push(channel);
                }
                Act::Open => world.open(0),
                Act::Forward(line) => world.forward_some(line),
                Act::Back(line, count) => world.back_some(line, count),
                Act::Post => world.post(),
                Act::Cut => world.cut(0),
                Act::EndThread if ended_threads < 2 => {
                    world.end_thread(ended_threads);
                    ended_threads += 1;
                }
                _ => {}
            }
        }
        world.settle();
        // Who is left hears all that is published from now on.
        let from = published.len();
        for at in ended_threads..6 {
            if at % 3 >= ended_threads && !world.clients[at].ended {
                world.send(at, "SUBSCRIBE a");
            }
        }
        world.settle();
        for number in from..from + 5 {
            world.server.publish("a", &number.to_string());
        }
        world.settle();
        prop_assert!(world.server.subscribers("a") <= 1);
        for at in ended_threads..6 {
            if at % 3 < ended_threads || world.clients[at].ended {
                continue;
            }
            let heard = numbers(&world.clients[at].heard());
            prop_assert!(heard.windows(2).all(|two| two[0] < two[1]), "{:?}", heard);
            let last: Vec<_> = (from as u32..from as u32 + 5).collect();
            prop_assert!(heard.ends_with(&last), "{:?} of {:?}", heard, last);
        }
    }

    /// Whatever threads end, one behind the other: who is of another one hears all that is published
    /// once it has subscribed.
    #[test]
    fn nobody_misses_a_message_when_threads_end(acts in prop::collection::vec(act(), 1..200)) {
        const THREADS: usize = 4;
        let mut world = world(THREADS);
        (0..THREADS).for_each(|at| assert_eq!(world.connect(at, Resp3), at));
        for client in 0..THREADS {
            world.ask(client, "SUBSCRIBE a");
            world.clients[client].heard();
        }
        let (mut published, mut over) = (0, 0);
        for act in acts {
            match act {
                // Others come and go.
                Act::Subscribe(at, channel) if at % THREADS >= over => {
                    world.send(at % THREADS, &format!("SUBSCRIBE {}", ["b", "c", "d"][channel]));
                }
                Act::Unsubscribe(at, channel) if at % THREADS >= over => {
                    world.send(at % THREADS, &format!("UNSUBSCRIBE {}", ["b", "c", "d"][channel]));
                }
                Act::Publish(_) => {
                    world.server.publish("a", &published.to_string());
                    published += 1;
                }
                Act::Open => world.open(0),
                Act::Forward(line) => world.forward_some(line),
                Act::Back(line, count) => world.back_some(line, count),
                Act::Post => world.post(),
                // One that ends before it has taken over takes nothing over: that is told.
                Act::EndThread if over < THREADS - 1 => {
                    while !world.letters.is_empty() {
                        world.post();
                    }
                    world.end_thread(over);
                    over += 1;
                }
                _ => {}
            }
        }
        world.settle();
        let expected: Vec<_> = (0..published).collect();
        for client in over..THREADS {
            prop_assert!(!world.clients[client].ended);
            prop_assert_eq!(numbers(&world.clients[client].heard()), expected.clone());
        }
        prop_assert_eq!(world.server.subscribers("a"), 1);
    }
}

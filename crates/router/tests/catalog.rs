//! The table of commands against a server: what it says of each, and where it finds the keys of
//! thousands of random commands.

mod redis;

use breakwater_resp::{Parsed, Reply, RequestParser, write_request};
use breakwater_router::Permissions;
use breakwater_router::catalog::{Class, Effect, Known, find, known, learn};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use redis::Redis;
use std::collections::HashSet;

fn text_of(text: &'static str) -> Reply<'static> {
    Reply::Bulk(text.as_bytes().into())
}

/// A command as the server describes it.
struct Told {
    name: String,
    arity: i64,
    flags: HashSet<String>,
}

fn text(reply: &Reply<'_>) -> String {
    String::from_utf8_lossy(reply.text().unwrap()).into_owned()
}

fn parts<'a>(reply: &'a Reply<'_>) -> &'a [Reply<'a>] {
    match reply {
        Reply::Array(parts) | Reply::Set(parts) => parts,
        other => panic!("{other:?}"),
    }
}

fn describe(reply: &Reply<'_>, all: &mut Vec<Told>) {
    let fields = parts(reply);
    let Reply::Integer(arity) = fields[1] else { panic!("{fields:?}") };
    let flags = parts(&fields[2]).iter().map(text).collect();
    all.push(Told { name: text(&fields[0]), arity, flags });
    parts(&fields[9]).iter().for_each(|part| describe(part, all));
}

/// All that the server knows.
fn told(redis: &mut Redis) -> Vec<Told> {
    let mut all = vec![];
    let reply = redis.ask(&["COMMAND"]);
    parts(&Reply::decode(&reply).unwrap()).iter().for_each(|each| describe(each, &mut all));
    // Each run tries the same commands.
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn row(name: &str) -> Option<&'static Known> {
    known().find(|known| known.name == name)
}

#[test]
fn no_command_has_two_rows_and_each_is_found_by_its_words() {
    let mut names = HashSet::new();
    for known in known() {
        assert!(names.insert(&*known.name), "{}", known.name);
        let words: Vec<String> = known.name.split('|').map(str::to_uppercase).collect();
        with_args(&words, |args| assert_eq!(find(args).unwrap().name, known.name));
        assert!(!known.cacheable || known.class == Class::Read, "{}", known.name);
    }
    with_args(&["get|set".into()], |args| assert!(find(args).is_none()));
    with_args(&["xgroup".into(), "nosuch".into()], |args| {
        assert_eq!(find(args).unwrap().name, "xgroup");
    });
}

#[test]
fn it_says_of_every_command_what_a_server_says() {
    let Some(mut redis) = Redis::start() else { return };
    let all = told(&mut redis);
    assert!(all.len() > 300);
    for Told { name, arity, flags } in all {
        let Some(known) = row(&name) else { panic!("{name} has no row") };
        let wider = known.arity < 0 && i64::from(-known.arity) <= arity.abs();
        assert!(i64::from(known.arity) == arity || wider, "{name}: {} {arity}", known.arity);
        let has = |flag: &str| flags.contains(flag);
        let class = known.class;
        if matches!(class, Class::Refused(_)) {
            continue;
        }
        if has("write") {
            assert!(!matches!(class, Class::Read | Class::Local), "{name} writes");
            let needed = Permissions::WRITE | Permissions::ADMIN;
            assert!(known.permissions.intersects(needed), "{name} writes");
        }
        if has("readonly") {
            let reads = matches!(class, Class::Read | Class::MayBlock | Class::Other);
            assert!(reads && !known.permissions.is_empty(), "{name} reads");
        }
        if has("blocking") {
            assert!(matches!(class, Class::Blocks | Class::MayBlock | Class::Waits), "{name}");
        }
        if has("admin") {
            let admin = known.permissions.contains(Permissions::ADMIN);
            assert!(admin || class == Class::Local, "{name} is for administrators");
        }
        if has("pubsub") {
            let publishes = name.ends_with("publish") || name.starts_with("pubsub");
            assert_eq!(class == Class::Subscribes, !publishes, "{name}");
        }
    }
}

#[test]
fn what_it_learns_of_a_server_is_never_less_than_what_it_knows() {
    let Some(mut redis) = Redis::start() else { return };
    let mut exact = 0;
    for protocol in ["2", "3"] {
        redis.ask(&["HELLO", protocol]);
        let reply = redis.ask(&["COMMAND"]);
        for told in parts(&Reply::decode(&reply).unwrap()) {
            let learned = learn(told).unwrap();
            let known = row(&learned.name).unwrap();
            assert_eq!(learned.arity.abs().min(known.arity.abs()), known.arity.abs());
            if learned.class == Class::Read || known.class != Class::Write {
                let reads = matches!(known.class, Class::Read | Class::MayBlock);
                assert!(reads || learned.class != Class::Read, "{}", known.name);
                continue;
            }
            let words = ["a", "b", "2", "d", "e", "f", "g", "h"].map(str::to_owned);
            let words = [vec![known.name.to_string()], words.to_vec()].concat();
            with_args(&words, |args| match (learned.effect(args), known.effect(args)) {
                (Effect::Everything, _) => {}
                (Effect::Keys(learned), Effect::Keys(known)) => {
                    assert!(known.iter().all(|key| learned.contains(key)), "{words:?}");
                    exact += 1;
                }
                (learned, known) => assert_eq!(known, Effect::Nothing, "{words:?} {learned:?}"),
            });
        }
        let nothing = redis.ask(&["COMMAND", "INFO", "nosuch"]);
        assert!(learn(&parts(&Reply::decode(&nothing).unwrap())[0]).is_none());
    }
    assert!(exact > 100);
}

#[test]
fn no_number_of_words_trips_a_command() {
    for known in known() {
        for count in 0..12 {
            for word in ["", "1", "-9223372036854775808", "STREAMS", "KEYS", "STORE"] {
                let words: Vec<String> = known.name.split('|').map(str::to_owned).collect();
                let words = [words, vec![word.to_owned(); count]].concat();
                let all = 1..=words.len();
                all.for_each(|some| {
                    with_args(&words[..some], |args| {
                        let mut places = known.key_places(args);
                        if let Effect::Keys(changed) = known.effect(args) {
                            places.extend(changed);
                        }
                        known.blocks(args);
                        assert!(places.iter().all(|at| *at < some), "{words:?} {some}");
                    });
                });
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_numbers_a_server_says_of_a_command_its_keys_are_words_of_it(
        numbers in prop::collection::vec(
            prop_oneof![-3i64..9, any::<i64>(), Just(i64::MAX), Just(i64::MIN)], 7
        ),
        old in any::<bool>(),
        counted in any::<bool>(),
        count in 1usize..7,
    ) {
        let n = |at: usize| Reply::Integer(numbers[at]);
        let pairs = |pairs: Vec<(&'static str, Reply<'static>)>| {
            Reply::Array(pairs.into_iter().flat_map(|(name, of)| [text_of(name), of]).collect())
        };
        let find = match counted {
            true => pairs(vec![("keynumidx", n(4)), ("firstkey", n(5)), ("keystep", n(6))]),
            false => pairs(vec![("lastkey", n(4)), ("keystep", n(5)), ("limit", Reply::Integer(0))]),
        };
        let kind = |name: &'static str, spec| pairs(vec![("type", text_of(name)), ("spec", spec)]);
        let begin = kind("index", pairs(vec![("index", n(3))]));
        let find = kind(if counted { "keynum" } else { "range" }, find);
        let spec = pairs(vec![("begin_search", begin), ("find_keys", find)]);
        let mut fields = vec![
            text_of("strange"), Reply::Integer(-1), Reply::Array(vec![]), n(0), n(1), n(2),
            Reply::Array(vec![]),
        ];
        if !old {
            fields.extend([Reply::Array(vec![]), Reply::Array(vec![spec])]);
        }
        if let Some(known) = learn(&Reply::Array(fields)) {
            with_args(&vec!["2".to_owned(); count], |args| {
                assert!(known.key_places(args).iter().all(|at| *at < count));
            });
        }
    }
}

/// Words of which some are options with keys behind them, and counts.
fn word() -> impl Strategy<Value = String> {
    const OPTIONS: &[&str] = &[
        "STORE",
        "store",
        "STOREDIST",
        "STREAMS",
        "BLOCK",
        "COUNT",
        "GROUP",
        "NOACK",
        "KEYS",
        "BY",
        "GET",
        "LIMIT",
        "AUTH",
        "AUTH2",
        "COPY",
        "WEIGHTS",
        "",
    ];
    prop_oneof![
        4 => "[a-d]{1,2}",
        3 => (0..5u8).prop_map(|count| count.to_string()),
        2 => prop::sample::select(OPTIONS).prop_map(str::to_owned),
    ]
}

#[test]
fn it_finds_the_keys_that_a_server_finds() {
    let Some(mut redis) = Redis::start() else { return };
    let mut runner = TestRunner::deterministic();
    let (mut compared, mut found) = (0, 0);
    for Told { name, arity, flags } in told(&mut redis) {
        // Publishing and subscribing has channels, not keys.
        if flags.contains("pubsub") || flags.contains("admin") {
            continue;
        }
        let mut names: Vec<String> = name.split('|').map(str::to_owned).collect();
        if name == "xreadgroup" {
            // The server looks for streams behind these, whatever they are.
            names.extend(["GROUP", "g", "me"].map(str::to_owned));
        }
        let least = (arity.unsigned_abs() as usize).max(names.len()) - names.len();
        let most = if arity < 0 { least + 9 } else { least };
        let rest = prop::collection::vec(word(), least..=most);
        for _ in 0..60 {
            let rest = rest.new_tree(&mut runner).unwrap().current();
            let stores = |word: &&String| word.to_lowercase().starts_with("store");
            if name.starts_with("georadius") && rest.iter().filter(stores).count() > 1 {
                // The server names them all, and stores in one.
                continue;
            }
            // What an option takes can be named as another one: we know, the server does not look.
            let takes = ["BLOCK", "COUNT", "GROUP", "AUTH", "AUTH2"];
            let looks = name.starts_with("xread") || name == "migrate";
            if looks && rest.iter().any(|word| takes.contains(&&**word)) {
                continue;
            }
            let words = [names.clone(), rest].concat();
            let question = [vec!["COMMAND".to_owned(), "GETKEYS".to_owned()], words.clone()];
            let reply = redis.ask(&question.concat());
            let mut ours = vec![];
            with_args(&words, |args| {
                let known = find(args).unwrap();
                assert!(known.name.starts_with(&name), "{words:?}");
                ours.extend(known.key_places(args).into_iter().map(|at| words[at].clone()));
            });
            match Reply::decode(&reply).unwrap() {
                Reply::Array(theirs) => {
                    let mut theirs: Vec<_> = theirs.iter().map(text).collect();
                    if name == "migrate" {
                        // An empty one says that the keys stand elsewhere.
                        theirs.retain(|key| !key.is_empty());
                    }
                    theirs.sort();
                    ours.sort();
                    assert_eq!(ours, theirs, "{words:?}");
                    found += ours.len();
                }
                Reply::Error(error) if error.starts_with(b"ERR The command has no key") => {
                    assert!(ours.is_empty(), "{words:?}");
                }
                // What it cannot read it does not do either.
                Reply::Error(_) => continue,
                other => panic!("{other:?}"),
            }
            compared += 1;
        }
    }
    assert!(compared > 5_000 && found > 5_000, "{compared} {found}");
}

fn with_args(words: &[String], test: impl FnOnce(breakwater_resp::Args<'_>)) {
    let mut bytes = vec![];
    write_request(&mut bytes, words);
    let mut parser = RequestParser::default();
    assert_eq!(parser.parse(&bytes, true), Parsed::Command(bytes.len()));
    test(parser.args(&bytes));
}

//! Sessions and the hooks of their node: what waits for a hook, what does not, and what becomes of a
//! question whose client does something else.

use super::world::{START, World};
use breakwater_resp::Protocol::{Resp2, Resp3};
use breakwater_router::{
    ClientId, HookCaller, HookedCommand, Hooks, Interest, Mode, Route, Routes, Rules, Ruling,
};
use std::cell::RefCell;
use std::rc::Rc;

/// A question, and the number of it.
type Question = (String, ClientId, u64);

/// Hooks that note what they are asked, and say what they are told to say of it.
struct Noting {
    hooks: Hooks,
    asked: Rc<RefCell<Vec<Question>>>,
    says: fn(&str) -> Option<Ruling>,
}

impl Noting {
    fn say(&self, what: String, client: ClientId, number: u64) -> Option<Ruling> {
        let says = (self.says)(&what);
        self.asked.borrow_mut().push((what, client, number));
        says
    }
}

impl HookCaller for Noting {
    fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    fn ask(&mut self, command: &HookedCommand<'_>) -> Option<Ruling> {
        let key =
            command.keys.first().map(|place| String::from_utf8_lossy(command.args.word(*place)));
        let what = [command.name, key.as_deref().unwrap_or("")].join(" ");
        self.say(what.trim().into(), command.client, command.number)
    }

    fn greet(&mut self, client: ClientId, number: u64) -> Option<Ruling> {
        self.say("greet".into(), client, number)
    }

    fn route(&mut self, client: ClientId, number: u64, key: &[u8]) -> Option<Ruling> {
        self.say(format!("route {}", String::from_utf8_lossy(key)), client, number)
    }
}

/// A world with hooks that are asked about commands with a key that begins with `asks`.
fn with_commands(says: fn(&str) -> Option<Ruling>) -> (World, Rc<RefCell<Vec<Question>>>) {
    let interest = Interest { commands: vec![], prefixes: vec![b"asks".to_vec()] };
    put(World::new(1, Routes::default()), Hooks::new(vec![interest], false), says)
}

/// A world whose keys that begin with `chosen` have the routes that a hook says.
fn with_routes(says: fn(&str) -> Option<Ruling>) -> (World, Rc<RefCell<Vec<Question>>>) {
    let off = Route { prefix: b"off:".to_vec(), mode: Mode::Off, ..Route::default() };
    let short =
        Route { prefix: b"short:".to_vec(), ttl: Some(10), jitter: 0.0, ..Route::default() };
    let hooks = Hooks::new(vec![], false).choosing(vec![b"chosen".to_vec()]);
    put(World::new(1, Routes::new(vec![off, short])), hooks, says)
}

fn put(
    mut world: World,
    hooks: Hooks,
    says: fn(&str) -> Option<Ruling>,
) -> (World, Rc<RefCell<Vec<Question>>>) {
    let asked = Rc::new(RefCell::new(vec![]));
    world.router.choose_routes(hooks.routes());
    world.hooks = Some(Box::new(Noting { hooks, asked: asked.clone(), says }));
    (world, asked)
}

fn whats(asked: &RefCell<Vec<Question>>) -> Vec<String> {
    asked.borrow().iter().map(|(what, ..)| what.clone()).collect()
}

fn route(prefix: &str) -> Option<Ruling> {
    Some(Ruling::Route(Some(prefix.into())))
}

fn reads(world: &World) -> usize {
    world.server.runs.get("get").copied().unwrap_or(0)
}

#[test]
fn a_client_waits_for_its_hook_in_its_order_and_nobody_else_does() {
    let (mut world, asked) = with_commands(|_| None);
    let (one, other) = (world.connect(0, Resp2), world.connect(0, Resp2));
    world.server.set("before", Some("b"), None);
    world.server.set("asks", Some("a"), None);
    world.send(one, "GET before\r\nGET asks\r\nGET behind\r\nPING");
    world.settle();
    assert_eq!(world.clients[one].heard(), "$1\r\nb\r\n", "what came before it has its reply");
    assert_eq!(world.ask(other, "GET behind"), "$-1\r\n", "others go on");
    assert_eq!(whats(&asked), ["get asks"]);
    let number = asked.borrow()[0].2;
    assert!(!world.answer(one, number + 1, Ruling::Go), "nobody waits for another answer");
    assert!(world.answer(one, number, Ruling::Go));
    world.settle();
    assert_eq!(world.clients[one].heard(), "$1\r\na\r\n$-1\r\n+PONG\r\n");
    assert!(!world.answer(one, number, Ruling::Go), "it has been answered");
    assert_eq!(whats(&asked), ["get asks"], "it is asked once");
}

#[test]
fn an_answer_that_comes_when_its_client_was_killed_does_nothing() {
    let (mut world, asked) = with_commands(|_| None);
    let (one, other) = (world.connect(0, Resp2), world.connect(0, Resp2));
    world.send(one, "SET asks new\r\nSET behind new");
    let (_, client, number) = asked.borrow()[0].clone();
    world.send(other, &format!("CLIENT KILL ID {client}"));
    world.settle();
    assert_eq!(world.clients[other].heard(), ":1\r\n");
    world.answer(one, number, Ruling::Go);
    world.settle();
    assert!(world.clients[one].ended, "it is gone");
    assert_eq!(world.server.runs.get("set"), None, "nothing of it was done");
    assert_eq!(world.ask(other, "GET behind"), "$-1\r\n");
}

#[test]
fn what_a_hook_waits_on_in_a_transaction_is_queued_or_ends_it() {
    let (mut world, asked) = with_commands(|_| None);
    let one = world.connect(0, Resp2);
    for (said, reply) in [
        (Ruling::Go, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\n1\r\n+OK\r\n"),
        (
            Ruling::Refuse(b"NOPERM no".to_vec()),
            "+OK\r\n+QUEUED\r\n-NOPERM no\r\n-EXECABORT Transaction discarded because of previous \
             errors.\r\n",
        ),
    ] {
        world.server.set("k", Some("1"), None);
        world.send(one, "MULTI\r\nGET k\r\nSET asks 2\r\nEXEC");
        world.settle();
        let (.., number) = asked.borrow().last().unwrap().clone();
        world.answer(one, number, said);
        world.settle();
        assert_eq!(world.clients[one].heard(), reply);
    }
}

#[test]
fn a_reset_behind_a_question_is_done_after_its_answer() {
    let (mut world, asked) = with_commands(|_| None);
    let one = world.connect(0, Resp3);
    world.send(one, "MULTI\r\nSET asks 2\r\nRESET\r\nGET asks:2");
    world.settle();
    assert_eq!(world.clients[one].heard(), "+OK\r\n");
    let number = asked.borrow()[0].2;
    world.answer(one, number, Ruling::Go);
    world.settle();
    assert_eq!(world.clients[one].heard(), "+QUEUED\r\n+RESET\r\n");
    assert_eq!(whats(&asked), ["set asks", "get asks:2"], "the client goes on as a new one");
    let number = asked.borrow()[1].2;
    world.answer(one, number, Ruling::Go);
    world.settle();
    assert_eq!(world.clients[one].heard(), "$-1\r\n", "by the protocol of a new one");
    assert_eq!(world.server.runs.get("set"), None);
}

#[test]
fn a_key_has_the_route_that_a_hook_has_chosen_and_is_asked_about_once() {
    let (mut world, asked) = with_routes(|what| match what {
        "route chosen:off" => route("off:"),
        "route chosen:short" => route("short:"),
        _ => Some(Ruling::Route(None)),
    });
    let one = world.connect(0, Resp2);
    for key in ["chosen:off", "chosen:short", "chosen:usual", "free"] {
        world.server.set(key, Some("v"), None);
        for _ in 0..3 {
            assert_eq!(world.ask(one, &format!("GET {key}")), "$1\r\nv\r\n");
        }
    }
    assert_eq!(reads(&world), 3 + 1 + 1 + 1);
    assert_eq!(whats(&asked), ["route chosen:off", "route chosen:short", "route chosen:usual"]);
    assert_eq!(world.router.known_key(b"chosen:off").route, "off:*");
    world.clock.advance(11);
    world.ask(one, "GET chosen:short");
    world.ask(one, "GET chosen:usual");
    assert_eq!(reads(&world), 7, "the one has ended, the other has not");
    // A change of it is heard of, whatever its route.
    world.ask(one, "SET chosen:usual w");
    assert_eq!(world.ask(one, "GET chosen:usual"), "$1\r\nw\r\n");
    assert_eq!(asked.borrow().len(), 3, "writes have no routes");
}

#[test]
fn a_read_of_several_keys_is_asked_about_each_once() {
    let (mut world, asked) = with_routes(|what| match what {
        "route chosen:off" => route("off:"),
        _ => Some(Ruling::Route(None)),
    });
    let one = world.connect(0, Resp2);
    for _ in 0..2 {
        assert_eq!(world.ask(one, "MGET chosen:1 free chosen:2"), "*3\r\n$-1\r\n$-1\r\n$-1\r\n");
    }
    assert_eq!(whats(&asked), ["route chosen:1", "route chosen:2"]);
    // A transaction is not asked about: nothing of it is remembered.
    world.send(one, "MULTI\r\nGET chosen:3\r\nEXEC");
    world.settle();
    assert_eq!(asked.borrow().len(), 2);
}

#[test]
fn a_hook_that_chooses_later_holds_up_its_client_alone() {
    let (mut world, asked) = with_routes(|_| None);
    let (one, other) = (world.connect(0, Resp2), world.connect(0, Resp2));
    world.send(one, "MGET chosen:1 chosen:2\r\nPING");
    assert_eq!(world.ask(other, "GET free"), "$-1\r\n");
    for at in 0..2 {
        assert_eq!(asked.borrow().len(), at + 1);
        let number = asked.borrow()[at].2;
        assert!(world.answer(one, number, Ruling::Route(Some(b"off:".to_vec()))));
    }
    world.settle();
    assert_eq!(world.clients[one].heard(), "*2\r\n$-1\r\n$-1\r\n+PONG\r\n");
    assert_eq!(world.ask(other, "GET chosen:1"), "$-1\r\n", "and is known to all");
    assert_eq!(asked.borrow().len(), 2);
}

#[test]
fn a_hook_that_chooses_no_route_costs_the_command() {
    let (mut world, asked) = with_routes(|what| match what {
        "route chosen:none" => route("none:"),
        "route chosen:late" => Some(Ruling::Late(b"ERR late".to_vec())),
        _ => Some(Ruling::Fail(b"ERR failed".to_vec())),
    });
    let one = world.connect(0, Resp2);
    let none = "-ERR a hook of the node has chosen a route that it has not\r\n";
    assert_eq!(world.ask(one, "GET chosen:none"), none);
    assert_eq!(world.ask(one, "GET chosen:late"), "-ERR late\r\n");
    assert_eq!(world.ask(one, "GET chosen:failed"), "-ERR failed\r\n");
    assert_eq!(world.ask(one, "GET chosen:failed"), "-ERR failed\r\n");
    assert_eq!(world.ask(one, "PING"), "+PONG\r\n");
    assert_eq!(asked.borrow().len(), 4, "it is asked anew");
    let counts = world.router.hook_counts().sum();
    assert_eq!((counts.asked, counts.failed, counts.late), (4, 3, 1));
}

#[test]
fn what_was_chosen_is_asked_anew_when_hooks_or_routes_change() {
    let (mut world, asked) = with_routes(|_| Some(Ruling::Route(None)));
    let one = world.connect(0, Resp2);
    world.ask(one, "GET chosen");
    world.ask(one, "GET chosen");
    assert_eq!((asked.borrow().len(), reads(&world)), (1, 1));
    let routes = Routes::new(vec![]);
    world.router.reload(Rules { routes, ..Rules::default() }, START);
    world.ask(one, "GET chosen");
    assert_eq!((asked.borrow().len(), reads(&world)), (2, 1), "the reply is still of use");
    world.router.choose_routes(Some(&[]));
    world.ask(one, "GET chosen");
    world.ask(one, "GET free");
    assert_eq!(asked.borrow().len(), 4, "of all keys now");
    world.router.choose_routes(None);
    world.ask(one, "GET chosen");
    assert_eq!(asked.borrow().len(), 4, "no hook has a say any more");
}

#[test]
fn a_reply_that_is_remembered_ends_with_the_route_that_a_hook_takes_from_its_key() {
    let (mut world, asked) = with_routes(|_| Some(Ruling::Route(None)));
    let one = world.connect(0, Resp2);
    world.ask(one, "GET chosen");
    world.clock.advance(20);
    let asked = asked.clone();
    let hooks = Hooks::new(vec![], false).choosing(vec![]);
    world.router.choose_routes(hooks.routes());
    world.hooks = Some(Box::new(Noting { hooks, asked, says: |_| route("short:") }));
    world.ask(one, "GET chosen");
    assert_eq!(reads(&world), 2, "it is older than the new route allows");
}

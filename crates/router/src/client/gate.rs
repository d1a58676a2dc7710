//! A command on its way past the hooks.
//!
//! ```text
//! asking      the next command of the session                      goes on with
//! Nothing     is done, or a hook is asked about it                 Said, at once or later: Waiting
//!             or about the route of a key of it                    Said, at once or later: Choosing
//! Arriving    waits: a hook is asked whether the client may come   Nothing, or Turned away
//! Waiting     waits: a hook is asked about it                      Said
//! Choosing    waits: a hook is asked for the route of a key        Said
//! Said        is done as the hook said; it may have to wait for    Nothing
//!             the store, and is not asked about again; a hook may  Said, at once or later: Choosing
//!             be asked for the routes of keys of it, each once
//! Turned      is not done: the connection ends                     the end
//! ```
//! A hook is asked about what the client's user may do. What it makes of a command goes through all
//! that a command of the client goes through, but for hooks: its user has to be permitted to do that.

use super::output::Output;
use super::way::{Passed, Way, execute};
use crate::catalog;
use crate::command::{self, State};
use crate::hooks::{HookCaller, HookKind, HookedCommand, Question, Ruling};
use crate::path::{Candidate, Course, Relay};
use crate::shared::Router;
use crate::sight::CommandClass;
use breakwater_resp::{Args, Parsed, ReplyWriter, RequestParser};
use std::{fmt, mem};

/// How much more a command counts that a hook is asked about, towards the commands of a step.
const WEIGHT: u64 = 16;
/// What a client reads for whose key a hook has chosen a route that there is not.
const NO_ROUTE: &str = "ERR a hook of the node has chosen a route that it has not";

/// What a session asks of hooks.
#[derive(Debug, Default)]
pub(super) enum Asking {
    #[default]
    Nothing,
    Arriving(u64),
    Waiting(u64),
    Choosing(u64, Box<Choosing>),
    Said(Ruling, usize),
    Turned(Vec<u8>),
}

/// A key whose route a hook is asked for, and what a hook has said of its command.
pub(super) struct Choosing {
    candidate: Box<Candidate>,
    ruling: Ruling,
}

impl fmt::Debug for Choosing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choosing").field("place", &self.candidate.place).finish_non_exhaustive()
    }
}

impl Choosing {
    /// How the command goes on.
    fn hear(self, said: Ruling) -> Asking {
        let Self { candidate, ruling } = self;
        match said {
            Ruling::Route(prefix) if candidate.choose(prefix.as_deref()) => {
                Asking::Said(ruling, candidate.place + 1)
            }
            Ruling::Fail(why) | Ruling::Late(why) => Asking::Said(Ruling::Fail(why), 0),
            _ => Asking::Said(Ruling::Fail(NO_ROUTE.into()), 0),
        }
    }
}

impl Asking {
    /// Whether an answer is waited for.
    pub(super) fn waits(&self) -> bool {
        matches!(self, Self::Arriving(_) | Self::Waiting(_) | Self::Choosing(..))
    }

    /// What is asked by the question of this number, if its answer is waited for.
    pub(super) fn expects(&self, number: u64) -> Option<HookKind> {
        let (asked, kind) = match self {
            Self::Arriving(asked) => (*asked, HookKind::Connect),
            Self::Waiting(asked) => (*asked, HookKind::Command),
            Self::Choosing(asked, _) => (*asked, HookKind::Route),
            _ => return None,
        };
        (asked == number).then_some(kind)
    }

    /// The answer that is waited for has come.
    pub(super) fn hear(&mut self, ruling: Ruling) {
        *self = match (mem::take(self), ruling) {
            (Self::Arriving(_), Ruling::Refuse(why) | Ruling::Fail(why) | Ruling::Late(why)) => {
                Self::Turned(why)
            }
            (Self::Arriving(_), _) => Self::Nothing,
            (Self::Choosing(_, choosing), ruling) => choosing.hear(ruling),
            (_, ruling) => Self::Said(ruling, 0),
        };
    }
}

/// The last question that a session has asked: its number, and when that was.
#[derive(Debug, Default)]
pub(super) struct LastQuestion {
    pub(super) number: u64,
    since: u64,
}

impl LastQuestion {
    /// One more is asked; its number.
    pub(super) fn ask(&mut self, kind: HookKind, router: &Router) -> u64 {
        router.hooks.ask(kind);
        self.number += 1;
        self.since = router.nanoseconds();
        self.number
    }

    /// It is answered.
    pub(super) fn hear(&self, kind: HookKind, ruling: &Ruling, router: &Router) {
        router.hooks.hear(kind, ruling, router.nanoseconds().saturating_sub(self.since));
    }
}

/// What hooks are to be asked about a command.
#[derive(Clone, Copy)]
enum Asks {
    Nothing,
    /// What becomes of it, and for the routes of its keys.
    All,
    /// For the routes of its keys from this word on.
    Routes(usize),
}

impl Asks {
    fn from(self) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::All => Some(0),
            Self::Routes(from) => Some(from),
        }
    }
}

/// A session, while it takes a command.
pub(super) struct Gate<'a> {
    pub(super) state: &'a mut State,
    pub(super) router: &'a Router,
    pub(super) course: &'a mut Course,
    /// The way to the store, where the node has one.
    pub(super) relay: Option<&'a mut Relay>,
    pub(super) asking: &'a mut Asking,
    /// The last question.
    pub(super) asked: &'a mut LastQuestion,
    pub(super) hooks: Option<&'a mut (dyn HookCaller + 'static)>,
    /// For how many milliseconds the command has waited for the store.
    pub(super) waited: u64,
}

impl Gate<'_> {
    /// Takes a command; how much it counts towards the commands of a step, `None` if it has to wait.
    #[inline]
    pub(super) fn pass(
        &mut self,
        bytes: &[u8],
        args: Args<'_>,
        now: i64,
        output: &mut Output,
    ) -> Option<u64> {
        if self.hooks.is_none() && matches!(self.asking, Asking::Nothing) {
            let passed = self.take(bytes, args, Asks::Nothing, now, output);
            return matches!(passed, Passed::Done).then_some(1);
        }
        self.pass_hooks(bytes, args, now, output)
    }

    #[inline(never)]
    fn pass_hooks(
        &mut self,
        bytes: &[u8],
        args: Args<'_>,
        now: i64,
        output: &mut Output,
    ) -> Option<u64> {
        loop {
            match mem::take(self.asking) {
                Asking::Nothing => match self.take(bytes, args, Asks::All, now, output) {
                    Passed::Done => return Some(1),
                    Passed::Later => return None,
                    Passed::Asks(question) => self.ask(&question, args),
                    Passed::Chooses(candidate) => self.choose(candidate, Ruling::Go),
                },
                Asking::Said(ruling, from) => {
                    match self.obey(&ruling, bytes, args, from, now, output) {
                        Passed::Done => return Some(WEIGHT),
                        Passed::Chooses(candidate) => self.choose(candidate, ruling),
                        Passed::Later | Passed::Asks(_) => {
                            *self.asking = Asking::Said(ruling, from);
                            return None;
                        }
                    }
                }
                waits => {
                    *self.asking = waits;
                    return None;
                }
            }
        }
    }

    /// Asks a hook for the route of a key.
    fn choose(&mut self, candidate: Box<Candidate>, ruling: Ruling) {
        let choosing = Box::new(Choosing { candidate, ruling });
        let Some(hooks) = &mut self.hooks else {
            // Without hooks it stays unknown.
            *self.asking = Asking::Said(choosing.ruling, usize::MAX);
            return;
        };
        let number = self.asked.ask(HookKind::Route, self.router);
        let said = hooks.route(self.state.client.id, number, &choosing.candidate.key);
        *self.asking = match said {
            Some(said) => {
                self.asked.hear(HookKind::Route, &said, self.router);
                choosing.hear(said)
            }
            None => Asking::Choosing(number, choosing),
        };
    }

    /// Asks a hook.
    fn ask(&mut self, question: &Question, args: Args<'_>) {
        let Some(hooks) = &mut self.hooks else { return };
        let number = self.asked.ask(HookKind::Command, self.router);
        let ruling = hooks.ask(&HookedCommand {
            hook: question.hook,
            number,
            client: self.state.client.id,
            user: self.state.user.as_ref().map_or("", |user| &user.name),
            db: self.state.db,
            protocol: self.state.protocol,
            queued: self.course.queues(),
            name: &question.name,
            args,
            keys: &question.keys,
        });
        *self.asking = match ruling {
            Some(ruling) => {
                self.asked.hear(HookKind::Command, &ruling, self.router);
                Asking::Said(ruling, 0)
            }
            None => Asking::Waiting(number),
        };
    }

    /// Does with a command what a hook said; for the routes of the keys from the word `from` on no hook
    /// was asked.
    fn obey(
        &mut self,
        ruling: &Ruling,
        bytes: &[u8],
        args: Args<'_>,
        from: usize,
        now: i64,
        output: &mut Output,
    ) -> Passed {
        let asks = Asks::Routes(from);
        match ruling {
            Ruling::Go | Ruling::Label(_) | Ruling::Route(_) => {
                self.take(bytes, args, asks, now, output)
            }
            Ruling::Rewrite(bytes) => {
                let mut parser = RequestParser::default();
                match parser.parse(bytes, true) {
                    Parsed::Command(len) if len == bytes.len() && len > 0 => {
                        self.take(bytes, parser.args(bytes), asks, now, output)
                    }
                    _ => self.refuse(b"ERR a hook of the node made no command of this one", output),
                }
            }
            // It would have to stand in the reply to `EXEC`.
            Ruling::Answer(_) if self.course.queues() => self
                .refuse(b"ERR a hook of the node answers this, which it cannot in MULTI", output),
            Ruling::Answer(reply) => self.say(reply, output),
            Ruling::Refuse(why) | Ruling::Fail(why) | Ruling::Late(why) => self.refuse(why, output),
        }
    }

    /// Refuses a command, and with it the transaction that it is to be part of.
    fn refuse(&mut self, why: &[u8], output: &mut Output) -> Passed {
        self.course.refuse_transaction();
        self.router.count_error(&self.state.client);
        let mut reply = vec![];
        ReplyWriter::new(&mut reply, self.state.protocol).error(why);
        self.say(&reply, output)
    }

    /// Gives a reply, behind those that are owed.
    fn say(&mut self, reply: &[u8], output: &mut Output) -> Passed {
        output.batch.request(CommandClass::Other);
        output.batch.answer(CommandClass::Other);
        if !self.state.replying.begin() {
            match self.course.replies.is_empty() {
                true => output.bytes.extend_from_slice(reply),
                false => self.course.replies.make(reply),
            }
        }
        Passed::Done
    }

    /// Has a command done, unless a hook has to be asked first that was not.
    #[inline]
    fn take(
        &mut self,
        bytes: &[u8],
        args: Args<'_>,
        asks: Asks,
        now: i64,
        output: &mut Output,
    ) -> Passed {
        let all = self.hooks.as_deref().map(HookCaller::hooks);
        let hooks = all.filter(|_| matches!(asks, Asks::All));
        let chooses = all.filter(|hooks| hooks.routes().is_some()).and_then(|_| asks.from());
        let Self { state, router, course, relay, waited, .. } = self;
        match relay.as_deref_mut() {
            Some(relay) => {
                let mut way = Way { state, router, course, relay, hooks, chooses, waited: *waited };
                way.send(bytes, args, now, output)
            }
            None => {
                if let Some(hooks) = hooks
                    && let Some(known) = command::ready(state, args)
                    && let Some(question) = hooks.question(Some(known), args)
                {
                    return Passed::Asks(question);
                }
                let (mark, mute) = (output.bytes.len(), state.replying.begin());
                let class = execute(state, router, args, now, output);
                output.batch.request(class);
                output.batch.answer(class);
                if router.is_recorded() {
                    note(router, state.db, args, output.bytes.len() - mark);
                }
                let told = || catalog::subscribes(args);
                if mute && state.replying.is_mute() && !told() {
                    output.bytes.truncate(mark);
                }
                Passed::Done
            }
        }
    }
}

/// Notes what a command has read of the node's own store.
fn note(router: &Router, db: u8, args: Args<'_>, bytes: usize) {
    if let Some(known) = catalog::find(args).filter(|known| known.cacheable) {
        router.note_read(db, known.keys_of(args).into_iter(), bytes);
    }
}

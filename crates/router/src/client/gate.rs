//! A command on its way past the hooks.
//!
//! ```text
//! asking      the next command of the session                      goes on with
//! Nothing     is done, or a hook is asked about it                 Said, at once or later: Waiting
//! Arriving    waits: a hook is asked whether the client may come   Nothing, or Turned away
//! Waiting     waits: a hook is asked about it                      Said
//! Said        is done as the hook said; it may have to wait for    Nothing
//!             the store, and is not asked about again
//! Turned      is not done: the connection ends                     the end
//! ```
//! A hook is asked about what the client's user may do. What it makes of a command goes through all
//! that a command of the client goes through, but for hooks: its user has to be permitted to do that.

use super::output::Output;
use super::way::{Passed, Way, execute};
use crate::catalog;
use crate::command::{self, State};
use crate::hooks::{HookCaller, HookedCommand, Question, Ruling};
use crate::path::{Course, Relay};
use crate::shared::Router;
use crate::sight::CommandClass;
use breakwater_resp::{Args, Parsed, ReplyWriter, RequestParser};
use std::mem;

/// How much more a command counts that a hook is asked about, towards the commands of a step.
const WEIGHT: u64 = 16;

/// What a session asks of hooks.
#[derive(Debug, Default)]
pub(super) enum Asking {
    #[default]
    Nothing,
    Arriving(u64),
    Waiting(u64),
    Said(Ruling),
    Turned(Vec<u8>),
}

impl Asking {
    /// Whether an answer is waited for.
    pub(super) fn waits(&self) -> bool {
        matches!(self, Self::Arriving(_) | Self::Waiting(_))
    }

    /// Whether the answer to the question of this number is waited for.
    pub(super) fn expects(&self, number: u64) -> bool {
        matches!(self, Self::Arriving(asked) | Self::Waiting(asked) if *asked == number)
    }

    /// The answer that is waited for has come.
    pub(super) fn hear(&mut self, ruling: Ruling) {
        *self = match (&*self, ruling) {
            (Self::Arriving(_), Ruling::Refuse(why) | Ruling::Fail(why)) => Self::Turned(why),
            (Self::Arriving(_), _) => Self::Nothing,
            (_, ruling) => Self::Said(ruling),
        };
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
    /// The number of the last question.
    pub(super) asked: &'a mut u64,
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
            let passed = self.take(bytes, args, false, now, output);
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
        if matches!(self.asking, Asking::Nothing) {
            match self.take(bytes, args, true, now, output) {
                Passed::Done => return Some(1),
                Passed::Later => return None,
                Passed::Asks(question) => self.ask(&question, args),
            }
        }
        match mem::take(self.asking) {
            Asking::Said(ruling) => {
                let done = self.obey(&ruling, bytes, args, now, output);
                if !done {
                    *self.asking = Asking::Said(ruling);
                }
                done.then_some(WEIGHT)
            }
            waits => {
                *self.asking = waits;
                None
            }
        }
    }

    /// Asks a hook.
    fn ask(&mut self, question: &Question, args: Args<'_>) {
        let Some(hooks) = &mut self.hooks else { return };
        *self.asked += 1;
        self.router.hooks.ask();
        let ruling = hooks.ask(&HookedCommand {
            hook: question.hook,
            number: *self.asked,
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
                self.router.hooks.hear(&ruling);
                Asking::Said(ruling)
            }
            None => Asking::Waiting(*self.asked),
        };
    }

    /// Does with a command what a hook said; `false` if that has to wait.
    fn obey(
        &mut self,
        ruling: &Ruling,
        bytes: &[u8],
        args: Args<'_>,
        now: i64,
        output: &mut Output,
    ) -> bool {
        match ruling {
            Ruling::Go | Ruling::Label(_) => self.goes(bytes, args, now, output),
            Ruling::Rewrite(bytes) => {
                let mut parser = RequestParser::default();
                match parser.parse(bytes, true) {
                    Parsed::Command(len) if len == bytes.len() && len > 0 => {
                        self.goes(bytes, parser.args(bytes), now, output)
                    }
                    _ => self.refuse(b"ERR a hook of the node made no command of this one", output),
                }
            }
            // It would have to stand in the reply to `EXEC`.
            Ruling::Answer(_) if self.course.queues() => self
                .refuse(b"ERR a hook of the node answers this, which it cannot in MULTI", output),
            Ruling::Answer(reply) => self.say(reply, output),
            Ruling::Refuse(why) | Ruling::Fail(why) => self.refuse(why, output),
        }
    }

    fn goes(&mut self, bytes: &[u8], args: Args<'_>, now: i64, output: &mut Output) -> bool {
        matches!(self.take(bytes, args, false, now, output), Passed::Done)
    }

    /// Refuses a command, and with it the transaction that it is to be part of.
    fn refuse(&mut self, why: &[u8], output: &mut Output) -> bool {
        self.course.refuse_transaction();
        self.router.count_error(&self.state.client);
        let mut reply = vec![];
        ReplyWriter::new(&mut reply, self.state.protocol).error(why);
        self.say(&reply, output)
    }

    /// Gives a reply, behind those that are owed.
    fn say(&mut self, reply: &[u8], output: &mut Output) -> bool {
        output.batch.request(CommandClass::Other);
        output.batch.answer(CommandClass::Other);
        if !self.state.replying.begin() {
            match self.course.replies.is_empty() {
                true => output.bytes.extend_from_slice(reply),
                false => self.course.replies.make(reply),
            }
        }
        true
    }

    /// Has a command done, unless a hook has to be asked first that was not.
    #[inline]
    fn take(
        &mut self,
        bytes: &[u8],
        args: Args<'_>,
        asks: bool,
        now: i64,
        output: &mut Output,
    ) -> Passed {
        let hooks = self.hooks.as_deref().filter(|_| asks).map(HookCaller::hooks);
        let Self { state, router, course, relay, waited, .. } = self;
        match relay.as_deref_mut() {
            Some(relay) => {
                let mut way = Way { state, router, course, relay, hooks, waited: *waited };
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

//! One command of a session of a node with a store: sent on its way, answered here, or left waiting.

use super::concern;
use super::output::Output;
use crate::catalog;
use crate::command::{self, Call, State};
use crate::failure::Failure;
use crate::hooks::{Hooks, Question};
use crate::path::{Candidate, Course, Piece, Relay, Request, Stand, Taken};
use crate::shared::{Engagement, Noted, Router};
use crate::sight::CommandClass;
use breakwater_resp::{Args, ReplyWriter, RequestParser};

/// A session of a node with a store, while it takes a command.
pub(super) struct Way<'a> {
    pub(super) state: &'a mut State,
    pub(super) router: &'a Router,
    pub(super) course: &'a mut Course,
    pub(super) relay: &'a mut Relay,
    /// The hooks that have a say in the command, if they have not been asked.
    pub(super) hooks: Option<&'a Hooks>,
    /// From which word on they have not been asked for the routes of its keys, if they are at all.
    pub(super) chooses: Option<usize>,
    /// For how many milliseconds the command has waited for the store.
    pub(super) waited: u64,
}

/// What became of a command.
pub(super) enum Passed {
    /// It is answered, or on its way.
    Done,
    /// Nothing: it has to wait.
    Later,
    /// Nothing: a hook is to be asked first.
    Asks(Box<Question>),
    /// Nothing: a hook is to choose the route of a key first.
    Chooses(Box<Candidate>),
}

/// What a session has made of a command.
enum Answered {
    /// Nothing yet: it has to wait.
    Later,
    /// Nothing yet: a hook is to be asked.
    Asks(Box<Question>),
    /// Nothing yet: a hook is to choose the route of a key.
    Chooses(Box<Candidate>),
    /// Its reply comes, or is kept in its order.
    Owed,
    /// Its reply is in the output.
    Made,
}

impl Way<'_> {
    /// Sends a command on its way, or answers it.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        args: Args<'_>,
        now: i64,
        output: &mut Output,
    ) -> Passed {
        self.relay.adopt(&self.state.rules);
        let mark = output.bytes.len();
        let begun = self.state.replying.begin();
        // What is said of subscriptions is said to all.
        let mute = begun && (self.course.queues() || !catalog::subscribes(args));
        match self.answer((bytes, args), (mute, Stand::Alone), now, output) {
            Answered::Later => {
                self.state.replying.again(begun);
                return Passed::Later;
            }
            Answered::Asks(question) => {
                self.state.replying.again(begun);
                return Passed::Asks(question);
            }
            Answered::Chooses(candidate) => {
                self.state.replying.again(begun);
                return Passed::Chooses(candidate);
            }
            Answered::Owed => {}
            Answered::Made if self.course.replies.is_empty() => {}
            Answered::Made => self.course.replies.make(&output.bytes.split_off(mark)),
        }
        Passed::Done
    }

    /// Takes a command; its reply is for nobody if it is mute.
    fn answer(
        &mut self,
        (bytes, args): (&[u8], Args<'_>),
        (mute, stand): (bool, Stand),
        now: i64,
        output: &mut Output,
    ) -> Answered {
        let user = self.state.user.as_deref();
        let request = Request {
            client: self.state.client.id,
            user,
            db: self.state.db,
            protocol: self.state.protocol,
            concern: self.state.concern.or(user.and_then(|user| user.concern)),
            stand,
            waited: self.waited,
            at: now,
            hooks: self.hooks.filter(|_| stand == Stand::Alone),
            chooses: self.chooses.filter(|_| stand == Stand::Alone),
            args,
            bytes,
        };
        let mark = output.bytes.len();
        self.course.replies.mute(mute);
        let taken = self.relay.take(&request, self.course, &mut output.bytes);
        self.course.replies.mute(false);
        match taken {
            Ok(Taken::Later) => Answered::Later,
            Ok(Taken::Asks(question)) => Answered::Asks(question),
            Ok(Taken::Chooses(candidate)) => Answered::Chooses(candidate),
            Ok(Taken::Done) => {
                if mute {
                    output.bytes.truncate(mark);
                }
                Answered::Owed
            }
            Ok(Taken::Executed) => self.execute(now, output),
            own => {
                let refused = own.is_err();
                self.reply(own, (args, stand), now, output);
                // `CLIENT REPLY ON` has a reply.
                if (mute || refused) && self.state.replying.is_mute() {
                    output.bytes.truncate(mark);
                }
                Answered::Made
            }
        }
    }

    /// Writes a reply of the node's own.
    fn reply(
        &mut self,
        own: Result<Taken, Failure>,
        (args, stand): (Args<'_>, Stand),
        now: i64,
        output: &mut Output,
    ) {
        let mut reply = ReplyWriter::new(&mut output.bytes, self.state.protocol);
        match own {
            Ok(Taken::Said(text)) => reply.simple(text),
            Ok(Taken::Refused(text)) => reply.error(text.as_bytes()),
            Ok(Taken::Local) if concern::is_one(args) => match concern::take(args, self.state) {
                Ok(()) => reply.simple("OK"),
                Err(Failure(text)) => reply.error(&text),
            },
            Ok(Taken::Local) => {
                self.show(stand);
                let before = output.kills.len();
                execute(self.state, self.router, args, now, output);
                let (killed, state) = (&output.kills[before..], &self.state);
                self.relay.unblock_killed(killed, state.protocol, state.db);
            }
            // Written already.
            Ok(_) => {}
            Err(Failure(text)) => {
                reply.error(&text);
                let user = self.state.user.as_deref();
                let noted = Noted { client: &self.state.client, user, args: Some(args), now };
                self.router.refuse(&noted, &text);
            }
        }
    }

    /// Shows other clients what this one is in the middle of.
    fn show(&mut self, stand: Stand) {
        let engagement = self.course.engagement();
        self.state.engage(match stand {
            Stand::Alone => engagement,
            // It has not ended: that is taken apart meanwhile.
            _ => Engagement { queued: self.state.queued(), ..engagement },
        });
    }

    /// Does the node's part of a transaction, of which the store has done its own.
    fn execute(&mut self, now: i64, output: &mut Output) -> Answered {
        let Some(mut execution) = self.course.execution.take() else { return Answered::Later };
        self.state.ran(self.course.last.clone());
        let queued = Some(execution.count);
        self.state.engage(Engagement { queued, ..self.course.engagement() });
        let mark = output.bytes.len();
        while let Some(part) = execution.next() {
            // What it says of replies counts from the next part on.
            let mute = self.state.replying.is_mute();
            match &part {
                Piece::Done(reply) if !mute => output.bytes.extend_from_slice(reply),
                Piece::Done(_) | Piece::Stores => {}
                Piece::Own(bytes) => {
                    let mut parser = RequestParser::default();
                    parser.parse(bytes, true);
                    let args = parser.args(bytes);
                    let stand = if execution.goes_on() { Stand::Amid } else { Stand::Behind };
                    execution.tracks |= args.is(1, "tracking") || args.is(1, "caching");
                    let mute = mute && !catalog::subscribes(args);
                    match self.answer((bytes, args), (mute, stand), now, output) {
                        // No hook is asked about what was queued: it was before.
                        Answered::Later | Answered::Asks(_) | Answered::Chooses(_) => {
                            execution.put_back(part);
                            self.course.execution = Some(execution);
                            return Answered::Later;
                        }
                        Answered::Owed => execution.owes = true,
                        Answered::Made => {}
                    }
                }
            }
            let reply = output.bytes.split_off(mark);
            match execution.owes {
                true => self.course.replies.make(&reply),
                false => execution.add(&reply),
            }
        }
        self.course.replies.fill(execution.ticket, execution.reply(), &mut output.bytes);
        self.relay.executed(&execution, self.course);
        Answered::Owed
    }
}

/// Runs one command for the session; of which class it is.
#[inline]
pub(super) fn execute(
    state: &mut State,
    router: &Router,
    args: Args<'_>,
    now: i64,
    output: &mut Output,
) -> CommandClass {
    let Output { bytes, kills, .. } = output;
    let reply = ReplyWriter::new(bytes, state.protocol);
    command::run(&mut Call { router, state, args, reply, now, kills })
}

//! One client that is served: when its bytes are read, fed, held back, and how it ends.
//!
//! ```text
//! phase      input goes to                    ends with
//! Serving    the core, which runs commands    the client's end of file (then Finishing), a
//!            while replies are taken; held    command that closes (then Closing), the end of
//!            by the core, up to a bound,      the driver (then Parting), an error of the
//!            while they are not               socket (gone)
//! Parting    the core                         a pause of the client (leaves); its end of file
//!                                             (then Finishing), a command that closes
//! Finishing  the core, as far as the kernel   nothing left to read, run or write (leaves)
//!            has any
//! Closing    nowhere yet                      nothing left to write (leaves)
//! ```
//! Who is disconnected while it speaks loses what is on its way, and whoever has just spoken is likely to
//! go on. So it leaves in a pause, or when it has made none for too long; the last thing before is a look
//! at what the kernel holds. The end of a request that has begun is waited for, as is that of a
//! transaction.
//!
//! Reading never stops while replies wait: a client that writes a whole pipeline before it reads
//! must not be waited for. What it may have waiting is bounded by the core.

use crate::backlog::Backlog;
use crate::channel::{Channel, Received, Space};
use crate::reading::Reading;
use breakwater_router::{
    Delivery, Expected, HookCaller, Next, Notice, Output, Protocol, Relay, Router, Ruling, Seat,
    Session,
};
use std::io;
use std::sync::Arc;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Parting,
    Finishing,
    Closing,
}

/// Whether a client that is parting makes a pause.
///
/// ```text
/// pause     it speaks, or is answered   it is looked at   for the last time
/// Awaited   Awaited                     Begun             Overdue
/// Begun     Awaited                     Made              Overdue
/// Made      Awaited                     Made              Overdue
/// Overdue   Overdue                     Overdue           Overdue
/// ```
/// In the last two it leaves, once all is answered: from `Overdue` in the middle of a transaction as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pause {
    Awaited,
    Begun,
    Made,
    Overdue,
}

/// What a step left of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// There is more to do, when others have had their turn.
    More,
    /// Nothing, until the socket is ready again.
    Idle,
    /// The same, and replies wait for it that the client has not taken.
    Unread,
    /// All is said: what still comes goes to nobody.
    Leave,
    /// It is over.
    Gone,
}

/// What all connections of a thread share: each turn uses it anew.
pub struct Workspace {
    /// Where bytes are received.
    pub space: Space,
    /// Where replies are made.
    pub output: Output,
    /// The time of the turn, in Unix milliseconds.
    pub now: u64,
    /// What all threads share.
    pub router: Arc<Router>,
    /// What the client asks for that is next.
    pub expected: Option<Expected>,
    /// What its thread counts.
    pub seat: Seat,
    /// The way to the store, where the node has one.
    pub relay: Option<Relay>,
    /// What has a say in requests, if anything has.
    pub hooks: Option<Box<dyn HookCaller>>,
}

/// What was received of a client before its turn.
pub struct Ahead {
    /// It lies in the space that was handed in.
    pub received: io::Result<Received>,
    /// What it asks for.
    pub expected: Option<Expected>,
}

/// A client.
pub struct Client {
    channel: Channel,
    session: Session,
    backlog: Backlog,
    phase: Phase,
    /// Commands wait in the core for replies to be taken.
    waits: bool,
    /// Commands wait in the core for a reply of the store, or for a hook.
    awaits: bool,
    /// Its end is ours to bring about, by `QUIT`, an error or the driver's end.
    closing: bool,
    /// Whether it makes a pause, while it is parting.
    pause: Pause,
    /// How it takes what does not fit its socket.
    pub reading: Reading,
}

impl Client {
    /// A client that is here.
    pub fn new(channel: Channel, session: Session) -> Self {
        Self {
            channel,
            session,
            backlog: Backlog::default(),
            phase: Phase::Serving,
            waits: false,
            awaits: false,
            closing: false,
            pause: Pause::Begun,
            reading: Reading::default(),
        }
    }

    /// Its connection.
    pub fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// Its connection alone.
    pub fn into_channel(self) -> Channel {
        self.channel
    }

    /// The client's number.
    pub fn id(&self) -> u64 {
        self.session.id()
    }

    /// Whether we end it: then it is not waited for longer than a client needs to take its last
    /// replies.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Answers what was received and what the kernel holds, and ends in a pause: see [`Client::look`].
    pub fn part(&mut self) {
        self.closing = true;
        self.session.drains();
        if self.phase == Phase::Serving {
            self.phase = Phase::Parting;
            self.channel.became_readable(false);
        }
    }

    /// Looks whether it pauses, for the `last` time or not. If it does, or is overdue, its next step looks
    /// at what the kernel holds, and is its last one if that is nothing.
    pub fn look(&mut self, last: bool) -> bool {
        self.pause = match self.pause {
            _ if last => Pause::Overdue,
            Pause::Awaited => Pause::Begun,
            Pause::Begun => Pause::Made,
            other => other,
        };
        let leaves = self.phase == Phase::Parting && self.pause >= Pause::Made;
        if leaves {
            self.channel.became_readable(false);
        }
        leaves
    }

    /// It has spoken, or was answered.
    fn speaks(&mut self) {
        if self.pause != Pause::Overdue {
            self.pause = Pause::Awaited;
        }
    }

    /// It took none of its replies for too long: it is about to be ended.
    pub fn lags(&mut self) {
        self.session.lags();
    }

    /// Its descriptor is needed: it is about to be ended.
    pub fn makes_room(&mut self) {
        self.session.makes_room();
    }

    /// Takes a reply of the store, to be written in the next step; `false` if more messages wait
    /// than may, because the client does not take them.
    pub fn deliver(&mut self, delivery: &Delivery) -> bool {
        if delivery.is_push() && !self.takes_messages() {
            return false;
        }
        self.session.deliver(delivery, self.backlog.behind());
        self.waits |= self.awaits;
        self.awaits = false;
        if delivery.ticket.is_some() {
            self.speaks();
        }
        if delivery.ends {
            self.closing = true;
            self.phase = Phase::Closing;
        }
        true
    }

    /// The protocol that it speaks.
    pub fn protocol(&self) -> Protocol {
        self.session.protocol()
    }

    /// Takes the answer of a hook, by which its commands go on in the next step; `false` if nobody waits
    /// for it any more.
    pub fn answer(&mut self, number: u64, ruling: Ruling) -> bool {
        let heard = self.session.answer(number, ruling);
        if heard {
            (self.waits, self.awaits) = (true, false);
        }
        heard
    }

    /// Takes news, to be written in the next step; `false` if more wait than may, because the client
    /// does not take them.
    pub fn hear(&mut self, news: &[Notice]) -> bool {
        self.takes_messages() && self.session.hear(news, self.backlog.behind())
    }

    /// Whether no more messages wait than may; otherwise it misses some, and is about to be ended.
    fn takes_messages(&mut self) -> bool {
        let takes = self.backlog.len() <= self.session.most_messages();
        if !takes {
            self.session.misses();
        }
        takes
    }

    /// Lets go of what it had of the store.
    pub fn release(&mut self, relay: &mut Relay) {
        self.session.end(relay);
    }

    /// Takes what was received with the last of the handshake.
    pub fn begin(&mut self, received: Received, work: &mut Workspace) -> Rest {
        let begun = self.take(received, work).map(|()| self.rest());
        self.charge(work);
        begun.unwrap_or(Rest::Gone)
    }

    /// Receives what its next step runs, if that is all there is to do for it.
    pub fn receive_ahead(&mut self, space: &mut Space) -> Option<Ahead> {
        let serves = self.phase == Phase::Serving && self.channel.is_readable();
        if !serves || self.waits || self.awaits || self.is_full() {
            return None;
        }
        let received = self.channel.receive(space);
        let count = received.as_ref().map_or(0, |received| received.count);
        Some(Ahead { received, expected: self.session.expect(&space.input[..count]) })
    }

    /// Says how many bytes wait, if that has changed.
    #[inline]
    fn charge(&mut self, work: &mut Workspace) {
        self.session.charge(self.backlog.len(), &mut work.output.kills);
    }

    /// One step: writes what waits, then receives and runs what fits a step; or runs what was received
    /// before.
    pub fn step(&mut self, ahead: Option<io::Result<Received>>, work: &mut Workspace) -> Rest {
        let rest = self.try_step(ahead, work).unwrap_or(Rest::Gone);
        self.charge(work);
        rest
    }

    fn try_step(
        &mut self,
        ahead: Option<io::Result<Received>>,
        work: &mut Workspace,
    ) -> io::Result<Rest> {
        if let Some(received) = ahead
            && self.phase != Phase::Closing
        {
            self.take(received?, work)?;
            return Ok(self.rest());
        }
        self.backlog.flush(&mut self.channel)?;
        if self.waits && !self.is_full() {
            self.run(0, work)?;
        } else if self.channel.is_readable() && self.phase != Phase::Closing {
            let received = self.channel.receive(&mut work.space)?;
            self.take(received, work)?;
        }
        Ok(self.rest())
    }

    /// How many bytes the socket has taken of what it had not room for at once.
    pub fn taken(&self) -> u64 {
        self.backlog.taken() + self.channel.taken()
    }

    /// Whether replies wait for the socket.
    pub fn is_full(&self) -> bool {
        !self.backlog.is_empty() || self.channel.owes()
    }

    /// Has a piece run, or held while replies are not taken.
    fn take(&mut self, received: Received, work: &mut Workspace) -> io::Result<()> {
        if received.count > 0 {
            self.speaks();
            self.run(received.count, work)?;
        }
        if received.ended && matches!(self.phase, Phase::Serving | Phase::Parting) {
            self.phase = Phase::Finishing;
        }
        Ok(())
    }

    /// Has the core take the first `count` bytes of the input and writes what that gives.
    fn run(&mut self, count: usize, work: &mut Workspace) -> io::Result<()> {
        let takes_replies = !self.is_full() && !self.awaits;
        let Workspace { space, output, now, relay, hooks, router, expected, .. } = work;
        let (session, chunk) = (&mut self.session, &space.input[..count]);
        output.bytes.clear();
        let next = if takes_replies {
            session.feed_past(chunk, *now, output, relay.as_mut(), hooks.as_deref_mut())
        } else {
            session.hold(chunk, output, relay.as_ref())
        };
        // Between the work of the core and that of the system, each of which takes its time.
        if let Some(next) = expected.take() {
            router.expect(next);
        }
        self.backlog.send(&output.bytes, &mut self.channel)?;
        self.waits = next == Next::Resume && !self.awaits;
        self.awaits |= next == Next::Await;
        if next == Next::Close {
            self.closing = true;
            self.waits = false;
            self.phase = Phase::Closing;
        }
        Ok(())
    }

    /// What is left to do after a step.
    fn rest(&self) -> Rest {
        let full = self.is_full();
        let reads = self.channel.is_readable() && self.phase != Phase::Closing;
        if reads || (self.waits && !full) {
            return Rest::More;
        }
        // A client that is gone is not answered what it may wait for without end.
        let owed = (self.awaits || self.session.is_owed()) && !self.session.is_blocked();
        match full {
            true => Rest::Unread,
            false if self.stays() || owed => Rest::Idle,
            false => Rest::Leave,
        }
    }

    /// Whether more is waited for, once all is answered.
    fn stays(&self) -> bool {
        match self.phase {
            Phase::Serving => true,
            Phase::Parting if self.session.is_cut_short() => true,
            Phase::Parting => match self.pause {
                Pause::Awaited | Pause::Begun => true,
                Pause::Made => self.session.queues(),
                Pause::Overdue => false,
            },
            Phase::Finishing | Phase::Closing => false,
        }
    }
}

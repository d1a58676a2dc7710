//! One client's connection: when its bytes are read, fed, held back, and how it ends.
//!
//! ```text
//! phase      input goes to                    ends with
//! Serving    the core, which runs commands    the client's end of file (then Finishing), a
//!            while replies are taken; held    command that closes (then Lingering), an error
//!            by the core, up to a bound,      of the socket (gone)
//!            while they are not
//! Finishing  the core, as far as the kernel   nothing left to read, run or write (Lingering)
//!            has any
//! Lingering  nowhere: a socket that is closed the client's end of file, a deadline (gone)
//!            over unread bytes is reset, and
//!            the last replies would be lost
//! ```
//! Reading never stops while replies wait: a client that writes a whole pipeline before it reads
//! must not be waited for. What it may have waiting is bounded by the core.

use crate::backlog::Backlog;
use breakwater_router::{Delivery, Next, Output, Relay, Session};
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Finishing,
    Lingering,
}

/// What a turn left of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// There is more to do, when others have had their turn.
    More,
    /// Nothing, until the socket is ready again.
    Idle,
    /// It is over.
    Gone,
}

/// What all connections of a thread share: each turn uses it anew.
pub struct Workspace {
    /// Where bytes are received.
    pub input: Box<[u8]>,
    /// Where replies are made.
    pub output: Output,
    /// The time of the turn, in Unix milliseconds.
    pub now: u64,
    /// The way to the store, where the node has one.
    pub relay: Option<Relay>,
}

/// A client.
pub struct Client {
    socket: TcpStream,
    session: Session,
    backlog: Backlog,
    phase: Phase,
    /// Whether there may be something to receive.
    readable: bool,
    /// The client sends no more: what it sent before is still received, to its end.
    ended: bool,
    /// Commands wait in the core for replies to be taken.
    waits: bool,
    /// Commands wait in the core for a reply of the store.
    awaits: bool,
    /// Its end is ours to bring about, by `QUIT`, an error or the driver's end.
    closing: bool,
    /// It stands in the driver's queue.
    pub queued: bool,
    /// It is ended by force at some time.
    pub timed: bool,
}

impl Client {
    /// A connection that has just been accepted.
    pub fn new(socket: TcpStream, session: Session) -> Self {
        Self {
            socket,
            session,
            backlog: Backlog::default(),
            phase: Phase::Serving,
            readable: true,
            ended: false,
            waits: false,
            awaits: false,
            closing: false,
            queued: false,
            timed: false,
        }
    }

    /// The socket, to be watched.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// The client's number.
    pub fn id(&self) -> u64 {
        self.session.id()
    }

    /// The socket may have something to receive; if `ended` it has the end of it as well.
    ///
    /// Events tell of changes only: a piece that is received may be followed by an end that was
    /// told before, of which nothing more is heard.
    pub fn became_readable(&mut self, ended: bool) {
        self.readable = true;
        self.ended |= ended;
    }

    /// Whether we end it: then it is not waited for longer than a client needs to take its last
    /// replies.
    pub fn is_closing(&self) -> bool {
        self.closing || self.phase == Phase::Lingering
    }

    /// Answers what was received and what the kernel holds, and ends.
    pub fn finish(&mut self) {
        self.closing = true;
        if self.phase == Phase::Serving {
            self.phase = Phase::Finishing;
            self.readable = true;
        }
    }

    /// Takes a reply of the store, to be written in the next step; `false` if more messages wait
    /// than may, because the client does not take them.
    pub fn deliver(&mut self, delivery: &Delivery) -> bool {
        let may = !delivery.is_push() || self.backlog.len() <= self.session.most_messages();
        if !may {
            return false;
        }
        self.session.deliver(delivery, self.backlog.behind());
        self.waits |= self.awaits;
        self.awaits = false;
        if delivery.ends {
            self.closing = true;
            self.readable = false;
            self.phase = Phase::Finishing;
        }
        true
    }

    /// Lets go of what it had of the store.
    pub fn release(&mut self, relay: &mut Relay) {
        self.session.end(relay);
    }

    /// One step: writes what waits, then receives and runs what fits a step.
    pub fn step(&mut self, work: &mut Workspace) -> Rest {
        self.try_step(work).unwrap_or(Rest::Gone)
    }

    fn try_step(&mut self, work: &mut Workspace) -> io::Result<Rest> {
        if self.phase == Phase::Lingering {
            return self.drop_input(work);
        }
        if !self.backlog.is_empty() {
            self.backlog.flush(&mut self.socket)?;
        }
        if self.waits && self.backlog.is_empty() {
            self.run(0, work)?;
        } else if self.readable {
            self.receive(work)?;
        }
        self.after(work)
    }

    /// Receives a piece and has it run, or held while replies are not taken.
    fn receive(&mut self, work: &mut Workspace) -> io::Result<()> {
        match self.socket.read(&mut work.input) {
            Ok(0) => {
                self.readable = false;
                self.phase = Phase::Finishing;
                Ok(())
            }
            Ok(count) => {
                // A full buffer may have left something behind.
                self.readable = self.ended || count == work.input.len();
                self.run(count, work)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Has the core take the first `count` bytes of the input and writes what that gives.
    fn run(&mut self, count: usize, work: &mut Workspace) -> io::Result<()> {
        let Workspace { input, output, now, relay } = work;
        let (session, chunk) = (&mut self.session, &input[..count]);
        let takes_replies = self.backlog.is_empty() && !self.awaits;
        output.bytes.clear();
        // A bug in the core costs this client its connection and nobody else anything.
        let next = catch_unwind(AssertUnwindSafe(|| {
            if takes_replies {
                session.feed_through(chunk, *now, output, relay.as_mut())
            } else {
                session.hold(chunk, output)
            }
        }))
        .map_err(|_| ErrorKind::Other)?;
        self.backlog.send(&output.bytes, &mut self.socket)?;
        self.waits = next == Next::Resume && !self.awaits;
        self.awaits |= next == Next::Await;
        if next == Next::Close {
            self.closing = true;
            self.waits = false;
            self.readable = false;
            self.phase = Phase::Finishing;
        }
        Ok(())
    }

    /// What is left to do after a step.
    fn after(&mut self, work: &mut Workspace) -> io::Result<Rest> {
        let full = !self.backlog.is_empty();
        if self.readable || (self.waits && !full) {
            return Ok(Rest::More);
        }
        // A client that is gone is not answered what it may wait for without end.
        let owed = (self.awaits || self.session.is_owed()) && !self.session.is_blocked();
        if self.phase == Phase::Finishing && !full && !owed {
            self.phase = Phase::Lingering;
            self.readable = true;
            // It may be gone already.
            let _ = self.socket.shutdown(Shutdown::Write);
            return self.drop_input(work);
        }
        Ok(Rest::Idle)
    }

    /// Receives what the client still sends, for nobody.
    fn drop_input(&mut self, work: &mut Workspace) -> io::Result<Rest> {
        if !self.readable {
            return Ok(Rest::Idle);
        }
        match self.socket.read(&mut work.input) {
            Ok(0) => Ok(Rest::Gone),
            Ok(count) if self.ended || count == work.input.len() => Ok(Rest::More),
            Ok(_) => {
                self.readable = false;
                Ok(Rest::Idle)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(Rest::Idle)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Rest::More),
            Err(error) => Err(error),
        }
    }
}

//! One connection to a server, which many callers share: requests go out as they are, and replies
//! come back as they are, first in, first out.

use super::back_off::BackOff;
use super::greeting;
use super::options::UpstreamOptions;
use super::phase::{self, Event, Phase, PhaseEffect};
use super::waiters::{Busy, Held, Lost, Manner, Waiters};
use breakwater_resp::{Frame, Kind, Protocol, ReplyParser};
use std::mem;

/// The longest wait, in milliseconds, before it asks again a server that is busy or loads its data.
const BUSY_PAUSE: u64 = 250;

/// What has a server of a cluster answer reads of keys whose replica it is, and what ends that.
const READONLY: &[u8] = b"*1\r\n$8\r\nREADONLY\r\n";
const READWRITE: &[u8] = b"*1\r\n$9\r\nREADWRITE\r\n";

/// What a driver does for a connection, and what callers hear of it.
pub trait Sink {
    /// Connect; the attempt has this number, by which the driver tells of it.
    fn connect(&mut self, attempt: u64);
    /// Close the socket of this attempt, or stop connecting.
    fn close(&mut self, attempt: u64);
    /// The reply to a request, byte for byte as the server sent it.
    fn reply(&mut self, token: u64, kind: Kind, bytes: &[u8]);
    /// No reply comes.
    fn lost(&mut self, token: u64, why: Lost);
    /// The server said something unasked.
    fn push(&mut self, bytes: &[u8]);
    /// The server has answered `HELLO` by this, or by its number for the connection.
    fn greeted(&mut self, _hello: &[u8]) {}
    /// Requests are forwarded from now on: whatever the server had noted of an earlier connection,
    /// as the keys that it would tell of, it has forgotten.
    fn ready(&mut self);
    /// Requests are not forwarded any more. `refusal` is the error by which the server refused the
    /// greeting, if that is why.
    fn down(&mut self, refusal: Option<&[u8]>);
}

/// A connection. Its driver tells it what happens, with the time in milliseconds of a clock that
/// never goes back, and writes what [`Upstream::output`] has after each call.
pub struct Upstream {
    options: UpstreamOptions,
    phase: Phase,
    /// The number of the last attempt to connect.
    attempt: u64,
    /// For how many milliseconds what is sent now has waited already.
    waited: u64,
    /// When the phase ends by itself.
    due: Option<u64>,
    /// Since when the server has sent nothing, while it owed a reply or since it owed none.
    quiet_since: u64,
    back_off: BackOff,
    parser: ReplyParser,
    /// The beginning of a reply whose end has not come.
    input: Vec<u8>,
    output: Vec<u8>,
    waiters: Waiters,
    /// Replies to the greeting that are still to come.
    greetings: usize,
    /// Whether the server was told last to answer as a replica.
    reads_replica: bool,
}

impl Upstream {
    /// A connection that connects as soon as it is woken. Connections of different seeds wait
    /// differently before they try again.
    pub fn new(options: UpstreamOptions, seed: u64) -> Self {
        Self {
            phase: Phase::Waiting,
            attempt: 0,
            waited: 0,
            due: Some(0),
            quiet_since: 0,
            back_off: BackOff::new(options.retry_least, options.retry_most, seed),
            parser: ReplyParser::new(options.limits),
            input: vec![],
            output: vec![],
            waiters: Waiters::default(),
            greetings: 0,
            reads_replica: false,
            options,
        }
    }

    /// Where it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The number of the last attempt to connect.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// How many requests wait for replies, those included whose callers have gone.
    pub fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// How many bytes of requests wait to be written.
    pub fn unwritten(&self) -> usize {
        self.output.len() + self.waiters.held_bytes()
    }

    /// How many bytes it keeps: of requests that wait to be written, and of a reply that is not whole.
    pub(crate) fn kept(&self) -> usize {
        self.unwritten() + self.input.len()
    }

    /// When a request that is sent now is late.
    pub fn late_at(&self, now: u64) -> u64 {
        now.saturating_add(self.options.timeout.saturating_sub(self.waited))
    }

    /// Callers of what is sent from now on have waited for so many milliseconds already.
    pub fn set_waited(&mut self, waited: u64) {
        self.waited = waited;
    }

    /// What is to be written to the socket; the driver takes out what it wrote.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// When it is to be woken at the latest.
    pub fn wake_at(&self) -> Option<u64> {
        let silent = (self.phase == Phase::Ready && self.waiters.owes_soon())
            .then(|| self.quiet_since.saturating_add(self.options.silence));
        let deadline = self.waiters.next_deadline();
        [self.due, silent, deadline, self.beats_at()].into_iter().flatten().min()
    }

    /// When the server is asked whether it is there, unless there is something else to ask.
    fn beats_at(&self) -> Option<u64> {
        let quiet = self.phase == Phase::Ready && !self.waiters.owes();
        (quiet && self.options.heartbeat > 0)
            .then(|| self.quiet_since.saturating_add(self.options.heartbeat))
    }

    /// Asks whether the server is there: what the network has swallowed is noticed by the silence.
    fn beat(&mut self, now: u64) {
        self.quiet_since = now;
        self.output.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
        self.waiters.write_for_nobody(now.saturating_add(self.options.timeout));
    }

    /// From now on a reply may take `timeout` milliseconds, and a server that owes one may send nothing
    /// for `silence`.
    pub fn set_patience(&mut self, (timeout, silence): (u64, u64)) {
        (self.options.timeout, self.options.silence) = (timeout, silence);
    }

    /// From now on the server may say what answers no request: see [`UpstreamOptions::streams`].
    pub fn set_streams(&mut self) {
        self.options.streams = true;
    }

    /// Whether so many requests of so many bytes together would be taken.
    pub fn has_room(&self, requests: usize, bytes: usize) -> Result<(), Busy> {
        if self.phase == Phase::Ended {
            return Err(Busy::Ended);
        }
        if self.waiters.len().saturating_add(requests) > self.options.requests {
            return Err(Busy::Requests);
        }
        if self.unwritten().saturating_add(bytes) > self.options.bytes {
            return Err(Busy::Bytes);
        }
        Ok(())
    }

    /// Takes a request, whole and well-formed, that gets one reply; `token` is what its caller
    /// knows it by.
    pub fn send(&mut self, token: u64, request: &[u8], now: u64) -> Result<(), Busy> {
        self.take_request(token, request, Manner::Usual, now)
    }

    /// As [`Upstream::send`], for a request that the server may take as long as it likes for, once it
    /// has it. So do those that are sent before its reply.
    pub fn send_patiently(&mut self, token: u64, request: &[u8], now: u64) -> Result<(), Busy> {
        self.take_request(token, request, Manner::Patient, now)
    }

    /// As [`Upstream::send`], for a read of a server of a cluster that may answer it as a replica. Any
    /// other request is refused by a server that does not own its keys, whatever it was before: each
    /// finds the connection in the mode (`READONLY`, `READWRITE`) that it needs.
    pub fn send_as_replica(&mut self, token: u64, request: &[u8], now: u64) -> Result<(), Busy> {
        self.take_request(token, request, Manner::OfReplica, now)
    }

    /// As [`Upstream::send`], for a request that is answered by pushes, with one behind it that gets
    /// the reply. If an error comes first, it is that reply.
    pub fn send_announced(&mut self, token: u64, requests: &[u8], now: u64) -> Result<(), Busy> {
        self.take_request(token, requests, Manner::Announced, now)
    }

    fn take_request(
        &mut self,
        token: u64,
        request: &[u8],
        manner: Manner,
        now: u64,
    ) -> Result<(), Busy> {
        self.has_room(1, request.len())?;
        let deadline = self.late_at(now);
        if self.phase != Phase::Ready {
            self.waiters.hold(token, deadline, manner, request);
            return Ok(());
        }
        if !self.waiters.owes() {
            self.quiet_since = now;
        }
        self.write(token, request, deadline, manner);
        Ok(())
    }

    /// Writes a request to a server that is in the mode that it needs.
    fn write(&mut self, token: u64, request: &[u8], deadline: u64, manner: Manner) {
        let reads = manner == Manner::OfReplica;
        if reads != self.reads_replica {
            let word: &[u8] = if reads { READONLY } else { READWRITE };
            self.output.extend_from_slice(word);
            self.waiters.write_for_nobody(deadline);
            self.reads_replica = reads;
        }
        self.output.extend_from_slice(request);
        self.waiters.write(token, deadline, manner);
    }

    /// A caller waits no more; whether it did. If its request was written the reply is dropped when
    /// its turn comes.
    pub fn leave(&mut self, token: u64) -> bool {
        self.waiters.leave(token)
    }

    /// Requests that wait to be written never are: their callers are told so.
    pub fn release(&mut self, sink: &mut impl Sink) {
        self.waiters.release(|token, why| sink.lost(token, why));
    }

    /// The time that [`Upstream::wake_at`] said has come.
    pub fn wake(&mut self, now: u64, sink: &mut impl Sink) {
        self.waiters.expire(now, |token, why| sink.lost(token, why));
        if self.beats_at().is_some_and(|at| at <= now) {
            return self.beat(now);
        }
        if self.wake_at().is_some_and(|at| at <= now) {
            let event = if self.phase == Phase::Waiting { Event::Due } else { Event::Silent };
            self.happen(event, now, None, sink);
        }
    }

    /// The attempt of this number has connected.
    pub fn opened(&mut self, attempt: u64, now: u64, sink: &mut impl Sink) {
        if attempt == self.attempt {
            self.happen(Event::Opened, now, None, sink);
        }
    }

    /// The attempt of this number failed, or its connection was cut.
    pub fn cut(&mut self, attempt: u64, now: u64, sink: &mut impl Sink) {
        if attempt == self.attempt {
            self.happen(Event::Cut, now, None, sink);
        }
    }

    /// Ends the connection. What was written and not answered may have been done.
    pub fn end(&mut self, now: u64, sink: &mut impl Sink) {
        self.happen(Event::End, now, None, sink);
    }

    /// The server sent these bytes.
    pub fn received(&mut self, attempt: u64, bytes: &[u8], now: u64, sink: &mut impl Sink) {
        if attempt != self.attempt || !matches!(self.phase, Phase::Greeting | Phase::Ready) {
            return;
        }
        self.quiet_since = now;
        if self.input.is_empty() {
            // The usual case: whole replies, read where they lie.
            let used = self.take(bytes, now, sink);
            self.keep(&bytes[used..]);
            return;
        }
        let mut input = mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let used = self.take(&input, now, sink);
        if used == 0 {
            self.input = input;
        } else {
            self.keep(&input[used..]);
        }
    }

    /// Keeps the beginning of a reply, unless the connection was given up.
    fn keep(&mut self, rest: &[u8]) {
        self.input = rest.to_vec();
    }

    /// Takes the replies at the head of `bytes`; how many bytes they had, or all, if the connection
    /// was given up.
    fn take(&mut self, bytes: &[u8], now: u64, sink: &mut impl Sink) -> usize {
        let (attempt, mut used) = (self.attempt, 0);
        while attempt == self.attempt && matches!(self.phase, Phase::Greeting | Phase::Ready) {
            match self.parser.parse(&bytes[used..]) {
                Ok(None) => return used,
                Ok(Some(frame)) => {
                    self.reply(frame, &bytes[used..used + frame.len], now, sink);
                    used += frame.len;
                }
                Err(_) => self.happen(Event::Broken, now, None, sink),
            }
        }
        bytes.len()
    }

    /// Hands a reply to whom it is for.
    fn reply(&mut self, frame: Frame, bytes: &[u8], now: u64, sink: &mut impl Sink) {
        if frame.kind == Kind::Push {
            return sink.push(bytes);
        }
        let pushes = self.parser.pushes();
        pushes.iter().for_each(|push| sink.push(&bytes[push.clone()]));
        if self.phase == Phase::Greeting {
            self.greetings -= 1;
            // No other reply to a greeting is one of these.
            if matches!(frame.kind, Kind::Map | Kind::Integer) {
                sink.greeted(bytes);
            }
            match self.greetings {
                // Servers before 5.0 know no numbers, and some users may not ask for theirs.
                1 if self.options.protocol == Protocol::Resp2 => {}
                _ if self.is_refusal(frame.kind, bytes) => {
                    self.happen(Event::Broken, now, Some(bytes), sink);
                }
                0 => self.happen(Event::Greeted, now, None, sink),
                _ => {}
            }
            return;
        }
        match self.waiters.answered(frame.kind.is_error()) {
            None if self.options.streams => sink.push(bytes),
            None => self.happen(Event::Broken, now, None, sink),
            // It came too late, and is dropped in its turn.
            Some(None) => {}
            Some(Some(token)) if pushes.is_empty() => sink.reply(token, frame.kind, bytes),
            Some(Some(token)) => {
                let (mut clean, mut from) = (Vec::with_capacity(bytes.len()), 0);
                for push in pushes {
                    clean.extend_from_slice(&bytes[from..push.start]);
                    from = push.end;
                }
                clean.extend_from_slice(&bytes[from..]);
                sink.reply(token, frame.kind, &clean);
            }
        }
    }

    /// Whether a reply to the greeting is one by which the server takes no requests.
    fn is_refusal(&self, kind: Kind, reply: &[u8]) -> bool {
        kind.is_error() && !(self.options.urgent && reply.starts_with(b"-BUSY "))
    }

    /// Goes from one phase to the next, as the table says.
    fn happen(&mut self, event: Event, now: u64, refusal: Option<&[u8]>, sink: &mut impl Sink) {
        let Some((to, effect)) = phase::next(self.phase, event) else { return };
        let from = mem::replace(&mut self.phase, to);
        self.due = match to {
            Phase::Waiting => Some(now.saturating_add(self.pause(refusal))),
            Phase::Connecting | Phase::Greeting => {
                Some(now.saturating_add(self.options.connect_timeout))
            }
            Phase::Ready | Phase::Ended => None,
        };
        match effect {
            PhaseEffect::Connect => {
                self.attempt += 1;
                sink.connect(self.attempt);
            }
            PhaseEffect::Greet => self.greetings = greeting::write(&self.options, &mut self.output),
            PhaseEffect::Serve => {
                self.back_off.reset();
                self.quiet_since = now;
                sink.ready();
                for Held { token, deadline, manner, request } in self.waiters.take_held() {
                    self.write(token, &request, deadline, manner);
                }
            }
            PhaseEffect::BackOff => self.forget(refusal, sink),
            PhaseEffect::CloseAndBackOff => {
                sink.close(self.attempt);
                self.forget(refusal, sink);
            }
            PhaseEffect::Stop => {
                if from != Phase::Waiting {
                    sink.close(self.attempt);
                }
                self.forget(refusal, sink);
                self.waiters.release(|token, why| sink.lost(token, why));
            }
        }
    }

    /// How long it waits before it connects again: not long for a server that is there, which will
    /// answer as soon as it has done what it is at.
    fn pause(&mut self, refusal: Option<&[u8]>) -> u64 {
        let pause = self.back_off.next();
        if refusal.is_some_and(greeting::tells_of_state) { pause.min(BUSY_PAUSE) } else { pause }
    }

    /// Forgets all that was of the socket.
    fn forget(&mut self, refusal: Option<&[u8]>, sink: &mut impl Sink) {
        self.parser = ReplyParser::new(self.options.limits);
        (self.input, self.output, self.reads_replica) = (vec![], vec![], false);
        // Whoever hears of a lost request knows already that the connection is down.
        sink.down(refusal);
        self.waiters.cut(|token, why| sink.lost(token, why));
    }
}

//! Hooks: what the host of a node has a say in. A session asks before it does a command that a hook is
//! interested in, and goes on when it is told how; a driver calls the hooks, which the core knows
//! nothing of but what interests them.
//!
//! A question is answered in place, by [`HookCaller::ask`], so that the commands behind it need not be
//! read again; or later, by [`Session::answer`](crate::Session::answer): until then its session waits,
//! and no other one does.

mod counts;
mod interest;

pub(crate) use counts::HookTotals;
pub use counts::{HookCounts, HookKind, KindCounts};
pub use interest::{Hooks, Interest, MOST_HOOKS};

use crate::news::ClientId;
use breakwater_resp::{Args, Protocol};
use smallvec::SmallVec;
use std::borrow::Cow;

/// A command that a hook is asked about: its user may run it.
pub struct HookedCommand<'a> {
    /// Which hook, by its place among those of [`Hooks`].
    pub hook: usize,
    /// Names the question within its session: an answer that comes later says so.
    pub number: u64,
    /// Whose command it is.
    pub client: ClientId,
    /// The name of its user.
    pub user: &'a str,
    /// The database of the client.
    pub db: u8,
    /// The protocol that its reply is to be in.
    pub protocol: Protocol,
    /// Whether it stands behind a `MULTI`.
    pub queued: bool,
    /// The command in lower case, with its part, as `config|set`.
    pub name: &'a str,
    /// All words, as the client sent them.
    pub args: Args<'a>,
    /// The places of the keys among them.
    pub keys: &'a [usize],
}

/// What a hook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The command goes on as it is; a client that has come is let in.
    Go,
    /// This request is done instead, as if the client had sent it: its user has to be permitted to.
    Rewrite(Vec<u8>),
    /// This is the reply, in the protocol of the question.
    Answer(Vec<u8>),
    /// It is refused, by this error.
    Refuse(Vec<u8>),
    /// The hook has failed: refused by this error.
    Fail(Vec<u8>),
    /// As [`Ruling::Fail`]: it has not answered in time.
    Late(Vec<u8>),
    /// A key has the route of this prefix; the usual one, if there is none.
    Route(Option<Vec<u8>>),
    /// A client that has come is let in, and is known by this from now on.
    Label(String),
}

/// Calls the hooks of a driver.
pub trait HookCaller {
    /// What interests them.
    fn hooks(&self) -> &Hooks;

    /// Asks about a command; `None` if the answer comes later.
    fn ask(&mut self, command: &HookedCommand<'_>) -> Option<Ruling>;

    /// Asks about a client that has come; `None` if the answer comes later.
    fn greet(&mut self, client: ClientId, number: u64) -> Option<Ruling>;

    /// Asks for the route of a key that a client reads; `None` if the answer comes later.
    fn route(&mut self, client: ClientId, number: u64, key: &[u8]) -> Option<Ruling>;
}

/// A command that a hook is to be asked about.
pub(crate) struct Question {
    pub(crate) hook: usize,
    pub(crate) name: Cow<'static, str>,
    pub(crate) keys: SmallVec<[usize; 4]>,
}

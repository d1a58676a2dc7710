//! How a connection to a server is made, and its bounds.

use breakwater_resp::{Protocol, ReplyLimits};
use std::fmt;

/// How a connection is made and bounded. Times are in milliseconds.
#[derive(Clone)]
pub struct UpstreamOptions {
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// The user that it authenticates as; the default one, if there is a password alone.
    pub user: Option<String>,
    /// The password that it authenticates with.
    pub password: Option<String>,
    /// The name that the server lists it by; none, if it is empty.
    pub name: String,
    /// The database that it selects.
    pub db: u32,
    /// Whether the server is asked to tell of changes of what is read after `CLIENT CACHING YES`: by
    /// pushes, which RESP3 alone has.
    pub tracks: bool,
    /// Prefixes of keys of whose changes the server is asked to tell, whoever reads them.
    pub prefixes: Vec<Vec<u8>>,
    /// Whether it is not told of what it changes itself.
    pub no_loop: bool,
    /// Whether the server may say what answers no request, and is no push: as it does to `MONITOR`.
    pub streams: bool,
    /// Whether it is for what ends the script that a server is busy with: that the server is busy is
    /// no refusal of the greeting then.
    pub urgent: bool,
    /// The most requests that wait for replies.
    pub requests: usize,
    /// The most bytes of requests that wait to be written.
    pub bytes: usize,
    /// How long a caller waits for a reply.
    pub timeout: u64,
    /// How long connecting may take, and greeting as well.
    pub connect_timeout: u64,
    /// How long a server that owes a reply may send nothing before it is taken for dead.
    pub silence: u64,
    /// A server from which nothing has come for so long, and which owes nothing, is asked whether it is
    /// there; never, if it is 0.
    pub heartbeat: u64,
    /// The shortest wait before it tries to connect again.
    pub retry_least: u64,
    /// The longest.
    pub retry_most: u64,
    /// What the server may send.
    pub limits: ReplyLimits,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            protocol: Protocol::Resp3,
            user: None,
            password: None,
            name: String::new(),
            db: 0,
            tracks: false,
            prefixes: vec![],
            no_loop: false,
            streams: false,
            urgent: false,
            requests: 10_000,
            bytes: 16 << 20,
            timeout: 2_000,
            connect_timeout: 2_000,
            silence: 5_000,
            heartbeat: 0,
            retry_least: 50,
            retry_most: 5_000,
            limits: ReplyLimits::default(),
        }
    }
}

impl fmt::Debug for UpstreamOptions {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, user, name, db, .. } = self;
        write!(f, "UpstreamOptions({protocol:?}, {user:?}, {name:?}, {db})")
    }
}

//! The sans-IO core of Breakwater's routing node: bytes of a client in, bytes for the client out.
//!
//! It owns no socket and no clock. A driver accepts connections, opens a [`Session`] for each with
//! [`Session::open`], hands it what it read with [`Session::feed`], writes what [`Output`] holds,
//! and does what [`Next`] says. One [`Router`] serves any number of threads.
//!
//! From the bottom up: `policy` (who may do what), [`catalog`] (the commands of a store), `sight` (what
//! is seen of it at work), `news` (what
//! clients are told without having asked), `hooks` (what the node's host has a say in), `store` (the embedded store), `shared` (what all
//! sessions share), `command` (what a request does), `client` (sessions). Beside them
//! `upstream` (connections to servers) and `topology` (which server a request goes to).
//!
//! ```
//! use breakwater_engine::{Cache, Config};
//! use breakwater_router::{Options, Output, Peer, Router, Session};
//! use std::sync::Arc;
//!
//! let cache = Arc::new(Cache::new(Config::default()).unwrap());
//! let router = Arc::new(Router::new(cache, Options::default(), 1_700_000_000_000));
//! let mut session = Session::open(&router, Peer::default(), 1_700_000_000_000).unwrap();
//! let mut output = Output::default();
//! session.feed(b"SET boat moored\r\nGET boat\r\n", 1_700_000_000_000, &mut output);
//! assert_eq!(output.bytes, b"+OK\r\n$6\r\nmoored\r\n");
//! ```

#![forbid(unsafe_code)]

mod cache;
pub mod catalog;
mod client;
mod command;
mod failure;
mod glob;
mod hooks;
mod news;
mod path;
mod policy;
mod shared;
mod sight;
mod store;
mod topology;
mod upstream;

pub use breakwater_engine::{Expected, expect};
pub use breakwater_resp::{Args, Protocol};
pub use cache::{
    AGES, Concern, Mode, Remembered, RememberedReply, Route, RouteCounts, Routes, awaits_reply,
};
pub use catalog::Permissions;
pub use client::{Next, Output, Session};
pub use hooks::{
    HookCaller, HookCounts, HookKind, HookedCommand, Hooks, Interest, KindCounts, MOST_HOOKS,
    Ruling,
};
pub use news::{ClientId, Mailbox, Message, Notice};
pub use path::{Delivery, Letter, LinkId, Payload, Relay, is_cacheable};
pub use policy::{
    CertificateName, CertificateRules, Quota, ShownCertificate, Template, TokenKey, TokenRules,
    User, Users, hash_password,
};
pub use shared::{
    AuditKeys, BufferCounts, Counts, HotKey, KnownKey, Limits, Options, Peer, RefusalReason,
    Reloads, Router, Rules, ServerCounts, ShownClient, TOO_MANY_CLIENTS,
};
pub use sight::{
    Cause, Cold, CommandClass, Crowding, HERD, Invalidated, Lane, Latencies, MOST_SHOWN, POWERS,
    RecordingStart, Seat, Seen, Sighting, Skew, StepCounts, ThreadCounts,
};
pub use topology::{
    ClusterOptions, MOST_REPLICAS, MOST_STORES, ReadFrom, Ring, RingNode, RingOptions, ServerId,
};
pub use upstream::{Busy, Lost, Phase, Sink, StoreAddress, Upstream, UpstreamOptions};

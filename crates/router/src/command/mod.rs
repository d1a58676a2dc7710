//! The commands: what each is called, what it may touch, and what runs it. One file a family.

mod acl;
mod call;
mod client;
mod config;
mod connection;
mod counter;
mod deadline;
mod dispatch;
mod expire;
mod families;
mod generic;
mod help;
mod info;
mod introspect;
mod keyspace;
mod long_double;
mod many;
mod node_info;
mod range;
mod spec;
mod state;
mod string;
mod table;
mod tier;
mod time;
mod topics;
mod tracking;

pub(crate) use crate::failure::wrong_arity;
pub(crate) use call::Call;
pub(crate) use dispatch::{ready, run, speaks_http, unknown};
pub(crate) use generic::database;
pub(crate) use node_info::write_node;
pub(crate) use state::State;

//! The families of commands, one file each, but for the commands about commands.

use super::spec::Command;
use super::{
    acl, client, config, connection, counter, expire, generic, info, keyspace, many, range, string,
    tier, time, topics,
};

/// What each family has.
pub(super) static FAMILIES: [&[Command]; 15] = [
    acl::COMMANDS,
    connection::COMMANDS,
    client::COMMANDS,
    info::COMMANDS,
    config::COMMANDS,
    string::COMMANDS,
    range::COMMANDS,
    counter::COMMANDS,
    many::COMMANDS,
    generic::COMMANDS,
    expire::COMMANDS,
    keyspace::COMMANDS,
    topics::COMMANDS,
    time::COMMANDS,
    tier::COMMANDS,
];

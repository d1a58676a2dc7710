//! What a command does to each of its keys, which keys it reaches beside them, and its channels: what
//! the rules of a user are held against.

use super::class::Class;
use super::known::Known;
use super::places::option;
use bitflags::bitflags;
use breakwater_resp::Args;
use foldhash::fast::FixedState;
use std::collections::HashSet;
use std::sync::LazyLock;

bitflags! {
    /// What is done to a key. A command that only asks whether there is one does neither.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Access: u8 {
        /// A value is told, or copied.
        const READ = 1;
        /// A value is changed.
        const WRITE = 2;
    }
}

/// Changes that tell nothing of what was there: of all keys, or of the one at this position.
const BLIND: &[&str] = &[
    "append",
    "bitop#0",
    "blmove#1",
    "brpoplpush#1",
    "copy#1",
    "del",
    "expire",
    "expireat",
    "geoadd",
    "georadius#1",
    "georadiusbymember#1",
    "geosearchstore#0",
    "hdel",
    "hmset",
    "hset",
    "hsetnx",
    "linsert",
    "lmove#1",
    "lpush",
    "lpushx",
    "lrem",
    "lset",
    "ltrim",
    "mset",
    "msetnx",
    "persist",
    "pexpire",
    "pexpireat",
    "pfadd",
    "psetex",
    "rename#1",
    "renamenx#1",
    "restore",
    "rpoplpush#1",
    "rpush",
    "rpushx",
    "sadd",
    "sdiffstore#0",
    "setex",
    "setnx",
    "setrange",
    "sinterstore#0",
    "smove#1",
    "sort#1",
    "srem",
    "sunionstore#0",
    "unlink",
    "xack",
    "xadd",
    "xautoclaim",
    "xclaim",
    "xdel",
    "xgroup|create",
    "xgroup|createconsumer",
    "xgroup|delconsumer",
    "xgroup|destroy",
    "xgroup|setid",
    "xsetid",
    "xtrim",
    "zadd",
    "zdiffstore#0",
    "zinterstore#0",
    "zrangestore#0",
    "zrem",
    "zremrangebylex",
    "zremrangebyrank",
    "zremrangebyscore",
    "zunionstore#0",
];

/// Reads that tell nothing of a value but whether it is there, and how large it is.
const SHALLOW: &[&str] = &[
    "exists",
    "hexists",
    "hlen",
    "hstrlen",
    "llen",
    "memory|usage",
    "object|encoding",
    "object|freq",
    "object|idletime",
    "object|refcount",
    "scard",
    "sismember",
    "strlen",
    "touch",
    "type",
    "watch",
    "xlen",
    "zcard",
];

/// What tells of keys that it does not name.
const TELLS: &[&str] = &[
    "cluster|getkeysinslot",
    "commandlog|get",
    "eval_ro",
    "evalsha_ro",
    "fcall_ro",
    "keys",
    "monitor",
    "randomkey",
    "scan",
    "slowlog|get",
];

static LISTED: LazyLock<HashSet<&'static str, FixedState>> =
    LazyLock::new(|| BLIND.iter().chain(SHALLOW).copied().collect());

impl Known {
    /// Tells of the place of each key, and what is done to it.
    pub(crate) fn each_access(&self, args: Args<'_>, mut tell: impl FnMut(usize, Access)) {
        if self.has_channels_for_keys() {
            return;
        }
        for (at, keys) in self.keys.iter().enumerate() {
            let access = self.access(at, keys.changes, args);
            keys.each(args, |place| tell(place, access));
        }
    }

    fn access(&self, at: usize, changes: bool, args: Args<'_>) -> Access {
        let name = &*self.name;
        let listed = LISTED.contains(name)
            || (self.keys.len() > 1 && LISTED.contains(&*format!("{name}#{at}")));
        match (name, changes) {
            // Consumers are read for: their places in a stream are none of its values.
            ("xreadgroup", _) => Access::READ,
            ("set", _) if !option(args, 3, &["get"]) => Access::WRITE,
            ("bitfield", _) if !option(args, 2, &["set", "incrby"]) => Access::READ,
            (_, false) if listed => Access::empty(),
            (_, false) => Access::READ,
            (_, true) if listed => Access::WRITE,
            (_, true) => Access::all(),
        }
    }

    /// What is done to keys that it does not name, so that a user needs to be permitted that for all.
    /// A script may do anything to any key: the node does not see what it does.
    pub(crate) fn reach(&self) -> Access {
        match self.class {
            Class::Scope | Class::Script => Access::all(),
            _ if TELLS.contains(&&*self.name) => Access::READ,
            _ => Access::empty(),
        }
    }

    /// Whether what it has in the places of keys are channels.
    fn has_channels_for_keys(&self) -> bool {
        matches!(&*self.name, "spublish" | "ssubscribe" | "sunsubscribe")
    }

    /// Where its channels stand, and whether they are patterns.
    pub(crate) fn channels(&self, words: usize) -> (std::ops::Range<usize>, bool) {
        match &*self.name {
            "publish" | "spublish" => (1..2.min(words), false),
            "subscribe" | "ssubscribe" => (1..words, false),
            "psubscribe" => (1..words, true),
            _ => (0..0, false),
        }
    }
}

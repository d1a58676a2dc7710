//! How each command is done where the keys are on several servers: on which of them, and how their
//! replies become one.

use super::class::Class;
use super::known::Known;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Which servers do a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The node itself, or the server that what it belongs to goes to.
    Node,
    /// That of its keys, which have to be in one place; any if it names none.
    Whole,
    /// That of each key: a part of its own with all the keys that are in one place.
    ByKey(KeyWords, Merge),
    /// All of them.
    All(Merge),
    /// Any of them: all say the same, or it does not matter which one is asked.
    Any,
    /// The first one: what it speaks of is there.
    First,
    /// All of them, one after the other: its cursor says where it goes on.
    Scan,
}

/// Where a command that is done by key has its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyWords {
    /// Each key, and what belongs to it: so many words.
    pub each: usize,
    /// So many words stand behind the last one, and belong to all.
    pub tail: usize,
}

/// How the replies to the parts of a request become one. Where one of them is an error, so is the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Their sum.
    Sum,
    /// The values of the keys, in the order of the keys.
    Values,
    /// All that is in them, one behind the other.
    Concatenate,
    /// The first: they say the same, as `OK`.
    Same,
    /// The least number.
    Least,
    /// 1 where all have 1, for each word of the request.
    Every,
    /// All that is in them, each once.
    Union,
    /// The largest number; of names with numbers, the largest of each.
    Most,
    /// One of them that is no error, if there is one.
    OneDone,
    /// One of them that is a value, if there is one.
    OneValue,
}

use Merge::{Concatenate, Every, Least, Most, OneDone, OneValue, Same, Sum, Union, Values};
use Split::{All, Any, ByKey, First, Scan, Whole};

const fn words(each: usize, tail: usize) -> KeyWords {
    KeyWords { each, tail }
}

/// All that are not done where their keys are, or by the node.
#[rustfmt::skip]
static TABLE: &[(Split, &[&str])] = &[
    (ByKey(words(1, 0), Sum), &["del", "exists", "touch", "unlink"]),
    (ByKey(words(1, 0), Values), &["mget"]),
    (ByKey(words(1, 1), Values), &["json.mget"]),
    (ByKey(words(2, 0), Same), &["mset"]),
    (ByKey(words(3, 0), Same), &["json.mset"]),
    (All(Sum), &["commandlog|len", "commandlog|reset", "dbsize", "latency|reset", "slowlog|len"]),
    (All(Concatenate), &["commandlog|get", "keys", "slowlog|get"]),
    (All(Same), &[
        "acl|deluser", "acl|load", "acl|save", "acl|setuser", "bgrewriteaof", "bgsave",
        "config|resetstat", "config|rewrite", "config|set", "debug", "flushall", "flushdb",
        "function|delete", "function|flush", "function|load", "function|restore",
        "memory|purge", "module|load", "module|loadex", "module|unload", "save",
        "script|flush", "script|load", "slowlog|reset", "swapdb",
    ]),
    (All(Least), &["lastsave"]),
    // A node has its subscriptions at each store of a ring: they count once.
    (All(Union), &["pubsub|channels", "pubsub|shardchannels"]),
    (All(Most), &["pubsub|numpat", "pubsub|numsub", "pubsub|shardnumsub"]),
    (All(Every), &["script|exists"]),
    (All(OneDone), &["function|kill", "script|kill"]),
    (All(OneValue), &["randomkey"]),
    (Scan, &["scan"]),
    (Any, &[
        "acl", "acl|cat", "acl|dryrun", "acl|genpass", "acl|getuser", "acl|help", "acl|list",
        "acl|log", "acl|users", "acl|whoami", "cluster", "cluster|addslots",
        "cluster|addslotsrange", "cluster|bumpepoch", "cluster|count-failure-reports",
        "cluster|countkeysinslot", "cluster|delslots", "cluster|delslotsrange",
        "cluster|failover", "cluster|flushslots", "cluster|forget", "cluster|getkeysinslot",
        "cluster|help", "cluster|info", "cluster|keyslot", "cluster|links", "cluster|meet",
        "cluster|myid", "cluster|myshardid", "cluster|nodes", "cluster|replicas",
        "cluster|replicate", "cluster|reset", "cluster|saveconfig",
        "cluster|set-config-epoch", "cluster|setslot", "cluster|shards", "cluster|slaves",
        "cluster|slot-stats", "cluster|slots", "command", "commandlog", "commandlog|help",
        "command|count", "command|docs", "command|getkeys", "command|getkeysandflags",
        "command|help", "command|info", "command|list", "config", "config|get", "config|help",
        "function", "function|dump", "function|help", "function|list", "function|stats",
        "latency", "latency|doctor", "latency|graph", "latency|help", "latency|histogram",
        "latency|history", "latency|latest", "lolwut", "memory", "memory|doctor",
        "memory|help", "memory|malloc-stats", "memory|stats", "module", "module|help",
        "module|list", "object", "object|help", "pubsub|help", "role", "script",
        "script|help", "script|show", "slowlog", "slowlog|help", "time", "xgroup",
        "xgroup|help", "xinfo", "xinfo|help",
    ]),
    // A message goes to the store of its channel, where that is a ring: see `relay/pubsub`.
    (First, &["monitor", "publish", "pubsub", "ssubscribe", "sunsubscribe"]),
    // What was written before goes to wherever that was.
    (First, &["wait", "waitaof"]),
    // Their keys are in one place, or they name none.
    (Whole, &["eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro"]),
];

static BY_NAME: LazyLock<HashMap<&'static str, Split, FixedState>> = LazyLock::new(|| {
    let each = TABLE.iter().flat_map(|(split, names)| names.iter().map(|name| (*name, *split)));
    each.collect()
});

impl Known {
    /// Which servers do it, where there are several.
    pub fn split(&self) -> Split {
        if self.has_one_key() {
            return Whole;
        }
        match BY_NAME.get(&*self.name) {
            Some(split) => *split,
            None => self.usual_split(),
        }
    }

    /// That of a command that the table does not name.
    fn usual_split(&self) -> Split {
        match self.class {
            Class::Local
            | Class::Multi
            | Class::Exec
            | Class::Discard
            | Class::Unwatch
            | Class::Subscribes
            | Class::Refused(_) => Split::Node,
            _ if self.keys.is_empty() => First,
            _ => Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::known;

    #[test]
    fn every_command_has_a_row_or_keys_or_is_the_nodes_own() {
        for known in known() {
            let said = BY_NAME.contains_key(&*known.name);
            let nodes = known.usual_split() == Split::Node;
            assert!(said || nodes || !known.keys.is_empty(), "{} has no row", known.name);
        }
    }

    #[test]
    fn every_row_is_that_of_a_command_and_there_is_one_of_each() {
        let names: Vec<_> = TABLE.iter().flat_map(|(_, names)| names.iter()).collect();
        assert_eq!(names.len(), BY_NAME.len(), "a command has two rows");
        for name in names {
            assert!(known().any(|known| known.name == *name), "{name} is no command");
        }
    }

    #[test]
    fn what_is_done_by_key_or_by_all_is_no_script_and_needs_no_connection_of_its_own() {
        for known in known().filter(|known| matches!(known.split(), ByKey(..) | All(_) | Scan)) {
            let fits =
                matches!(known.class, Class::Read | Class::Write | Class::Scope | Class::Other);
            assert!(fits, "{}: {:?}", known.name, known.class);
        }
    }
}

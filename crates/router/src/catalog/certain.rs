//! Replies that say that a write has changed all keys that it names. Where a reply does not say so for
//! certain, in any version of a store, the answer is no.

use super::known::Known;
use breakwater_resp::{Args, number};

/// Whether the reply to a write, no error, says that it has changed each of its `keys` keys.
pub(crate) fn certain(known: &Known, args: Args<'_>, keys: usize, reply: &[u8]) -> bool {
    let count = reply.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b"\r\n"));
    let count = count.and_then(number::integer);
    let some = count.is_some_and(|count| count > 0);
    match &*known.name {
        "set" | "setex" | "psetex" | "mset" | "lset" => reply == b"+OK\r\n",
        // To its own name nothing changes.
        "rename" => reply == b"+OK\r\n" && args.get(1) != args.get(2),
        "append" | "incr" | "incrby" | "incrbyfloat" | "decr" | "decrby" | "getset" | "hset"
        | "hmset" | "hincrby" | "hincrbyfloat" | "lpush" | "rpush" => true,
        "setrange" => some && args.get(3).is_some_and(|text| !text.is_empty()),
        "setnx" | "msetnx" | "hsetnx" | "renamenx" | "copy" | "move" | "persist" | "expire"
        | "expireat" | "pexpire" | "pexpireat" | "pfadd" | "hdel" | "lpushx" | "rpushx"
        | "linsert" | "lrem" | "sadd" | "srem" | "zadd" | "zrem" | "zremrangebylex"
        | "zremrangebyrank" | "zremrangebyscore" | "geoadd" | "xdel" | "xtrim" => some,
        "del" | "unlink" => count.is_some_and(|count| count == keys as i64),
        "getdel" | "lpop" | "rpop" | "spop" | "rpoplpush" | "lmove" | "xadd" => {
            reply.starts_with(b"$") && !reply.starts_with(b"$-1")
        }
        _ => false,
    }
}

/// Whether the reply to a write says that it has changed nothing.
pub(crate) fn idle(known: &Known, args: Args<'_>, reply: &[u8]) -> bool {
    let none = matches!(reply, b"_\r\n" | b"$-1\r\n" | b"*-1\r\n");
    match &*known.name {
        "set" => none && !(3..args.len()).any(|at| args.is(at, "get")),
        "setnx" | "msetnx" | "hsetnx" | "renamenx" | "copy" | "move" | "persist" | "expire"
        | "expireat" | "pexpire" | "pexpireat" | "hdel" | "lpushx" | "rpushx" | "lrem" | "sadd"
        | "srem" | "zrem" | "zremrangebylex" | "zremrangebyrank" | "zremrangebyscore" | "del"
        | "unlink" | "xdel" | "xtrim" => reply == b":0\r\n",
        "getdel" | "lpop" | "rpop" | "spop" | "rpoplpush" | "lmove" => none,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{certain, idle};
    use crate::catalog;
    use breakwater_resp::{RequestParser, write_request};

    /// What the reply to a request says: that all has changed, that nothing has, or neither.
    fn says(request: &str, reply: &str) -> char {
        let (mut bytes, mut parser) = (vec![], RequestParser::default());
        write_request(&mut bytes, &request.split(' ').collect::<Vec<_>>());
        parser.parse(&bytes, true);
        let args = parser.args(&bytes);
        let known = catalog::find(args).unwrap();
        let (mut keys, reply) = (0, format!("{reply}\r\n"));
        known.each_key(args, |_, changes| keys += usize::from(changes));
        let (all, none) =
            (certain(known, args, keys, reply.as_bytes()), idle(known, args, reply.as_bytes()));
        assert!(!(all && none), "{request} {reply}");
        if all { 'a' } else { "?n".as_bytes()[usize::from(none)] as char }
    }

    #[test]
    fn a_reply_that_leaves_a_doubt_says_nothing() {
        let table = [
            ("SET k v", "+OK", 'a'),
            ("SET k v NX", "_", 'n'),
            // It was not there before, or is not set.
            ("SET k v NX GET", "_", '?'),
            ("SET k v GET", "$1\r\nx", '?'),
            ("RENAME k k", "+OK", '?'),
            ("RENAME k l", "+OK", 'a'),
            ("DEL k l", ":2", 'a'),
            ("DEL k l", ":1", '?'),
            ("DEL k l", ":0", 'n'),
            ("SETRANGE k 0 x", ":1", 'a'),
            ("LTRIM k 0 1", "+OK", '?'),
            ("ZADD k 1 m", ":0", '?'),
            ("ZINCRBY k 0 m", ",1", '?'),
            ("SMOVE k k m", ":1", '?'),
            ("LPOP k 0", "*0", '?'),
            ("LPOP k", "$1\r\nx", 'a'),
            ("HSET k f v", ":0", 'a'),
            ("EVAL x 1 k", "+OK", '?'),
        ];
        for (request, reply, expected) in table {
            assert_eq!(says(request, reply), expected, "{request}: {reply}");
        }
    }
}

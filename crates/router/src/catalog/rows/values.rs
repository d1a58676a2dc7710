//! Strings, bitmaps, HyperLogLogs.

use super::{
    ADMIN, READ, SERVERS, WRITE, counted_writes, reads, reads_from, row, writes, writes_from,
};
use crate::catalog::Known;
use crate::catalog::class::Class::{Read, Refused, Write};

#[rustfmt::skip]
pub(super) static ROWS: &[Known] = &[
    row("append", 3, Write, WRITE, &[writes(1)]).alike(),
    row("bitcount", -2, Read, READ, &[reads(1)]).cached(),
    row("bitfield", -2, Write, WRITE, &[writes(1)]),
    row("bitfield_ro", -2, Read, READ, &[reads(1)]).cached(),
    row("bitop", -4, Write, WRITE, &[writes(2), reads_from(3, -1, 1)]).alike(),
    row("bitpos", -3, Read, READ, &[reads(1)]).cached(),
    row("decr", 2, Write, WRITE, &[writes(1)]).alike(),
    row("decrby", 3, Write, WRITE, &[writes(1)]).alike(),
    row("delex", -2, Write, WRITE, &[writes(1)]).alike(),
    row("delifeq", 3, Write, WRITE, &[writes(1)]).alike(),
    row("digest", 2, Read, READ, &[reads(1)]).cached(),
    row("get", 2, Read, READ, &[reads(1)]).cached(),
    row("getbit", 3, Read, READ, &[reads(1)]).cached(),
    row("getdel", 2, Write, WRITE, &[writes(1)]).alike(),
    row("getex", -2, Write, WRITE, &[writes(1)]).alike(),
    row("getrange", 4, Read, READ, &[reads(1)]).cached(),
    row("getset", 3, Write, WRITE, &[writes(1)]).alike(),
    row("incr", 2, Write, WRITE, &[writes(1)]).alike(),
    row("incrby", 3, Write, WRITE, &[writes(1)]).alike(),
    row("incrbyfloat", 3, Write, WRITE, &[writes(1)]).alike(),
    row("lcs", -3, Read, READ, &[reads_from(1, 2, 1)]).cached(),
    row("mget", -2, Read, READ, &[reads_from(1, -1, 1)]).cached(),
    row("mset", -3, Write, WRITE, &[writes_from(1, -1, 2)]).alike(),
    row("msetex", -4, Write, WRITE, &[counted_writes(1, 2)]).alike(),
    row("msetnx", -3, Write, WRITE, &[writes_from(1, -1, 2)]).alike(),
    row("pfadd", -2, Write, WRITE, &[writes(1)]).alike(),
    row("pfcount", -2, Read, READ, &[reads_from(1, -1, 1)]).cached(),
    row("pfdebug", 3, Refused(SERVERS), ADMIN, &[writes(2)]),
    row("pfmerge", -2, Write, WRITE, &[writes(1), reads_from(2, -1, 1)]).alike(),
    row("pfselftest", 1, Refused(SERVERS), ADMIN, &[]),
    row("psetex", 4, Write, WRITE, &[writes(1)]).alike(),
    row("set", -3, Write, WRITE, &[writes(1)]).alike(),
    row("setbit", 4, Write, WRITE, &[writes(1)]).alike(),
    row("setex", 4, Write, WRITE, &[writes(1)]).alike(),
    row("setnx", 3, Write, WRITE, &[writes(1)]).alike(),
    row("setrange", 4, Write, WRITE, &[writes(1)]).alike(),
    row("strlen", 2, Read, READ, &[reads(1)]).cached(),
    row("substr", 4, Read, READ, &[reads(1)]).cached(),
];

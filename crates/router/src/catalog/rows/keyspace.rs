//! Keys of any type.

use super::{MIGRATE, NONE, READ, SORT_STORE, WRITE, reads, reads_from, row, writes, writes_from};
use crate::catalog::Known;
use crate::catalog::class::Class::{Other, Read, Waits, Write};

#[rustfmt::skip]
pub(super) static ROWS: &[Known] = &[
    row("copy", -3, Write, WRITE, &[reads(1), writes(2)]).alike(),
    row("del", -2, Write, WRITE, &[writes_from(1, -1, 1)]).alike(),
    row("dump", 2, Read, READ, &[reads(1)]),
    row("exists", -2, Read, READ, &[reads_from(1, -1, 1)]).cached(),
    row("expire", -3, Write, WRITE, &[writes(1)]).alike(),
    row("expireat", -3, Write, WRITE, &[writes(1)]).alike(),
    row("expiretime", 2, Read, READ, &[reads(1)]).alike(),
    row("keys", 2, Read, READ, &[]),
    row("migrate", -6, Write, WRITE, &[MIGRATE]),
    row("move", 3, Write, WRITE, &[writes(1)]).alike(),
    row("object", -2, Other, NONE, &[]).parted(),
    row("object|encoding", 3, Read, READ, &[reads(2)]),
    row("object|freq", 3, Read, READ, &[reads(2)]),
    row("object|help", 2, Other, NONE, &[]),
    row("object|idletime", 3, Read, READ, &[reads(2)]),
    row("object|refcount", 3, Read, READ, &[reads(2)]),
    row("persist", 2, Write, WRITE, &[writes(1)]).alike(),
    row("pexpire", -3, Write, WRITE, &[writes(1)]).alike(),
    row("pexpireat", -3, Write, WRITE, &[writes(1)]).alike(),
    row("pexpiretime", 2, Read, READ, &[reads(1)]).alike(),
    row("pttl", 2, Read, READ, &[reads(1)]).alike(),
    row("randomkey", 1, Read, READ, &[]),
    row("rename", 3, Write, WRITE, &[writes(1), writes(2)]).alike(),
    row("renamenx", 3, Write, WRITE, &[writes(1), writes(2)]).alike(),
    row("restore", -4, Write, WRITE, &[writes(1)]),
    row("scan", -2, Read, READ, &[]),
    row("sort", -2, Write, WRITE, &[reads(1), SORT_STORE]),
    row("sort_ro", -2, Read, READ, &[reads(1)]),
    row("touch", -2, Read, READ, &[reads_from(1, -1, 1)]).alike(),
    row("ttl", 2, Read, READ, &[reads(1)]).alike(),
    row("type", 2, Read, READ, &[reads(1)]).cached(),
    row("unlink", -2, Write, WRITE, &[writes_from(1, -1, 1)]).alike(),
    row("wait", 3, Waits, NONE, &[]),
    row("waitaof", 4, Waits, NONE, &[]),
];

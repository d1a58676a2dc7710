//! RedisJSON, the module that most stores have.

use super::{READ, WRITE, reads, reads_from, row, writes, writes_from};
use crate::catalog::Known;
use crate::catalog::class::Class::{Read, Write};

#[rustfmt::skip]
pub(super) static ROWS: &[Known] = &[
    row("json.arrappend", -4, Write, WRITE, &[writes(1)]),
    row("json.arrindex", -4, Read, READ, &[reads(1)]).cached(),
    row("json.arrinsert", -5, Write, WRITE, &[writes(1)]),
    row("json.arrlen", -2, Read, READ, &[reads(1)]).cached(),
    row("json.arrpop", -2, Write, WRITE, &[writes(1)]),
    row("json.arrtrim", 5, Write, WRITE, &[writes(1)]),
    row("json.clear", -2, Write, WRITE, &[writes(1)]),
    row("json.del", -2, Write, WRITE, &[writes(1)]),
    row("json.forget", -2, Write, WRITE, &[writes(1)]),
    row("json.get", -2, Read, READ, &[reads(1)]).cached(),
    row("json.merge", 4, Write, WRITE, &[writes(1)]),
    row("json.mget", -3, Read, READ, &[reads_from(1, -2, 1)]).cached(),
    row("json.mset", -4, Write, WRITE, &[writes_from(1, -3, 3)]),
    row("json.numincrby", 4, Write, WRITE, &[writes(1)]),
    row("json.nummultby", 4, Write, WRITE, &[writes(1)]),
    row("json.objkeys", -2, Read, READ, &[reads(1)]).cached(),
    row("json.objlen", -2, Read, READ, &[reads(1)]).cached(),
    row("json.resp", -2, Read, READ, &[reads(1)]).cached(),
    row("json.set", -4, Write, WRITE, &[writes(1)]),
    row("json.strappend", -3, Write, WRITE, &[writes(1)]),
    row("json.strlen", -2, Read, READ, &[reads(1)]).cached(),
    row("json.toggle", 3, Write, WRITE, &[writes(1)]),
    row("json.type", -2, Read, READ, &[reads(1)]).cached(),
];

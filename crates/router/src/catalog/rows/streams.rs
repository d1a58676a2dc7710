//! Streams.

use super::{NONE, READ, STREAMS, STREAMS_READ, WRITE, reads, row, writes};
use crate::catalog::Known;
use crate::catalog::class::Class::{MayBlock, Other, Read, Write};

#[rustfmt::skip]
pub(super) static ROWS: &[Known] = &[
    row("xack", -4, Write, WRITE, &[writes(1)]).alike(),
    row("xackdel", -6, Write, WRITE, &[writes(1)]),
    row("xadd", -5, Write, WRITE, &[writes(1)]).alike(),
    row("xautoclaim", -6, Write, WRITE, &[writes(1)]),
    row("xclaim", -6, Write, WRITE, &[writes(1)]),
    row("xdel", -3, Write, WRITE, &[writes(1)]).alike(),
    row("xdelex", -5, Write, WRITE, &[writes(1)]),
    row("xgroup", -2, Other, NONE, &[]).parted(),
    row("xgroup|create", -5, Write, WRITE, &[writes(2)]),
    row("xgroup|createconsumer", 5, Write, WRITE, &[writes(2)]),
    row("xgroup|delconsumer", 5, Write, WRITE, &[writes(2)]),
    row("xgroup|destroy", 4, Write, WRITE, &[writes(2)]),
    row("xgroup|help", 2, Other, NONE, &[]),
    row("xgroup|setid", -5, Write, WRITE, &[writes(2)]),
    row("xinfo", -2, Other, NONE, &[]).parted(),
    row("xinfo|consumers", 4, Read, READ, &[reads(2)]),
    row("xinfo|groups", 3, Read, READ, &[reads(2)]),
    row("xinfo|help", 2, Other, NONE, &[]),
    row("xinfo|stream", -3, Read, READ, &[reads(2)]),
    row("xlen", 2, Read, READ, &[reads(1)]).cached().alike(),
    row("xpending", -3, Read, READ, &[reads(1)]),
    row("xrange", -4, Read, READ, &[reads(1)]).cached(),
    row("xread", -4, MayBlock, READ, &[STREAMS_READ]),
    row("xreadgroup", -7, MayBlock, WRITE, &[STREAMS]),
    row("xrevrange", -4, Read, READ, &[reads(1)]).cached(),
    row("xsetid", -3, Write, WRITE, &[writes(1)]),
    row("xtrim", -4, Write, WRITE, &[writes(1)]).alike(),
];

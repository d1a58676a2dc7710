//! A line of `MONITOR`: `+1700000000.000001 [0 127.0.0.1:50000] "get" "boat"`.

/// What a line tells.
pub(super) struct Told<'a> {
    /// Seconds since 1970, with microseconds.
    pub(super) time: &'a str,
    /// The number of the client's database.
    pub(super) database: &'a [u8],
    /// The command's words, in quotes.
    pub(super) command: &'a [u8],
}

impl<'a> Told<'a> {
    /// Reads a line. `None` if it tells of no client's command.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let line = line.strip_prefix(b"+")?;
        let at = line.iter().position(|&byte| byte == b' ')?;
        let time = std::str::from_utf8(&line[..at]).ok()?;
        if !time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return None;
        }
        let client = line[at + 1..].strip_prefix(b"[")?;
        let at = client.iter().position(|&byte| byte == b' ')?;
        let (database, from) = (&client[..at], &client[at + 1..]);
        let end = from.windows(3).position(|bytes| bytes == b"] \"")?;
        // What a script does is its own affair.
        (&from[..end] != b"lua").then_some(Self { time, database, command: &from[end + 2..] })
    }
}

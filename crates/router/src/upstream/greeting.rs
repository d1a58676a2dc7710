//! What a connection says before it is used: who it is, the protocol, its name, its database.

use super::options::UpstreamOptions;
use breakwater_resp::{Protocol, write_request};

/// Whether a server says by this error that it is there, and can do nothing for now: so it says to
/// whoever asks, and so its clients are to read it.
pub fn tells_of_state(error: &[u8]) -> bool {
    error.starts_with(b"-BUSY ") || error.starts_with(b"-LOADING ")
}

/// Appends the greeting; how many replies it gets.
pub(super) fn write(options: &UpstreamOptions, out: &mut Vec<u8>) -> usize {
    let mut count = 0;
    let mut say = |words: &[&[u8]]| {
        write_request(out, words);
        count += 1;
    };
    let credentials = options.password.as_ref().map(|password| {
        (options.user.as_deref().unwrap_or("default").as_bytes(), password.as_bytes())
    });
    match (options.protocol, credentials) {
        (Protocol::Resp3, Some((user, password))) => {
            say(&[b"HELLO", b"3", b"AUTH", user, password]);
        }
        (Protocol::Resp3, None) => say(&[b"HELLO", b"3"]),
        // Servers before 6.0 have no users.
        (Protocol::Resp2, Some((_, password))) if options.user.is_none() => {
            say(&[b"AUTH", password]);
        }
        (Protocol::Resp2, Some((user, password))) => say(&[b"AUTH", user, password]),
        (Protocol::Resp2, None) => {}
    }
    if !options.name.is_empty() {
        say(&[b"CLIENT", b"SETNAME", options.name.as_bytes()]);
    }
    if options.db != 0 {
        say(&[b"SELECT", options.db.to_string().as_bytes()]);
    }
    if options.tracks {
        say(&[b"CLIENT", b"TRACKING", b"ON", b"OPTIN"]);
    }
    if !options.prefixes.is_empty() {
        let mut words: Vec<&[u8]> = vec![b"CLIENT", b"TRACKING", b"ON", b"BCAST"];
        for prefix in &options.prefixes {
            words.extend([b"PREFIX".as_slice(), prefix]);
        }
        if options.no_loop {
            words.push(b"NOLOOP");
        }
        say(&words);
    }
    // In RESP3 the server has said by then which number it knows the connection by.
    if options.protocol == Protocol::Resp2 {
        say(&[b"CLIENT", b"ID"]);
    }
    // Whatever was said, the server has answered once.
    say(&[b"PING"]);
    count
}

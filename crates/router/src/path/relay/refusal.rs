//! What a server of a cluster says that has not done a request.

use super::Relay;
use crate::topology::ServerId;
use breakwater_resp::Kind;

/// What a server says that has not done a request.
#[derive(Debug, PartialEq, Eq)]
enum Refused<'a> {
    Moved(&'a str),
    Ask(&'a str),
    Later,
}

/// What an error of a cluster's server says; `None` if it is the reply.
fn refused(reply: &[u8]) -> Option<Refused<'_>> {
    let line = std::str::from_utf8(reply.strip_prefix(b"-")?).ok()?.trim_end();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let place = || rest.split_once(' ').map(|(_, place)| place);
    match word {
        "MOVED" => Some(Refused::Moved(place()?)),
        "ASK" => Some(Refused::Ask(place()?)),
        "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" => Some(Refused::Later),
        _ => None,
    }
}

/// A host, which may be none, and a port.
fn place(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
}

/// Whether a reply is an error by which a server of a cluster says that it has not done a request.
pub(super) fn is_refusal(kind: Kind, reply: &[u8]) -> bool {
    kind.is_error() && refused(reply).is_some()
}

impl Relay {
    /// The server that an error of another one names, and whether it is asked behind `ASKING`.
    pub(super) fn named(&self, asked: ServerId, error: &[u8]) -> (Option<ServerId>, bool) {
        let (at, asks) = match refused(error) {
            Some(Refused::Moved(at)) => (at, false),
            Some(Refused::Ask(at)) => (at, true),
            _ => return (None, false),
        };
        let topology = &self.router.topology;
        let cluster = topology.cluster.as_ref().zip(place(at));
        let server = cluster.and_then(|(cluster, (host, port))| {
            cluster.number(&topology.servers, asked, host, port)
        });
        (server, asks)
    }
}

#[cfg(test)]
mod tests {
    use super::{Refused, place, refused};

    #[test]
    fn what_a_server_has_not_done_is_told_from_its_replies() {
        assert_eq!(refused(b"-MOVED 7 10.0.0.1:70\r\n"), Some(Refused::Moved("10.0.0.1:70")));
        assert_eq!(refused(b"-ASK 7 :70\r\n"), Some(Refused::Ask(":70")));
        assert_eq!(refused(b"-TRYAGAIN Multiple keys\r\n"), Some(Refused::Later));
        assert_eq!(refused(b"-CLUSTERDOWN The cluster is down\r\n"), Some(Refused::Later));
        for other in
            [b"-ERR MOVED 7 a:1\r\n".as_slice(), b"-MOVED\r\n", b"-MOVED 7\r\n", b"+OK\r\n"]
        {
            assert_eq!(refused(other), None);
        }
        assert_eq!(place("a:70"), Some(("a", 70)));
        assert_eq!(place("[::1]:70"), Some(("::1", 70)));
        assert_eq!((place(":70"), place("a"), place("a:x")), (Some(("", 70)), None, None));
    }
}

//! Whether a reply is one that a key which is not there would give.
//!
//! While a slot of a cluster moves, its keys leave one by one, and the replicas of the shard that they
//! leave do not know that: they answer as if the keys were gone. So such a reply is not taken from a
//! replica of a cluster: the master is asked, which says who has the key.

use breakwater_resp::Reply;

/// The longest string that says that nothing is there, `none`, with what is around it.
const LONGEST: usize = "$4\r\nnone\r\n".len();

/// Whether a read of one key, or of values of several (`MGET`), may have met one that is not there.
pub(super) fn is_likely(reply: &[u8]) -> bool {
    // Most are values.
    let is_long = reply.starts_with(b"$") && reply.len() > LONGEST;
    !is_long && Reply::decode(reply).is_ok_and(|reply| is_nothing(&reply) || has_null(&reply))
}

/// What commands answer of nothing: no value, none of something, no element, elements that are all
/// nothing, or that there is no such key.
fn is_nothing(reply: &Reply<'_>) -> bool {
    match reply {
        Reply::Null | Reply::NullArray | Reply::Boolean(false) => true,
        Reply::Error(_) | Reply::BulkError(_) => true,
        Reply::Integer(number) => *number <= 0,
        Reply::Array(parts) | Reply::Set(parts) => parts.iter().all(is_nothing),
        Reply::Map(parts) => parts.is_empty(),
        other => other.text().is_some_and(|text| matches!(text, b"" | b"0" | b"none")),
    }
}

fn has_null(reply: &Reply<'_>) -> bool {
    matches!(reply, Reply::Array(parts) if parts.contains(&Reply::Null))
}

#[cfg(test)]
mod tests {
    use super::is_likely;

    #[test]
    fn replies_of_keys_that_are_not_there_are_told_from_others() {
        for nothing in [
            "$-1\r\n",
            "*-1\r\n",
            "_\r\n",
            ":0\r\n",
            ":-2\r\n",
            "+none\r\n",
            "$0\r\n\r\n",
            "*0\r\n",
            "%0\r\n",
            "~0\r\n",
            "#f\r\n",
            "-ERR no such key\r\n",
            "*2\r\n$-1\r\n:0\r\n",
            "*2\r\n$1\r\nv\r\n$-1\r\n",
            "*2\r\n$1\r\n0\r\n*0\r\n",
        ] {
            assert!(is_likely(nothing.as_bytes()), "{nothing}");
        }
        for something in [
            "$1\r\nv\r\n",
            ":1\r\n",
            "+string\r\n",
            "*2\r\n:0\r\n:1\r\n",
            "%1\r\n+a\r\n_\r\n",
            "#t\r\n",
        ] {
            assert!(!is_likely(something.as_bytes()), "{something}");
        }
    }
}

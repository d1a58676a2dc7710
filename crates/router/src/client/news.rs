//! News in the form of a client's protocol.

use crate::command::State;
use crate::news::{Message, Notice};
use breakwater_resp::{Protocol, ReplyWriter};

/// The channel of changes, for clients of RESP2 that others redirect to.
const INVALIDATE: &[u8] = b"__redis__:invalidate";

/// Writes news for a client, if it can be told.
pub(super) fn write(news: &Notice, state: &State, out: &mut Vec<u8>) {
    match news {
        Notice::Changed { keys, redirected } => {
            let Some(mut reply) = begin(*redirected, state, out) else { return };
            reply.array(keys.len());
            keys.iter().for_each(|key| reply.bulk(key));
        }
        Notice::Flushed { redirected } => {
            let Some(mut reply) = begin(*redirected, state, out) else { return };
            reply.null_array();
        }
        Notice::Broken(client) if state.protocol == Protocol::Resp3 => {
            let mut reply = ReplyWriter::new(out, Protocol::Resp3);
            reply.push(2);
            reply.bulk(b"tracking-redir-broken");
            reply.integer(*client as i64);
        }
        Notice::Broken(_) | Notice::Missed | Notice::Expired => {}
        Notice::Message(message) => bring(message, state, out),
    }
}

/// The beginning of what a client is told of changes; `None` if it cannot be told.
fn begin<'a>(redirected: bool, state: &State, out: &'a mut Vec<u8>) -> Option<ReplyWriter<'a>> {
    // What was on its way when it ceased to track is not for it.
    if !redirected && state.tracks().is_none() {
        return None;
    }
    let mut reply = ReplyWriter::new(out, state.protocol);
    match state.protocol {
        Protocol::Resp3 => {
            reply.push(2);
            reply.bulk(b"invalidate");
        }
        Protocol::Resp2 if redirected && !state.topics.is_empty() => {
            reply.array(3);
            reply.bulk(b"message");
            reply.bulk(INVALIDATE);
        }
        // It would take it for a reply.
        Protocol::Resp2 => return None,
    }
    Some(reply)
}

/// A message, which is an array where there are no pushes.
fn bring(message: &Message, state: &State, out: &mut Vec<u8>) {
    match (state.protocol, &message.push[..]) {
        // What was on its way when it ceased to subscribe is not for it.
        _ if !state.topics.contains(&message.topic) => {}
        (Protocol::Resp2, [_, rest @ ..]) => {
            out.push(b'*');
            out.extend_from_slice(rest);
        }
        (_, push) => out.extend_from_slice(push),
    }
}

//! Requests over a client's own connection that a server of a cluster has not done: the connection leads to
//! another one, or they are done over one that all share.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::path::pending::LinkId;
use crate::topology::ServerId;
use breakwater_resp::{Kind, Parsed, RequestParser};

impl Relay {
    /// A request over a client's own connection was not done: the connection leads elsewhere from now
    /// on, if nothing is known of the client there yet.
    pub(super) fn redirect_own(
        &mut self,
        id: LinkId,
        to: To,
        request: &[u8],
        (target, asks): (Option<ServerId>, bool),
        reply: Vec<u8>,
    ) {
        let alone = self.links.get(&id).is_some_and(|link| link.to.is_empty());
        let begins = match &to {
            To::Session(Step::Last { watched: false, .. }) => true,
            To::Client { .. } => is_watch(request),
            _ => false,
        };
        match (to, target) {
            (to @ (To::Session(Step::Last { .. }) | To::Client { .. }), Some(target))
                if alone && begins && !(asks && is_watch(request)) =>
            {
                self.lead_elsewhere(id, target);
                self.say_asking(id, asks);
                match matches!(to, To::Session(_)) {
                    true => self.send_patiently(id, request, to),
                    false => self.send(id, request, to),
                }
            }
            (To::Part { batch }, _) => self.batches.refuse(batch, &reply),
            (To::Client { client, ticket, .. }, _) if is_watch(request) => {
                // What was watched has moved: it is as if it had changed, once the client asks anew.
                let error = b"-TRYAGAIN the keys are moving to another server\r\n".to_vec();
                self.answer(client, ticket, error);
            }
            (to @ To::Client { .. }, target) => {
                let link = self.links.get(&id).map(|link| link.protocol);
                let again = self.again(to, request, &reply);
                let (Some(again), Some(protocol)) = (again, link) else { return };
                match target {
                    Some(target) => {
                        let said = (protocol, reply);
                        self.send_again(again, request, (target, asks), said);
                    }
                    None => self.put_off(again, request, None, protocol, reply),
                }
            }
            (To::Session(step), _) => self.replied_session(id, step, Kind::Error, reply),
            (to, _) => self.replied(to, Kind::Error, reply),
        }
    }
}

fn is_watch(request: &[u8]) -> bool {
    let mut parser = RequestParser::default();
    match parser.parse(request, true) {
        Parsed::Command(len) => parser.args(&request[..len]).is(0, "watch"),
        _ => false,
    }
}

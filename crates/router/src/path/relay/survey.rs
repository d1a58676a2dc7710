//! Where the keys of a cluster are: one thread at a time asks some of its servers, and all threads
//! know it then. It does so every few seconds, and soon where a server says that keys have moved, or a
//! connection is lost.

use super::Relay;
use super::reply::To;
use crate::topology::{ClusterView, ServerId};
use crate::upstream::Phase;
use breakwater_resp::{Protocol, Reply, write_request};
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds between rounds: without need, and with.
const USUAL: u64 = 5_000;
const SOON: u64 = 50;
/// How long servers have to answer before a round ends with what has come.
const PATIENCE: u64 = 250;
/// Servers that are asked in a round.
const MOST: usize = 8;

/// When this thread looks whether to ask, and what it was told.
#[derive(Default)]
pub(super) struct Survey {
    due: Option<u64>,
    hurried: bool,
    round: u64,
    /// When the round ends; `None` if none is under way.
    ends: Option<u64>,
    /// Who has not answered yet.
    asked: BTreeSet<ServerId>,
    infos: BTreeMap<ServerId, Vec<u8>>,
    answers: Vec<ClusterView>,
    /// Who said last that keys are elsewhere, or was said to have them.
    hints: BTreeSet<ServerId>,
    /// Why there was no answer, for people.
    why: Option<String>,
}

impl Survey {
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.due.into_iter().chain(self.ends).min()
    }
}

impl Relay {
    /// Asks, if it is time to and no other thread does.
    pub(super) fn survey(&mut self) {
        if self.router.topology.cluster.is_none() {
            return;
        }
        if self.survey.ends.is_some_and(|ends| ends <= self.now) {
            self.end_round();
        }
        if self.survey.due.is_some_and(|due| due > self.now) {
            return;
        }
        self.look();
        self.retire();
        let hurried = std::mem::take(&mut self.survey.hurried) || self.map.is_unknown();
        let pause = if hurried { SOON } else { USUAL };
        self.survey.due = Some(self.now + pause);
        let now = self.router.replies.now();
        if self.survey.ends.is_none() && self.router.topology.begin_map(now, pause) {
            self.begin_round();
        } else {
            // What it is asked for now may not know yet what the hurry is about.
            self.survey.hurried = hurried && !self.map.is_unknown();
        }
    }

    /// Keys may have moved.
    pub(super) fn hurry_map(&mut self) {
        if self.router.topology.cluster.is_some() && !self.survey.hurried {
            self.survey.hurried = true;
            let soon = self.now + SOON;
            self.survey.due = Some(self.survey.due.map_or(soon, |due| due.min(soon)));
            self.wake_by(Some(soon));
        }
    }

    /// A server has said that another one has keys.
    pub(super) fn hint_map(&mut self, servers: [ServerId; 2]) {
        self.survey.hints.extend(servers);
        self.hurry_map();
    }

    fn begin_round(&mut self) {
        let map = self.map.clone();
        let mut servers: Vec<_> = map.masters().collect();
        while servers.len() > MOST {
            let at = self.lot() as usize % servers.len();
            servers.swap_remove(at);
        }
        servers.extend(std::mem::take(&mut self.survey.hints));
        let mut asked = self.ask_map(&servers);
        if asked == 0 {
            // Replicas know it as well, and so do those who were named first.
            let seeds = self.router.topology.cluster.as_ref().map_or(0, |all| all.seeds.len());
            let others: Vec<_> = map.replicas().chain(0..seeds as ServerId).collect();
            asked = self.ask_map(&others);
        }
        self.survey.ends = (asked > 0).then_some(self.now + PATIENCE);
        self.wake_by(self.survey.wake_at());
    }

    /// Asks those who can be asked; how many.
    fn ask_map(&mut self, servers: &[ServerId]) -> usize {
        self.survey.round += 1;
        let round = self.survey.round;
        (self.survey.infos, self.survey.answers) = Default::default();
        self.survey.asked.clear();
        for &server in servers {
            let link = self.shared_with(server, Protocol::Resp3, 0);
            if self.is_down(link) {
                self.survey.why = Some(self.reason(link));
                continue;
            }
            // Before the first map what connects is waited for.
            let ready = self.links.get(&link).map(|link| link.upstream.phase());
            if (ready == Some(Phase::Ready) || self.map.is_unknown())
                && self.survey.asked.insert(server)
            {
                for (words, slots) in [(["CLUSTER", "INFO"], false), (["CLUSTER", "SLOTS"], true)] {
                    let mut question = vec![];
                    write_request(&mut question, &words);
                    self.send(link, &question, To::Map { round, server, slots });
                }
            }
        }
        self.survey.asked.len()
    }

    /// A server has said where keys are, or does not.
    pub(super) fn replied_map(
        &mut self,
        round: u64,
        server: ServerId,
        slots: bool,
        reply: Option<Vec<u8>>,
    ) {
        if round != self.survey.round || !self.survey.asked.contains(&server) {
            return;
        }
        if !slots {
            self.survey.infos.extend(reply.map(|reply| (server, reply)));
            return;
        }
        self.survey.asked.remove(&server);
        let info = self.survey.infos.remove(&server).unwrap_or_default();
        let topology = &self.router.topology;
        let answer =
            topology.cluster.as_ref().zip(reply.as_deref()).and_then(|(cluster, reply)| {
                let (reply, info) = (Reply::decode(reply).ok()?, Reply::decode(&info).ok());
                cluster.answer(&topology.servers, server, &reply, &info.unwrap_or(Reply::Null))
            });
        match answer {
            Some(answer) => self.survey.answers.push(answer),
            None => {
                let reply = reply.unwrap_or_default();
                let text = String::from_utf8_lossy(&reply[..reply.len().min(200)]).into_owned();
                let name = topology.name(server);
                let said = match text.trim_start_matches('-').trim_end() {
                    "" => "it does not answer",
                    said => said,
                };
                self.survey.why = Some(format!("{name} tells no slots: {said}"));
            }
        }
        if self.survey.asked.is_empty() {
            self.end_round();
        }
    }

    /// What has come is what is known.
    fn end_round(&mut self) {
        (self.survey.ends, self.survey.round) = (None, self.survey.round + 1);
        self.survey.asked.clear();
        let answers = std::mem::take(&mut self.survey.answers);
        let moved = self.router.topology.learn(&answers);
        if !moved.is_empty() {
            self.router.replies.end(&moved);
            self.tell_moved(&moved);
        }
        self.look();
    }

    /// Why it is not known where keys are, for clients.
    pub(super) fn why_unknown(&self) -> String {
        let why = self.survey.why.as_deref().unwrap_or("it has not answered yet");
        format!("the cluster's slots are not known: {why}")
    }
}

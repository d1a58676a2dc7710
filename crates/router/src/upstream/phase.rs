//! What a connection to a server goes through, as one table.

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It waits until it may connect.
    Waiting,
    /// The driver connects.
    Connecting,
    /// It says who it is, and hears whether that is fine.
    Greeting,
    /// It forwards requests.
    Ready,
    /// It was ended and does no more.
    Ended,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Event {
    /// The time to connect has come.
    Due,
    /// The driver has connected.
    Opened,
    /// The server took the greeting.
    Greeted,
    /// The server refused the greeting, or sent what is no reply.
    Broken,
    /// The server was silent for too long.
    Silent,
    /// The connection was cut, or could not be made.
    Cut,
    /// It is to end.
    End,
}

/// What is done on the way from one phase to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhaseEffect {
    /// The driver is asked to connect.
    Connect,
    /// The greeting is written.
    Greet,
    /// What waits is written.
    Serve,
    /// Who waits for a reply is told that none comes, and the next try is put off.
    BackOff,
    /// The same, after the driver was asked to close.
    CloseAndBackOff,
    /// All who wait are told so, after the driver was asked to close.
    Stop,
}

/// All that can happen. What is not here has no effect: the news of a socket that was given up.
pub(super) const TABLE: &[(Phase, Event, Phase, PhaseEffect)] = {
    use Event::*;
    use Phase::*;
    use PhaseEffect::*;
    &[
        (Waiting, Due, Connecting, Connect),
        (Connecting, Opened, Greeting, Greet),
        (Connecting, Silent, Waiting, CloseAndBackOff),
        (Connecting, Cut, Waiting, BackOff),
        (Greeting, Greeted, Ready, Serve),
        (Greeting, Broken, Waiting, CloseAndBackOff),
        (Greeting, Silent, Waiting, CloseAndBackOff),
        (Greeting, Cut, Waiting, BackOff),
        (Ready, Broken, Waiting, CloseAndBackOff),
        (Ready, Silent, Waiting, CloseAndBackOff),
        (Ready, Cut, Waiting, BackOff),
        (Waiting, End, Ended, Stop),
        (Connecting, End, Ended, Stop),
        (Greeting, End, Ended, Stop),
        (Ready, End, Ended, Stop),
    ]
};

/// What an event leads to in a phase, if to anything.
pub(super) fn next(phase: Phase, event: Event) -> Option<(Phase, PhaseEffect)> {
    let row = TABLE.iter().find(|(from, on, ..)| (*from, *on) == (phase, event))?;
    Some((row.2, row.3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_event_leads_two_ways() {
        let keys: HashSet<_> = TABLE.iter().map(|(from, on, ..)| (from, on)).collect();
        assert_eq!(keys.len(), TABLE.len());
    }

    #[test]
    fn a_cut_leads_back_to_waiting_from_wherever_there_is_a_socket() {
        for phase in [Phase::Connecting, Phase::Greeting, Phase::Ready] {
            for event in [Event::Cut, Event::Silent] {
                assert_eq!(next(phase, event).map(|(to, _)| to), Some(Phase::Waiting));
            }
        }
    }

    #[test]
    fn nothing_follows_the_end_and_all_phases_lead_to_it() {
        for (from, ..) in TABLE {
            assert_ne!(*from, Phase::Ended);
            assert_eq!(next(*from, Event::End), Some((Phase::Ended, PhaseEffect::Stop)));
        }
    }

    #[test]
    fn a_socket_that_the_node_gives_up_is_closed() {
        for (from, on, _, effect) in TABLE {
            let gives_up = matches!(on, Event::Broken | Event::Silent | Event::End);
            let closes = matches!(effect, PhaseEffect::CloseAndBackOff | PhaseEffect::Stop);
            assert_eq!(gives_up, closes, "{from:?} {on:?}");
        }
    }
}

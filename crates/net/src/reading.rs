//! Whether a client takes its replies. One that has some and takes none of them for too long is cut.
//!
//! ```text
//! state     what is known                                        ends with
//! Prompt    its socket had room for all when it was looked at    replies that found no room (Watched)
//! Watched   since when it has taken nothing                      a look at which all is taken (Prompt), or
//!                                                                none was for too long (cut)
//! ```
//! Who takes a byte has all its time anew. A client that is prompt costs nothing.

use std::time::{Duration, Instant};

/// How a client takes its replies.
#[derive(Debug, Default)]
pub enum Reading {
    #[default]
    Prompt,
    Watched {
        since: Instant,
        /// How much it had taken by then.
        taken: u64,
    },
}

/// What comes of a look at a client that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It has taken all.
    Prompt,
    /// It is to be looked at again by then.
    Again(Instant),
    /// It has taken nothing for too long.
    Cut,
}

impl Reading {
    /// Replies wait, and the client has taken so many bytes in all. Whether it is watched only from now
    /// on: it is to be looked at once it may have taken too long.
    pub fn wait(&mut self, taken: u64, now: Instant) -> bool {
        match self {
            Self::Watched { taken: before, .. } if *before == taken => false,
            Self::Watched { .. } => {
                *self = Self::Watched { since: now, taken };
                false
            }
            Self::Prompt => {
                *self = Self::Watched { since: now, taken };
                true
            }
        }
    }

    /// Looks at a client that may have taken nothing for `most`; `waits`, if replies do.
    pub fn look(&mut self, waits: bool, now: Instant, most: Duration) -> Look {
        match *self {
            Self::Watched { since, .. } if waits => match since + most {
                due if due <= now => Look::Cut,
                due => Look::Again(due),
            },
            _ => {
                *self = Self::Prompt;
                Look::Prompt
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Reading};
    use std::time::{Duration, Instant};

    const MOST: Duration = Duration::from_secs(10);

    #[test]
    fn who_takes_nothing_for_too_long_is_cut_then_and_not_before() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(reading.wait(5, begun));
        // More replies come meanwhile, of which it takes none either.
        assert!(!reading.wait(5, at(9)));
        assert_eq!(reading.look(true, at(9), MOST), Look::Again(at(10)));
        assert_eq!(reading.look(true, at(10), MOST), Look::Cut);
    }

    #[test]
    fn who_takes_a_byte_has_all_its_time_anew() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(reading.wait(0, begun));
        for taken in 1..100 {
            assert!(!reading.wait(taken, at(9 * taken)));
            assert_eq!(
                reading.look(true, at(9 * taken + 9), MOST),
                Look::Again(at(9 * taken + 10))
            );
        }
        assert_eq!(reading.look(true, at(99 * 9 + 10), MOST), Look::Cut);
    }

    #[test]
    fn who_has_taken_all_is_watched_anew_when_replies_wait_again() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(reading.wait(0, begun));
        assert_eq!(reading.look(false, at(20), MOST), Look::Prompt);
        assert!(reading.wait(7, at(30)));
        assert_eq!(reading.look(true, at(39), MOST), Look::Again(at(40)));
    }

    #[test]
    fn another_bound_counts_from_the_next_look_on() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        reading.wait(0, begun);
        let now = begun + Duration::from_secs(2);
        assert_eq!(reading.look(true, now, Duration::from_secs(1)), Look::Cut);
    }
}

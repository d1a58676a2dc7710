//! What a storm is made of: how the node is set up, and what happens one after the other.

use arbitrary::{Arbitrary, Result, Unstructured};

/// A storm.
#[derive(Clone, Debug)]
pub struct Case {
    pub setup: Setup,
    pub steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Case {
    /// As many steps as the bytes are enough for.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (setup, mut steps) = (bytes.arbitrary()?, vec![]);
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { setup, steps })
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Setup {
    /// The store answers what it is asked, though late or not at all. Else it also speaks nonsense,
    /// and only what is true of any store is looked at.
    pub honest: bool,
    /// Two threads, not one.
    pub two: bool,
    /// How replies are remembered.
    pub memory: Memory,
    /// What the store does when the storm is over.
    pub end: End,
    /// What is lost with its connection is asked again for a while.
    pub retries: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Memory {
    On,
    Off,
    /// Compared, refreshed, and given beyond their time.
    Busy,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It answers all.
    Answers,
    /// It takes connections and says nothing.
    Silent,
    /// It is gone.
    Gone,
}

/// Something that happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub enum Step {
    /// A client asks.
    Ask(u8, Ask),
    /// A client asks several things at once.
    Pipeline(u8, Vec<Ask>),
    /// A client sends any bytes.
    Raw(u8, Vec<u8>),
    /// A client takes its replies from now on, or does not.
    Takes(u8, bool),
    /// A client is gone; another one comes in its place.
    Leave(u8),
    /// A connection to the store is there.
    Open(u8),
    /// A connection to the store cannot be made.
    Refuse(u8),
    /// What was written to the store arrives there.
    Forward(u8),
    /// So many bytes of the store arrive.
    Back(u8, u16),
    /// A command that waits in the store is done.
    Release(u8),
    /// The store answers the next command of a connection with an error.
    Error(u8),
    /// The store tells that a key has changed.
    Invalidate(u8, u8),
    /// Somebody publishes.
    Publish(u8),
    /// The store sends any bytes.
    Nonsense(u8, Vec<u8>),
    /// A connection to the store is cut.
    Cut(u8),
    /// A letter from one thread to another arrives.
    Post,
    /// So many milliseconds pass.
    Pass(u16),
    /// A thread ends, with its clients, and another one comes in its place.
    End(u8),
    /// Everything arrives.
    Settle,
}

impl<'a> Arbitrary<'a> for Step {
    /// What moves the network is more frequent than what upsets it.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (kind, at) = (bytes.int_in_range(0..=63)?, bytes.arbitrary()?);
        Ok(match kind {
            0..=15 => Self::Ask(at, bytes.arbitrary()?),
            16..=23 => {
                let count = bytes.int_in_range(0..=23)?;
                let asks = (0..count).map(|_| bytes.arbitrary());
                Self::Pipeline(at, asks.collect::<Result<_>>()?)
            }
            24 => Self::Raw(at, bytes.arbitrary()?),
            25 => Self::Takes(at, false),
            26..=27 => Self::Takes(at, true),
            28 => Self::Leave(at),
            29..=32 => Self::Open(at),
            33 => Self::Refuse(at),
            34..=40 => Self::Forward(at),
            41..=42 => Self::Back(at, u16::from(bytes.arbitrary::<u8>()?)),
            43..=48 => Self::Back(at, u16::MAX),
            49..=50 => Self::Release(at),
            51 => Self::Error(at),
            52 => Self::Invalidate(at, bytes.arbitrary()?),
            53 => Self::Publish(at),
            54 => Self::Nonsense(at, bytes.arbitrary()?),
            55 => Self::Cut(at),
            56..=57 => Self::Post,
            58 => Self::Pass(u16::from(at)),
            59 => Self::Pass(bytes.int_in_range(0..=3_000)?),
            60 => Self::End(at),
            _ => Self::Settle,
        })
    }
}

/// Something that a client asks.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Ask {
    Get(u8),
    GetRange(u8),
    MGet(u8, u8),
    Set(u8),
    /// A value of this length.
    Large(u8, u16),
    Del(u8),
    FlushAll,
    Script(u8),
    Echo,
    Ping,
    Info,
    List,
    Kill(u8),
    Multi,
    Exec,
    Discard,
    Watch(u8),
    Unwatch,
    Block(u8),
    Wait,
    Subscribe(Kind, u8),
    Unsubscribe(Kind, u8),
    Select(u8),
    Hello(bool),
    Reset,
    Quit,
    Track(bool),
    Caching,
    /// Subscribes to the news of changes.
    Hear,
    /// Has news of changes sent to another client.
    Redirect(u8),
    Concern(bool),
    /// A command that no table has.
    Unknown(u8),
    /// A command of the table with so many words behind its name.
    Any(u16, u8),
    Reply(bool),
    Skip,
    Monitor,
    Pause(u8, bool),
    Unpause,
    Unblock(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Channel,
    Pattern,
    Shard,
}

impl Kind {
    /// What precedes `SUBSCRIBE` in its commands, and `message` in its messages.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Channel => "",
            Self::Pattern => "p",
            Self::Shard => "s",
        }
    }
}

//! The epoch of a cache: its generation, and the clock of its tags, which never goes back.

use super::{Words, words};
use crate::command::call::{Call, NOT_AN_INTEGER};
use crate::failure::Failure;
use crate::store::{DbKey, Hand, TagRecords};
use breakwater_engine::Expiry;
use breakwater_resp::number;

/// An epoch: both are whole numbers, as text and below 2^53.
#[derive(Clone, Copy)]
pub(super) struct Epoch {
    generation: u64,
    clock: u64,
}

impl Epoch {
    /// Reads digits, a space, digits.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (generation, clock) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            if plain { digits.parse().ok() } else { None }
        };
        Some(Self { generation: number(generation)?, clock: number(clock)? })
    }

    pub(super) fn numbers(self) -> [f64; 2] {
        [self.generation as f64, self.clock as f64]
    }

    fn read(store: &Hand<'_>, key: &DbKey) -> Option<Self> {
        store.peek(key, |entry| Self::parse(entry.value().bytes)).flatten()
    }

    /// The one that is there, or that begins with this generation: its clock goes on where the clock
    /// of the tags was. With the lock of the records, which keeps other changes of epochs out.
    fn current(
        store: &Hand<'_>,
        records: &TagRecords,
        key: &DbKey,
        tags: &DbKey,
        generation: u64,
    ) -> Self {
        Self::read(store, key).unwrap_or_else(|| {
            let clock = store.moment().max(records.last(tags.bytes()).unwrap_or(0));
            Self { generation, clock }
        })
    }

    /// Writes it; its text.
    fn keep(self, store: &Hand<'_>, key: &DbKey) -> Result<String, Failure> {
        let text = format!("{} {}", self.generation, self.clock);
        store.set(key, text.as_bytes(), Expiry::Never)?;
        Ok(text)
    }
}

fn generation(text: &[u8]) -> Result<u64, Failure> {
    let number = number::integer(text).and_then(|number| u64::try_from(number).ok());
    number.ok_or(NOT_AN_INTEGER.into())
}

/// The epoch that is now; it begins with this generation if there is none.
pub(super) fn read_or_begin(
    store: &Hand<'_>,
    key: &DbKey,
    tags: &DbKey,
    text: &[u8],
) -> Result<Epoch, Failure> {
    let generation = generation(text)?;
    if let Some(epoch) = Epoch::read(store, key) {
        return Ok(epoch);
    }
    let records = store.records.lock();
    if let Some(epoch) = Epoch::read(store, key) {
        return Ok(epoch);
    }
    let epoch = Epoch::current(store, &records, key, tags, generation);
    epoch.keep(store, key)?;
    Ok(epoch)
}

/// `BW.BEGIN 2 epoch tags, generation`. Answers with the epoch as text.
pub(super) fn begin(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.begin", 2..=2, 1..=1)?;
    let (key, tags) = (words.key(call, 0), words.key(call, 1));
    let epoch = read_or_begin(&call.store(), &key, &tags, words.rest.word(0))?;
    let text = format!("{} {}", epoch.generation, epoch.clock);
    call.reply.bulk(text.as_bytes());
    Ok(())
}

/// `BW.ADVANCE 2 epoch tags | 3 epoch tags mark, generation`. Another generation begins; those who
/// track the mark hear of it. Answers with the epoch as text.
pub(super) fn advance(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.advance", 2..=3, 1..=1)?;
    let generation = generation(words.rest.word(0))?;
    let (store, key, tags) = (call.store(), words.key(call, 0), words.key(call, 1));
    let records = store.records.lock();
    let Epoch { clock, .. } = Epoch::current(&store, &records, &key, &tags, generation);
    let clock = store.moment().max(clock + 1);
    let text = Epoch { generation, clock }.keep(&store, &key)?;
    drop(records);
    tell_mark(&store, &words);
    call.reply.bulk(text.as_bytes());
    Ok(())
}

/// `BW.INVALIDATE 2 epoch tags | 3 epoch tags mark, generation tag most`. A tag is invalidated, of which
/// so many are remembered; those who track the mark hear of it. Answers with the epoch as text.
pub(super) fn invalidate(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.invalidate", 2..=3, 3..=3)?;
    let generation = generation(words.rest.word(0))?;
    let most = number::integer(words.rest.word(2)).ok_or(NOT_AN_INTEGER)?;
    let (store, key, tags) = (call.store(), words.key(call, 0), words.key(call, 1));
    let mut records = store.records.begin();
    let epoch = Epoch::current(&store, &records, &key, &tags, generation);
    let clock = store.moment().max(epoch.clock + 1);
    // First the tag: who reads the new clock looks it up.
    let most = usize::try_from(most).unwrap_or(0);
    records.invalidate(tags.bytes(), words.rest.word(1), clock, epoch.clock, most);
    let text = Epoch { clock, ..epoch }.keep(&store, &key)?;
    drop(records);
    tell_mark(&store, &words);
    call.reply.bulk(text.as_bytes());
    Ok(())
}

/// After the change: who hears of it reads it.
fn tell_mark(store: &Hand<'_>, words: &Words<'_>) {
    if words.keys.len() == 3 {
        store.changed(words.keys.word(2));
    }
}

/// `BW.SCORES 1 tags, tag ...`. Answers with how far the clock was when each was invalidated, if not
/// before; with null if nothing is known.
pub(super) fn scores(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.scores", 1..=1, 0..=usize::MAX)?;
    let key = words.key(call, 0);
    let clocks = call.store().records.lock().clocks(key.bytes(), words.rest.iter());
    match clocks {
        None => call.reply.null(),
        Some(clocks) => {
            call.reply.array(clocks.len());
            for clock in clocks {
                call.reply.bulk(itoa::Buffer::new().format(clock).as_bytes());
            }
        }
    }
    Ok(())
}

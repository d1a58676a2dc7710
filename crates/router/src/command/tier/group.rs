//! Groups: the names of a few members in one value, a line each.

use super::words;
use crate::command::call::{Call, NOT_AN_INTEGER};
use crate::failure::Failure;
use breakwater_engine::{Edit, Expiry};
use breakwater_resp::number;
use foldhash::fast::FixedState;
use std::hash::BuildHasher;

/// The most members of a group; one that comes then takes the place of the one that came first.
const MOST: usize = 1024;
/// The most bytes of a member's name.
const LONGEST: usize = 256;

fn members(value: &[u8]) -> Vec<&[u8]> {
    value.split(|byte| *byte == b'\n').filter(|name| !name.is_empty()).collect()
}

/// `BW.JOIN 1 group, life member`. A member joins, and the group lives for so many milliseconds from
/// now on. Answers with how many members it has.
pub(super) fn join(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.join", 1..=1, 2..=2)?;
    let life = number::integer(words.rest.word(0)).filter(|life| *life > 0);
    let ends = call.now.saturating_add(life.ok_or(NOT_AN_INTEGER)?);
    let member = words.rest.word(1);
    if member.is_empty() || member.len() > LONGEST || member.contains(&b'\n') {
        return Err("ERR a member has 1 to 256 bytes and no line feed".into());
    }
    let store = call.store();
    let expiry = store.until(ends);
    let count = store.update(&words.key(call, 0), |old, out| {
        let mut all = old.map_or(vec![], |entry| members(entry.value().bytes));
        all.retain(|other| *other != member);
        all.push(member);
        let last = &all[all.len().saturating_sub(MOST)..];
        out.extend_from_slice(&last.join(&b'\n'));
        (Edit::Put { format: 0, expiry }, last.len())
    })?;
    call.reply.integer(count as i64);
    Ok(())
}

/// `BW.LEAVE 1 group, member ...`. Members leave. Answers with how many did.
pub(super) fn leave(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.leave", 1..=1, 1..=usize::MAX)?;
    let gone: Vec<&[u8]> = words.rest.iter().collect();
    let count = call.store().update(&words.key(call, 0), |old, out| {
        let Some(old) = old else { return (Edit::Keep, 0) };
        let mut all = members(old.value().bytes);
        let before = all.len();
        all.retain(|other| !gone.contains(other));
        let left = before - all.len();
        match (left, all.is_empty()) {
            (0, _) => (Edit::Keep, 0),
            (_, true) => (Edit::Remove, left),
            _ => {
                out.extend_from_slice(&all.join(&b'\n'));
                (Edit::Put { format: 0, expiry: Expiry::Keep }, left)
            }
        }
    })?;
    call.reply.integer(count as i64);
    Ok(())
}

/// `BW.SAMPLE 1 group, count`. Answers with at most so many members, drawn by chance.
pub(super) fn sample(call: &mut Call<'_>) -> Result<(), Failure> {
    let words = words(call, "bw.sample", 1..=1, 1..=1)?;
    let count = number::integer(words.rest.word(0)).ok_or(NOT_AN_INTEGER)?;
    let store = call.store();
    let value = store.get(&words.key(call, 0), |entry| entry.value().bytes.to_vec());
    let value = value.unwrap_or_default();
    let mut all = members(&value);
    let seed = store.moment();
    let drawn = usize::try_from(count).unwrap_or(0).min(all.len());
    for at in 0..drawn {
        let draw = FixedState::default().hash_one((seed, at)) as usize;
        let other = at + draw % (all.len() - at);
        all.swap(at, other);
    }
    call.reply.array(drawn);
    all[..drawn].iter().for_each(|name| call.reply.bulk(name));
    Ok(())
}

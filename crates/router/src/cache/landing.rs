//! How a reply of the store is remembered, if what it was asked with still counts.

use super::entry::{ABSENT, EMPTY, Form, Head, NULL, REPLY};
use super::replies::Replies;
use super::shelf::{Generations, Shelf};
use super::sources::when_of;
use breakwater_engine::{Edit, Expiry, Key, Value};
use breakwater_resp::{Kind, Protocol, Reply};

impl Replies {
    /// Remembers a reply, as the store sent it in RESP3, for `life` milliseconds after it was asked for,
    /// in the form of the protocols that ask for it; `absent` says that none of its keys exists. Whether
    /// it is remembered.
    pub(crate) fn land(
        &self,
        shelf: &Shelf,
        generations: &Generations,
        (kind, reply, absent): (Kind, &[u8], bool),
        (stamp, life): (u64, Option<u64>),
        protocols: &[Protocol],
    ) -> bool {
        if !self.sources.covers(stamp) {
            return false;
        }
        let when = when_of(stamp);
        let expiry = life.map_or(Expiry::Never, |life| Expiry::At(when.saturating_add(life)));
        let null = kind == Kind::Null;
        let format = if null { NULL } else { REPLY } | if absent { ABSENT } else { 0 };
        let reply = if null { &[] } else { reply };
        if shelf.is_plain()
            && let Some(landed) =
                self.land_plain(shelf, generations[0], format, reply, stamp, expiry)
        {
            return landed;
        }
        if !self.stands(shelf, generations) {
            return false;
        }
        let mut value: Vec<u8> = stamp.to_ne_bytes().to_vec();
        generations.iter().for_each(|of| value.extend_from_slice(&of.to_ne_bytes()));
        let head = value.len();
        let mut landed = true;
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let alike = shelf.form == Form::Alike;
            if !alike && !protocols.contains(&protocol) {
                continue;
            }
            value.truncate(head);
            if alike || protocol == Protocol::Resp3 || null {
                value.extend_from_slice(reply);
            } else if let Ok(reply) = Reply::decode(reply) {
                shelf.form.write_resp2(&reply, &mut value);
            }
            let place = shelf.place(protocol);
            let value = Value { format, bytes: &value };
            landed &= self.cache.set(Key::text(&place), value, expiry).is_ok();
            if alike {
                break;
            }
        }
        landed
    }

    /// Remembers the reply to a `GET` with the generation of its key; `None` if that of another
    /// database lies there.
    fn land_plain(
        &self,
        shelf: &Shelf,
        generation: u64,
        format: u8,
        reply: &[u8],
        stamp: u64,
        expiry: Expiry,
    ) -> Option<bool> {
        let landed = self.cache.update(Key::bytes(shelf.keys.first()), |held, out| {
            let ends = held.map(|entry| entry.deadline());
            match held.and_then(Head::read) {
                Some(head) if head.generation == generation => {
                    if head.format != EMPTY && head.db != shelf.db {
                        return (Edit::Keep, None);
                    }
                    let (db, mut until, mut expiry) = (shelf.db, None, expiry);
                    if head.until.is_some()
                        && let (Expiry::At(end), Some(ends)) = (expiry, ends)
                        && ends.is_none_or(|ends| ends > end)
                    {
                        // Other reads that are under way began with this generation, perhaps.
                        until = Some(end);
                        expiry = ends.map_or(Expiry::Never, Expiry::At);
                    }
                    let head = Head { generation, stamp, db, format, until, reply };
                    (Edit::Put { format: head.write(out), expiry }, Some(true))
                }
                _ => (Edit::Keep, Some(false)),
            }
        });
        landed.unwrap_or(Some(false))
    }
}

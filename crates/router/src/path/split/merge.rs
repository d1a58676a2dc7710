//! How the replies to the parts of a request become one.

use crate::catalog::Merge;
use breakwater_resp::{Protocol, Reply, ReplyWriter};
use std::collections::HashSet;

/// A part of a request.
#[derive(Debug, Default)]
pub(crate) struct AskedPart {
    /// Which of the request's keys it has, by their number.
    pub(crate) keys: Vec<usize>,
    /// What came of it, in any protocol.
    pub(crate) reply: Option<Vec<u8>>,
}

/// A request of several parts, and what has come of them.
#[derive(Debug)]
pub(crate) struct WholeRequest {
    pub(crate) merge: Merge,
    pub(crate) protocol: Protocol,
    pub(crate) parts: Vec<AskedPart>,
    /// How many replies are to come.
    missing: usize,
}

impl WholeRequest {
    /// A request of these parts, none of which has a reply yet.
    pub(crate) fn new(merge: Merge, protocol: Protocol, parts: Vec<AskedPart>) -> Self {
        let missing = parts.iter().filter(|part| part.reply.is_none()).count();
        Self { merge, protocol, parts, missing }
    }

    /// The reply to a part has come; whether it was the last one.
    pub(crate) fn fill(&mut self, part: usize, reply: Vec<u8>) -> bool {
        if let Some(part) = self.parts.get_mut(part)
            && part.reply.replace(reply).is_none()
        {
            self.missing -= 1;
        }
        self.missing == 0
    }

    /// The reply to the whole, in its protocol, once those to all parts have come. `lot` is any number.
    pub(crate) fn merged(&self, lot: u64) -> Vec<u8> {
        let decoded: Result<Vec<Reply<'_>>, _> = self
            .parts
            .iter()
            .map(|part| Reply::decode(part.reply.as_deref().unwrap_or_default()))
            .collect();
        let mut out = vec![];
        let mut writer = ReplyWriter::new(&mut out, self.protocol);
        match decoded {
            Ok(replies) => match self.failure(&replies) {
                Some(error) => writer.error(&error),
                None if self.write(&replies, lot, &mut writer).is_some() => {}
                None => writer.error(b"ERR the servers' replies do not fit together"),
            },
            Err(_) => writer.error(b"ERR a server's reply is broken"),
        }
        out
    }

    /// The error of the first part that failed, if that fails the whole, with what became of the rest.
    fn failure(&self, replies: &[Reply<'_>]) -> Option<Vec<u8>> {
        let failed = replies.iter().filter(|reply| self.fails(reply)).count();
        let lenient = self.merge == Merge::OneDone && failed < replies.len();
        if failed == 0 || lenient {
            return None;
        }
        let mut error = replies.iter().find(|reply| self.fails(reply))?.text()?.to_vec();
        let (done, all) = (replies.len() - failed, replies.len());
        if done > 0 {
            error.extend(format!(" ({done} of {all} servers have done their part)").into_bytes());
        }
        Some(error)
    }

    /// Whether a reply to a part is an error of the whole.
    fn fails(&self, reply: &Reply<'_>) -> bool {
        match reply {
            // To MGET what is no string is no value.
            Reply::Error(text) if self.merge == Merge::Values => !text.starts_with(b"WRONGTYPE"),
            Reply::Error(_) | Reply::BulkError(_) => true,
            _ => false,
        }
    }

    /// Writes the reply to the whole; `None` if the replies are not of the kind that they should be.
    fn write(&self, replies: &[Reply<'_>], lot: u64, out: &mut ReplyWriter<'_>) -> Option<()> {
        let mut numbers = replies.iter().map(|reply| match reply {
            Reply::Integer(number) => Some(*number),
            _ => None,
        });
        match self.merge {
            Merge::Sum => out.integer(numbers.sum::<Option<i64>>()?),
            Merge::Least => {
                let least = numbers.try_fold(i64::MAX, |least, number| Some(least.min(number?)));
                out.integer(least?);
            }
            Merge::Values => self.write_values(replies, out)?,
            Merge::Concatenate => {
                let lists = replies.iter().map(list).collect::<Option<Vec<_>>>()?;
                out.array(lists.iter().map(|list| list.len()).sum());
                lists.into_iter().flatten().for_each(|reply| reply.write(out));
            }
            Merge::Union => {
                let lists = replies.iter().map(list).collect::<Option<Vec<_>>>()?;
                let mut seen = HashSet::new();
                let fresh = |reply: &&Reply<'_>| seen.insert(reply.text().map(<[u8]>::to_vec));
                let all: Vec<_> = lists.into_iter().flatten().filter(fresh).collect();
                out.array(all.len());
                all.into_iter().for_each(|reply| reply.write(out));
            }
            Merge::Most => write_most(replies, out)?,
            Merge::Same => replies.first()?.write(out),
            Merge::Every => {
                let lists = replies.iter().map(list).collect::<Option<Vec<_>>>()?;
                let count = lists.iter().map(|list| list.len()).min()?;
                out.array(count);
                for at in 0..count {
                    let all = lists.iter().all(|list| list[at] == Reply::Integer(1));
                    out.integer(i64::from(all));
                }
            }
            Merge::OneDone => replies.iter().find(|reply| !self.fails(reply))?.write(out),
            Merge::OneValue => {
                let from = (lot % replies.len().max(1) as u64) as usize;
                let (before, behind) = replies.split_at(from);
                let mut turned = behind.iter().chain(before);
                let value = turned.find(|reply| !matches!(reply, Reply::Null));
                value.unwrap_or(&Reply::Null).write(out);
            }
        }
        Some(())
    }

    fn write_values(&self, replies: &[Reply<'_>], out: &mut ReplyWriter<'_>) -> Option<()> {
        let count = self.parts.iter().map(|part| part.keys.len()).sum();
        let mut values: Vec<Option<&Reply<'_>>> = vec![None; count];
        for (part, reply) in self.parts.iter().zip(replies) {
            // One that is asked for its key alone answers with the value itself.
            let own = match reply {
                Reply::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            if own.len() != part.keys.len() {
                return None;
            }
            for (key, value) in part.keys.iter().zip(own) {
                *values.get_mut(*key)? = Some(value);
            }
        }
        out.array(count);
        for value in values {
            match value? {
                Reply::Error(_) => out.null(),
                value => value.write(out),
            }
        }
        Some(())
    }
}

/// The largest number; of lists of names and their numbers, the largest of each name.
fn write_most(replies: &[Reply<'_>], out: &mut ReplyWriter<'_>) -> Option<()> {
    let number = |reply: &Reply<'_>| match reply {
        Reply::Integer(number) => Some(*number),
        _ => None,
    };
    let Some(names) = list(replies.first()?) else {
        let numbers = replies.iter().map(number).collect::<Option<Vec<_>>>()?;
        out.integer(numbers.into_iter().max()?);
        return Some(());
    };
    let lists = replies.iter().map(list).collect::<Option<Vec<_>>>()?;
    out.array(names.len());
    for (at, name) in names.iter().enumerate() {
        match at % 2 {
            0 => name.write(out),
            _ => {
                let numbers = lists.iter().map(|list| list.get(at).and_then(number));
                out.integer(numbers.collect::<Option<Vec<_>>>()?.into_iter().max()?);
            }
        }
    }
    Some(())
}

fn list<'a, 'r>(reply: &'r Reply<'a>) -> Option<&'r [Reply<'a>]> {
    match reply {
        Reply::Array(list) | Reply::Set(list) => Some(list),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Protocol::{Resp2, Resp3};

    fn merged(merge: Merge, protocol: Protocol, parts: &[(&[usize], &str)]) -> String {
        let none = |(keys, _): &(&[usize], &str)| AskedPart { keys: keys.to_vec(), reply: None };
        let mut whole = WholeRequest::new(merge, protocol, parts.iter().map(none).collect());
        for (at, (_, reply)) in parts.iter().enumerate() {
            let last = whole.fill(at, reply.as_bytes().to_vec());
            assert_eq!(last, at + 1 == parts.len());
        }
        String::from_utf8(whole.merged(1)).unwrap()
    }

    /// Of parts that have no keys.
    fn all(merge: Merge, replies: &[&str]) -> String {
        let parts: Vec<_> = replies.iter().map(|reply| (&[][..], *reply)).collect();
        merged(merge, Resp2, &parts)
    }

    #[test]
    fn numbers_are_added_up_or_the_least_is_told() {
        assert_eq!(all(Merge::Sum, &[":1\r\n", ":0\r\n", ":7\r\n"]), ":8\r\n");
        assert_eq!(all(Merge::Least, &[":5\r\n", ":3\r\n"]), ":3\r\n");
    }

    #[test]
    fn values_stand_where_their_keys_did_in_the_form_of_the_clients_protocol() {
        let parts: &[(&[usize], &str)] =
            &[(&[0, 2], "*2\r\n$1\r\na\r\n_\r\n"), (&[1], "*1\r\n$1\r\nb\r\n")];
        assert_eq!(merged(Merge::Values, Resp3, parts), "*3\r\n$1\r\na\r\n$1\r\nb\r\n_\r\n");
        assert_eq!(merged(Merge::Values, Resp2, parts), "*3\r\n$1\r\na\r\n$1\r\nb\r\n$-1\r\n");
        // Some were in memory, some were read one by one, and one is no string.
        let single: &[(&[usize], &str)] =
            &[(&[1], "$1\r\nx\r\n"), (&[0], "-WRONGTYPE no\r\n"), (&[2], "$-1\r\n")];
        assert_eq!(merged(Merge::Values, Resp2, single), "*3\r\n$-1\r\n$1\r\nx\r\n$-1\r\n");
    }

    #[test]
    fn lists_are_one_behind_the_other() {
        let lists = ["*1\r\n$1\r\na\r\n", "*0\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"];
        assert_eq!(all(Merge::Concatenate, &lists), "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    }

    #[test]
    fn names_are_told_once_and_the_most_that_any_has_counts() {
        let lists = ["*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*0\r\n", "*1\r\n$1\r\nb\r\n"];
        assert_eq!(all(Merge::Union, &lists), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
        assert_eq!(all(Merge::Most, &[":1\r\n", ":3\r\n"]), ":3\r\n");
        let counts = |a: u8, b: u8| format!("*4\r\n$1\r\na\r\n:{a}\r\n$1\r\nb\r\n:{b}\r\n");
        assert_eq!(all(Merge::Most, &[&counts(1, 0), &counts(0, 2)]), counts(1, 2));
        assert_eq!(all(Merge::Most, &["*0\r\n"; 2]), "*0\r\n");
    }

    #[test]
    fn what_all_have_to_do_is_done_if_all_have_done_it() {
        assert_eq!(all(Merge::Same, &["+OK\r\n", "+OK\r\n"]), "+OK\r\n");
        assert_eq!(
            all(Merge::Same, &["+OK\r\n", "-OOM no room\r\n", "-ERR b\r\n"]),
            "-OOM no room (1 of 3 servers have done their part)\r\n"
        );
        assert_eq!(all(Merge::Same, &["-ERR a\r\n", "-ERR b\r\n"]), "-ERR a\r\n");
        assert_eq!(
            all(Merge::Every, &["*2\r\n:1\r\n:1\r\n", "*2\r\n:0\r\n:1\r\n"]),
            "*2\r\n:0\r\n:1\r\n"
        );
    }

    #[test]
    fn one_is_enough_where_one_can_do_it() {
        assert_eq!(all(Merge::OneDone, &["-NOTBUSY no\r\n", "+OK\r\n"]), "+OK\r\n");
        assert_eq!(all(Merge::OneDone, &["-NOTBUSY no\r\n"; 2]), "-NOTBUSY no\r\n");
        assert_eq!(all(Merge::OneValue, &["$1\r\na\r\n", "$-1\r\n", "$1\r\nc\r\n"]), "$1\r\nc\r\n");
        assert_eq!(all(Merge::OneValue, &["$-1\r\n"; 3]), "$-1\r\n");
    }

    #[test]
    fn a_part_that_is_lost_fails_the_whole() {
        let parts: &[(&[usize], &str)] = &[(&[0], "*1\r\n$1\r\na\r\n"), (&[1], "-ERR gone\r\n")];
        let lost = "-ERR gone (1 of 2 servers have done their part)\r\n";
        assert_eq!(merged(Merge::Values, Resp3, parts), lost);
        assert_eq!(all(Merge::Sum, &[":1\r\n", "-ERR gone\r\n"]), lost);
    }

    #[test]
    fn replies_that_are_not_what_they_should_be_are_an_error() {
        let odd = "-ERR the servers' replies do not fit together\r\n";
        assert_eq!(all(Merge::Sum, &[":1\r\n", "+OK\r\n"]), odd);
        assert_eq!(all(Merge::Concatenate, &["*0\r\n", ":1\r\n"]), odd);
        assert_eq!(merged(Merge::Values, Resp2, &[(&[0, 1], "*1\r\n:1\r\n")]), odd);
        assert_eq!(all(Merge::Same, &["+OK"]), "-ERR a server's reply is broken\r\n");
    }
}

//! A question as bytes, which JavaScript reads where they lie (`src/router/hooks/block.ts`): numbers of
//! 32 bits first, then texts.
//!
//! ```text
//! 0    the hook, or 0xffffffff: whether a client may come, or 0xfffffffe: which route the key has that
//!      is the only word
//! 1    the client, lower half and upper half
//! 3    the question's number, as well
//! 5    the client's database
//! 6    1 if the command stands behind a MULTI
//! 7    how many words, and how many of them are keys
//! 9    where the command's name ends among the texts, and the user's
//! 11   where each word ends
//! ..   the place of each key among the words
//! ..   the texts: the command's name, the user's, the words
//! ```

use breakwater_router::{ClientId, HookedCommand};

/// Stands for the hook that is asked about clients.
const GREETING: u32 = u32::MAX;
/// Stands for the hook that chooses the routes of keys.
const ROUTING: u32 = u32::MAX - 1;
/// Bytes that are kept for the next question.
const KEPT: usize = 64 * 1024;

/// The question about a command.
pub fn of_command(command: &HookedCommand<'_>, block: &mut Vec<u8>) {
    let HookedCommand { hook, number, client, user, db, queued, name, args, keys, .. } = *command;
    begin(block, hook as u32, client, number);
    put(block, u32::from(db));
    put(block, u32::from(queued));
    put(block, args.len() as u32);
    put(block, keys.len() as u32);
    let mut end = 0;
    for text in [name.as_bytes(), user.as_bytes()].into_iter().chain(args.iter()) {
        end += text.len() as u32;
        put(block, end);
    }
    keys.iter().for_each(|key| put(block, *key as u32));
    block.extend_from_slice(name.as_bytes());
    block.extend_from_slice(user.as_bytes());
    args.iter().for_each(|word| block.extend_from_slice(word));
}

/// The question about a client that has come.
pub fn of_client(client: ClientId, number: u64, block: &mut Vec<u8>) {
    begin(block, GREETING, client, number);
}

/// The question for the route of a key.
pub fn of_key(client: ClientId, number: u64, key: &[u8], block: &mut Vec<u8>) {
    begin(block, ROUTING, client, number);
    let (db, queued, words, keys) = (0, 0, 1, 1);
    [db, queued, words, keys].into_iter().for_each(|each| put(block, each));
    let end = key.len() as u32;
    let (name, user, place) = (0, 0, 0);
    [name, user, end, place].into_iter().for_each(|each| put(block, each));
    block.extend_from_slice(key);
}

fn begin(block: &mut Vec<u8>, hook: u32, client: ClientId, number: u64) {
    block.clear();
    block.shrink_to(KEPT);
    put(block, hook);
    block.extend_from_slice(&client.to_le_bytes());
    block.extend_from_slice(&number.to_le_bytes());
}

fn put(block: &mut Vec<u8>, number: u32) {
    block.extend_from_slice(&number.to_le_bytes());
}

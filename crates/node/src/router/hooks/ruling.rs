//! What the function says that is asked, as the facade has checked it:
//!
//! ```text
//! undefined         the command goes on, the client is let in
//! 0                 the answer comes later
//! [1, words]        this command instead: strings and Uint8Arrays
//! [2, reply]        this is the reply: see `write`
//! [3, text]         refused by this error
//! [4, text]         the hook has failed: refused by this error
//! [5, label]        the client is let in, and is known by this
//! [6, text]         the hook has not answered in time: refused by this error
//! [7, text]         the key has the route of this prefix; the usual one, if it is no text
//! ```

use crate::js::{Fail, Js, Val};
use breakwater_resp::{Protocol, ReplyWriter, write_request};
use breakwater_router::Ruling;

/// What a value says; `None` if the answer comes later.
pub fn read<'s>(js: Js<'s>, said: Val<'s>, protocol: Protocol) -> Result<Option<Ruling>, Fail> {
    match js.type_name(said) {
        "undefined" => return Ok(Some(Ruling::Go)),
        "number" => return Ok(None),
        _ => {}
    }
    let kind = js.to_number(js.at(said, 0)?).ok_or_else(Fail::argument)?;
    let what = js.at(said, 1)?;
    let text = || js.to_text(what).ok_or_else(Fail::argument);
    Ok(Some(match kind as u32 {
        1 => Ruling::Rewrite(request(js, what)?),
        2 => {
            let mut reply = vec![];
            write(js, what, &mut ReplyWriter::new(&mut reply, protocol))?;
            Ruling::Answer(reply)
        }
        3 => Ruling::Refuse(text()?.into_bytes()),
        4 => Ruling::Fail(text()?.into_bytes()),
        5 => Ruling::Label(text()?),
        6 => Ruling::Late(text()?.into_bytes()),
        _ => Ruling::Route(js.to_text(what).map(String::into_bytes)),
    }))
}

/// A request of these words.
fn request<'s>(js: Js<'s>, words: Val<'s>) -> Result<Vec<u8>, Fail> {
    let word = |at| {
        let word = js.at(words, at)?;
        js.to_text(word).map(String::into_bytes).map_or_else(|| bytes(js, word), Ok)
    };
    let words = (0..js.len(words).ok_or_else(Fail::argument)?).map(word);
    let mut request = vec![];
    write_request(&mut request, &words.collect::<Result<Vec<_>, Fail>>()?);
    Ok(request)
}

/// Writes a reply: null and undefined are null, strings and Uint8Arrays bulks, whole numbers and
/// others, booleans, arrays, and `{ status }` or `{ error }`.
fn write<'s>(js: Js<'s>, value: Val<'s>, reply: &mut ReplyWriter<'_>) -> Result<(), Fail> {
    match js.type_name(value) {
        "undefined" | "null" => reply.null(),
        "string" => reply.bulk(js.to_text(value).unwrap_or_default().as_bytes()),
        "boolean" => reply.boolean(js.to_boolean(value)),
        "number" => match js.to_number(value).unwrap_or_default() {
            whole if whole.fract() == 0.0 => reply.integer(whole as i64),
            other => reply.double(other.to_string().as_bytes()),
        },
        _ => match js.len(value) {
            Some(len) => {
                reply.array(len);
                for at in 0..len {
                    write(js, js.at(value, at)?, reply)?;
                }
            }
            None => return write_object(js, value, reply),
        },
    }
    Ok(())
}

fn write_object<'s>(js: Js<'s>, value: Val<'s>, reply: &mut ReplyWriter<'_>) -> Result<(), Fail> {
    // SAFETY: no JavaScript runs while the bytes are copied.
    if let Some(bytes) = unsafe { js.to_bytes(value) } {
        reply.bulk(bytes);
    } else if let Some(status) = js.to_text(js.prop(value, c"status")?) {
        reply.simple(status);
    } else {
        let error = js.to_text(js.prop(value, c"error")?).ok_or_else(Fail::argument)?;
        reply.error(error.as_bytes());
    }
    Ok(())
}

fn bytes<'s>(js: Js<'s>, value: Val<'s>) -> Result<Vec<u8>, Fail> {
    // SAFETY: no JavaScript runs while the bytes are copied.
    unsafe { js.to_bytes(value) }.map(|bytes| bytes.to_vec()).ok_or_else(Fail::argument)
}

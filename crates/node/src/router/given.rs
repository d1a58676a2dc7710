//! What options of JavaScript hold: numbers and texts.

use crate::js::{Fail, Js, Val};
use std::ffi::CStr;

/// A whole number among the options, if there is one.
pub fn number<'s>(js: Js<'s>, options: Val<'s>, name: &CStr) -> Result<Option<u64>, Fail> {
    Ok(js.to_whole(js.prop(options, name)?))
}

/// The texts in an array, as bytes; none, if there is no array.
pub fn texts<'s>(js: Js<'s>, array: Val<'s>) -> Result<Vec<Vec<u8>>, Fail> {
    let text = |at| Ok(js.to_text(js.at(array, at)?).unwrap_or_default().into_bytes());
    (0..js.len(array).unwrap_or(0)).map(text).collect()
}

//! A page of a scan, with another cursor than its server gave.

use breakwater_resp::Reply;

/// The page with the cursor that is made of its own; `None` if it is none, or its cursor is too large.
/// What it holds stays as the server sent it.
pub(crate) fn with_cursor(page: &[u8], make: impl FnOnce(u64) -> Option<u64>) -> Option<Vec<u8>> {
    let Ok(Reply::Array(parts)) = Reply::decode(page) else { return None };
    let text = std::str::from_utf8(parts.first()?.text()?).ok()?;
    let cursor = make(text.parse().ok()?)?.to_string();
    let rest = page.strip_prefix(head(parts.len(), text).as_bytes())?;
    Some([head(parts.len(), &cursor).as_bytes(), rest].concat())
}

fn head(parts: usize, cursor: &str) -> String {
    format!("*{parts}\r\n${}\r\n{cursor}\r\n", cursor.len())
}

#[cfg(test)]
mod tests {
    use super::with_cursor;

    #[test]
    fn the_cursor_is_another_one_and_the_rest_is_as_it_was() {
        let page = b"*2\r\n$2\r\n17\r\n*1\r\n$1\r\na\r\n";
        let named = with_cursor(page, |cursor| Some(cursor + 1000)).unwrap();
        assert_eq!(named, b"*2\r\n$4\r\n1017\r\n*1\r\n$1\r\na\r\n");
        assert_eq!(with_cursor(page, |_| None), None);
        assert_eq!(with_cursor(b"-ERR no\r\n", Some), None);
        assert_eq!(with_cursor(b":1\r\n", Some), None);
    }
}

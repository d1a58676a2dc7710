//! Lines of a connection, which come in any pieces.

use super::Refused;

/// A longer line is passed over: none that names a key that could be kept is as long.
const LONGEST: usize = 1 << 20;

/// What a connection says, line by line.
#[derive(Default)]
pub(super) struct Lines {
    /// The beginning of a line.
    rest: Vec<u8>,
    /// Whether that line was too long, and is passed over.
    passed_over: bool,
}

impl Lines {
    /// Tells of each line that has ended, without its end.
    pub(super) fn take(
        &mut self,
        mut bytes: &[u8],
        mut tell: impl FnMut(&[u8]) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, after) = bytes.split_at(end);
            bytes = &after[1..];
            if std::mem::take(&mut self.passed_over) {
                continue;
            }
            self.rest.extend_from_slice(line);
            let whole = std::mem::take(&mut self.rest);
            tell(whole.strip_suffix(b"\r").unwrap_or(&whole))?;
            self.rest = whole;
            self.rest.clear();
        }
        if self.rest.len() + bytes.len() > LONGEST {
            self.passed_over = true;
            self.rest = Vec::new();
        }
        if !self.passed_over {
            self.rest.extend_from_slice(bytes);
        }
        Ok(())
    }
}

//! Reads a file of requests.

use super::compressed::decompressed;
use super::error::TraceError;
use super::formats::Format;
use super::keys::Recording;
use super::{Progress, Trace};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads at most so many requests of a file. `progress` counts bytes of the file as it is.
///
/// # Errors
/// See [`TraceError`].
pub fn read(
    path: &Path,
    format: Format,
    most: usize,
    progress: &Progress,
) -> Result<Trace, TraceError> {
    let file = Counted { file: File::open(path)?, progress };
    // Requests are numbered by 32 bits, of which the last number means none.
    let mut recording = Recording::new(most.min(u32::MAX as usize - 1));
    let done = decompressed(file).map_err(TraceError::from);
    let done = done.and_then(|file| format.read(file, &mut recording));
    if progress.is_cancelled() {
        return Err(TraceError::Cancelled);
    }
    done?;
    let trace = recording.finish();
    if trace.is_empty() { Err(TraceError::Empty) } else { Ok(trace) }
}

/// A file of which it is known how much of it was read.
struct Counted<'a> {
    file: File,
    progress: &'a Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.progress.is_cancelled() {
            return Err(io::ErrorKind::Other.into());
        }
        let read = self.file.read(into)?;
        self.progress.add(read as u64);
        Ok(read)
    }
}

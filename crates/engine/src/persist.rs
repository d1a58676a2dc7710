//! Snapshots: the contents of a cache in a file, and back.
//!
//! ```text
//! header   "breakwtr", version u32, time of saving u64 (milliseconds since 1970)
//! entry    kind u8, format u8, key length u16, value length u32,
//!          milliseconds left u64 (all ones: no deadline), key, value
//! trailer  kind 0xFF, entries u64, CRC-32 of everything before u32
//! ```
//! Numbers are little-endian, as is every system that Breakwater supports: keys of two-byte
//! strings and numbers are in native order.

use crate::cache::Cache;
use crate::config::Error;
use crate::cursor::run_to_end;
use crate::entry::{EntryRef, Expiry, Value};
use crate::key::{Key, KeyKind};
use crc32fast::Hasher;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow::{Break, Continue};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, process};

#[cfg(target_endian = "big")]
compile_error!("snapshots and two-byte keys are little-endian");

const MAGIC: &[u8; 8] = b"breakwtr";
const VERSION: u32 = 1;
const END: u8 = 0xFF;
const FOR_EVER: u64 = u64::MAX;
const ENTRY_HEADER: usize = 16;

/// Entries copied out before they are written.
const BATCH: usize = 64;

/// Why contents were not saved or loaded.
#[derive(Debug)]
pub enum PersistError {
    /// The file could not be read or written.
    Io(io::Error),
    /// The file is not an intact snapshot of this version; nothing was loaded.
    Damaged(&'static str),
    /// The snapshot is intact, and an entry does not fit; those before it were loaded.
    NoRoom {
        /// Entries that were loaded.
        loaded: u64,
        /// Why the next one was not.
        error: Error,
    },
}

impl fmt::Display for PersistError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Damaged(what) => write!(f, "not an intact snapshot: {what}"),
            Self::NoRoom { loaded, error } => write!(f, "after {loaded} entries: {error}"),
        }
    }
}

impl std::error::Error for PersistError {}

impl From<io::Error> for PersistError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early"),
            _ => Self::Io(error),
        }
    }
}

impl Cache {
    /// Writes every live entry without tags to a new file beside `path`, which it then takes the
    /// place of; how many. Of notes nothing is written. Entries that change meanwhile are saved as they were at some moment of the call.
    ///
    /// # Errors
    /// When the file cannot be written; what was at `path` stays.
    pub fn save(&self, path: &Path) -> Result<u64, PersistError> {
        let beside = name_beside(path);
        let saved = self.save_as(&beside).and_then(|entries| {
            fs::rename(&beside, path)?;
            Ok(entries)
        });
        if saved.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_file(&beside);
        }
        saved
    }

    fn save_as(&self, path: &Path) -> Result<u64, PersistError> {
        let mut out = Summed::new(BufWriter::with_capacity(1 << 16, File::create(path)?));
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&unix_now().to_le_bytes())?;
        let (mut entries, mut copied) = (0u64, Vec::new());
        let failed = run_to_end(|cursor| {
            // Copied first and written after: nothing is pinned while a disk works.
            let next = self.scan(cursor, BATCH, |entry| {
                if !entry.is_tagged() {
                    self.append(entry, &mut copied);
                    entries += 1;
                }
            });
            let written = out.write_all(&copied);
            copied.clear();
            written.map_or_else(Break, |()| Continue(next))
        });
        failed.map_or(Ok(()), Err)?;
        out.write_all(&[END])?;
        out.write_all(&entries.to_le_bytes())?;
        let sum = out.sum.clone().finalize();
        out.write_all(&sum.to_le_bytes())?;
        let file = out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(entries)
    }

    fn append(&self, entry: EntryRef<'_>, out: &mut Vec<u8>) {
        let (key, value) = (entry.key(), entry.value());
        let now = self.clock().now();
        let left = entry.deadline().map_or(FOR_EVER, |deadline| deadline.saturating_sub(now));
        out.extend([key.kind as u8, value.format]);
        out.extend((key.bytes.len() as u16).to_le_bytes());
        out.extend((value.bytes.len() as u32).to_le_bytes());
        out.extend(left.to_le_bytes());
        out.extend(key.bytes);
        out.extend(value.bytes);
    }

    /// Reads what [`Cache::save`] wrote and stores it, beside what is there already; how many
    /// entries. Those whose deadline passed since then are left out.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged: then nothing was stored.
    pub fn load(&self, path: &Path) -> Result<u64, PersistError> {
        let mut file = File::open(path)?;
        // Once to see that all of it is intact, and once to store it.
        Snapshot::open(&file)?.read(|_, _, _| Ok(()))?;
        file.seek(SeekFrom::Start(0))?;
        let snapshot = Snapshot::open(&file)?;
        let gone = unix_now().saturating_sub(snapshot.saved_at);
        let now = self.clock().now_rounded_up();
        let mut loaded = 0;
        snapshot.read(|key, value, left| {
            let expiry = match left {
                FOR_EVER => Expiry::Never,
                left if left <= gone => return Ok(()),
                left => Expiry::At(now.saturating_add(left - gone)),
            };
            self.set(key, value, expiry).map_err(|error| PersistError::NoRoom { loaded, error })?;
            loaded += 1;
            Ok(())
        })?;
        Ok(loaded)
    }
}

/// A snapshot that is read from its first entry on.
struct Snapshot<'a> {
    input: Summed<BufReader<&'a File>>,
    saved_at: u64,
}

impl<'a> Snapshot<'a> {
    fn open(file: &'a File) -> Result<Self, PersistError> {
        let mut input = Summed::new(BufReader::with_capacity(1 << 16, file));
        if &input.take::<8>()? != MAGIC {
            return Err(PersistError::Damaged("it does not begin as one"));
        }
        if u32::from_le_bytes(input.take()?) != VERSION {
            return Err(PersistError::Damaged("its version is not 1"));
        }
        let saved_at = u64::from_le_bytes(input.take()?);
        Ok(Self { input, saved_at })
    }

    /// Hands every entry, with the milliseconds that it had left, to `f`.
    fn read(
        mut self,
        mut f: impl FnMut(Key<'_>, Value<'_>, u64) -> Result<(), PersistError>,
    ) -> Result<(), PersistError> {
        let (mut entries, mut body) = (0u64, Vec::new());
        loop {
            let kind = match self.input.take()? {
                [END] => break,
                [kind] if kind <= KeyKind::Bytes as u8 => KeyKind::from_bits(kind),
                _ => return Err(PersistError::Damaged("an entry has an unknown kind")),
            };
            let head: [u8; ENTRY_HEADER - 1] = self.input.take()?;
            let [format, k0, k1, v0, v1, v2, v3, left @ ..] = head;
            let key_len = u16::from_le_bytes([k0, k1]) as usize;
            let value_len = u32::from_le_bytes([v0, v1, v2, v3]) as usize;
            self.input.fill(&mut body, key_len + value_len)?;
            let (key, value) = body.split_at(key_len);
            let value = Value { format, bytes: value };
            f(Key { kind, bytes: key }, value, u64::from_le_bytes(left))?;
            entries += 1;
        }
        if u64::from_le_bytes(self.input.take()?) != entries {
            return Err(PersistError::Damaged("entries are missing"));
        }
        let sum = self.input.sum.clone().finalize();
        if u32::from_le_bytes(self.input.take()?) != sum {
            return Err(PersistError::Damaged("its checksum is wrong"));
        }
        match self.input.inner.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(PersistError::Damaged("something follows its end")),
        }
    }
}

/// A file's bytes, summed as they pass.
struct Summed<T> {
    inner: T,
    sum: Hasher,
}

impl<T> Summed<T> {
    fn new(inner: T) -> Self {
        Self { inner, sum: Hasher::new() }
    }
}

impl<T: Write> Summed<T> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.inner.write_all(bytes)
    }
}

impl<T: Read> Summed<T> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.sum.update(&bytes);
        Ok(bytes)
    }

    /// Reads `len` bytes, and no more memory is taken than the file has bytes.
    fn fill(&mut self, body: &mut Vec<u8>, len: usize) -> io::Result<()> {
        body.clear();
        if (&mut self.inner).take(len as u64).read_to_end(body)? < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.sum.update(body);
        Ok(())
    }
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A name in the same folder that no other thread or process uses.
fn name_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}-{count}.part", process::id()));
    path.with_file_name(name)
}

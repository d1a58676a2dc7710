//! What files of requests look like.

use super::Request;
use super::error::TraceError;
use super::keys::Recording;
use csv::{ByteRecord, ReaderBuilder};
use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

/// How requests are written down. Each may be compressed by gzip or zstd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One key a line; empty lines are no requests.
    Lines,
    /// Comma-separated values. The first line names the columns, of which `key`, `size` (bytes) and
    /// `time` (seconds, decimals allowed) count; without such a line they are `key,size,time`.
    Csv,
    /// Keys of 32 bits, little-endian.
    U32,
    /// The traces of the ARC paper: each line has a first block and how many follow it.
    Lis,
    /// Records of libCacheSim, little-endian: time u32 in seconds, key u64, size u32, next i64.
    OracleGeneral,
}

impl Format {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Lines, Self::Csv, Self::U32, Self::Lis, Self::OracleGeneral];

    /// How it is spelled.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Csv => "csv",
            Self::U32 => "u32",
            Self::Lis => "lis",
            Self::OracleGeneral => "oracleGeneral",
        }
    }

    pub(super) fn read(
        self,
        file: impl BufRead,
        recording: &mut Recording,
    ) -> Result<(), TraceError> {
        match self {
            Self::Lines => lines(file, recording),
            Self::Csv => comma_separated(file, recording),
            Self::U32 => records(file, recording, |recording, record: [u8; 4]| {
                recording.number(u64::from(u32::from_le_bytes(record)), Request::default());
            }),
            Self::Lis => blocks(file, recording),
            Self::OracleGeneral => records(file, recording, oracle_general),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = TraceError;

    fn from_str(name: &str) -> Result<Self, TraceError> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            TraceError::Wrong(format!("a format must be one of {names}, not {name}"))
        })
    }
}

fn lines(mut file: impl BufRead, recording: &mut Recording) -> Result<(), TraceError> {
    let mut line = Vec::new();
    while !recording.is_full() {
        line.clear();
        if file.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let key = line.trim_ascii_end();
        if !key.is_empty() {
            recording.text(key, Request::default());
        }
    }
    Ok(())
}

/// In which columns a file has what counts.
struct Columns {
    key: usize,
    size: Option<usize>,
    time: Option<usize>,
}

impl Columns {
    /// By the first line, if it names a key.
    fn named(head: &ByteRecord) -> Option<Self> {
        let find = |names: &[&str]| {
            head.iter().position(|cell| {
                let cell = cell.trim_ascii().to_ascii_lowercase();
                names.iter().any(|name| name.as_bytes() == cell)
            })
        };
        let key = find(&["key", "id", "obj_id", "object"])?;
        let (size, time) = (find(&["size", "bytes", "obj_size"]), find(&["time", "timestamp"]));
        Some(Self { key, size, time })
    }

    /// In the order that files without names have.
    fn unnamed(first: &ByteRecord) -> Self {
        let present = |column| (first.len() > column).then_some(column);
        Self { key: 0, size: present(1), time: present(2) }
    }
}

fn comma_separated(file: impl BufRead, recording: &mut Recording) -> Result<(), TraceError> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record)? {
        return Ok(());
    }
    let named = Columns::named(&record);
    let is_head = named.is_some();
    let columns = named.unwrap_or_else(|| Columns::unnamed(&record));
    let mut is_request = !is_head;
    while !recording.is_full() {
        if is_request {
            let line = record.position().map_or(0, csv::Position::line);
            row(&record, &columns, recording)
                .map_err(|wrong| TraceError::Wrong(format!("line {line}: {wrong}")))?;
        }
        is_request = true;
        if !reader.read_byte_record(&mut record)? {
            break;
        }
    }
    Ok(())
}

fn row(record: &ByteRecord, columns: &Columns, recording: &mut Recording) -> Result<(), String> {
    let key = record.get(columns.key).ok_or("there is no key")?;
    let cell = |column: Option<usize>, name: &str| {
        let Some(column) = column else { return Ok(None) };
        let text = record.get(column).and_then(|cell| std::str::from_utf8(cell).ok());
        let number = text.and_then(|text| text.trim().parse::<f64>().ok());
        match number.filter(|number| *number >= 0.0 && number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(format!(
                "{name} must be a number of at least 0, not {:.40?}",
                text.unwrap_or("")
            )),
        }
    };
    let size = cell(columns.size, "the size")?.map(|size| size.min(f64::from(u32::MAX)) as u32);
    let time = cell(columns.time, "the time")?.map(|seconds| (seconds * 1000.0) as u64);
    recording.text(key, Request { size, time });
    Ok(())
}

fn blocks(mut file: impl BufRead, recording: &mut Recording) -> Result<(), TraceError> {
    let mut line = String::new();
    let mut number = 0_u64;
    while !recording.is_full() {
        line.clear();
        number += 1;
        if file.read_line(&mut line)? == 0 {
            break;
        }
        let mut cells = line.split_ascii_whitespace();
        let Some(first) = cells.next() else { continue };
        let pair = first.parse::<u64>().ok().zip(cells.next().and_then(|n| n.parse::<u32>().ok()));
        let Some((first, count)) = pair else {
            let wrong = format!(
                "line {number} must begin with a block and a count, not {:.40?}",
                line.trim()
            );
            return Err(TraceError::Wrong(wrong));
        };
        for block in 0..u64::from(count) {
            if recording.is_full() {
                break;
            }
            recording.number(first.wrapping_add(block), Request::default());
        }
    }
    Ok(())
}

fn oracle_general(recording: &mut Recording, record: [u8; 24]) {
    let [time, size] = [0, 12]
        .map(|at| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]));
    let mut key = [0; 8];
    key.copy_from_slice(&record[4..12]);
    let request = Request { size: Some(size), time: Some(u64::from(time) * 1000) };
    recording.number(u64::from_le_bytes(key), request);
}

/// Records of one size.
fn records<const N: usize>(
    mut file: impl BufRead,
    recording: &mut Recording,
    each: impl Fn(&mut Recording, [u8; N]),
) -> Result<(), TraceError> {
    let mut record = [0; N];
    while !recording.is_full() {
        let mut filled = 0;
        while filled < N {
            match file.read(&mut record[filled..])? {
                0 if filled == 0 => return Ok(()),
                0 => {
                    return Err(TraceError::Wrong(format!(
                        "the file ends within a record of {N} bytes"
                    )));
                }
                more => filled += more,
            }
        }
        each(recording, record);
    }
    Ok(())
}

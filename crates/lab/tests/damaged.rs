//! Files that are not what they say: cut, changed, with something in between, in every format and packing.
//! Each is read or refused in words; what was cut from a packed file is never taken for all of it.

use breakwater_lab::trace::{TraceError, read};
use breakwater_lab::{Format, Progress, Trace};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests in a file.
const REQUESTS: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

#[derive(Clone, Debug)]
enum Damage {
    None,
    Cut,
    Changed(u8),
    Between(Vec<u8>),
}

/// A file of a format, whole.
fn whole(format: Format) -> Vec<u8> {
    let ids = (0..REQUESTS as u64).map(|n| n * n % 97);
    match format {
        Format::Lines => ids.map(|id| format!("key {id}\n")).collect::<String>().into_bytes(),
        Format::Csv => {
            let rows = ids.map(|id| format!("{id},\"key, {id}\",{}\n", id + 1));
            format!("time,key,size\n{}", rows.collect::<String>()).into_bytes()
        }
        Format::U32 => ids.flat_map(|id| (id as u32).to_le_bytes()).collect(),
        Format::Lis => ids.map(|id| format!("{id} 1 0 0\n")).collect::<String>().into_bytes(),
        Format::OracleGeneral => ids
            .flat_map(|id| {
                let (time, size) = ((id as u32).to_le_bytes(), 64_u32.to_le_bytes());
                [&time[..], &id.to_le_bytes(), &size, &(-1_i64).to_le_bytes()].concat()
            })
            .collect(),
    }
}

fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Plain => bytes.to_vec(),
        Packing::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(bytes).expect("memory takes all");
            gzip.finish().expect("memory takes all")
        }
        Packing::Zstd => compress_to_vec(bytes, CompressionLevel::Fastest),
    }
}

fn taken(bytes: &[u8], format: Format) -> Result<Trace, TraceError> {
    static FILES: AtomicU64 = AtomicU64::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let name = format!("breakwater-damaged-{}-{number}", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, bytes).expect("a file");
    let trace = read(&file, format, 100_000, &Progress::default());
    std::fs::remove_file(&file).expect("the file is gone");
    trace
}

fn packings() -> impl Strategy<Value = Packing> {
    prop::sample::select(vec![Packing::Plain, Packing::Gzip, Packing::Zstd])
}

fn damages() -> impl Strategy<Value = Damage> {
    prop_oneof![
        1 => Just(Damage::None),
        3 => Just(Damage::Cut),
        3 => (1..=255_u8).prop_map(Damage::Changed),
        3 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Damage::Between),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_damaged_file_is_read_or_refused_in_words(
        format in prop::sample::select(Format::ALL.to_vec()),
        packing in packings(),
        damage in damages(),
        place in 0.0..1.0_f64,
    ) {
        let mut bytes = packed(&whole(format), packing);
        let at = (bytes.len() as f64 * place) as usize;
        match &damage {
            Damage::None => {}
            Damage::Cut => bytes.truncate(at),
            Damage::Changed(by) => bytes[at] ^= by,
            Damage::Between(more) => {
                bytes.splice(at..at, more.iter().copied());
            }
        }
        let result = taken(&bytes, format);
        if let Err(error) = &result {
            prop_assert!(!error.to_string().is_empty());
            prop_assert!(!matches!(damage, Damage::None), "{}", error);
        }
        match (damage, result) {
            (Damage::None, Ok(trace)) => prop_assert_eq!(trace.len(), REQUESTS),
            // Less than its first bytes is a file of another kind.
            (Damage::Cut, Ok(_)) if packing != Packing::Plain => prop_assert!(at < 4, "cut at {}", at),
            (Damage::Cut, Ok(trace)) => prop_assert!(trace.len() <= REQUESTS),
            _ => {}
        }
    }

    #[test]
    fn a_file_of_another_format_is_read_or_refused(
        said in prop::sample::select(Format::ALL.to_vec()),
        is in prop::sample::select(Format::ALL.to_vec()),
        packing in packings(),
    ) {
        match taken(&packed(&whole(is), packing), said) {
            Ok(trace) => prop_assert!(!trace.is_empty()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn nothing_is_said_of_a_file_without_requests_but_that_there_are_none() {
    for format in Format::ALL {
        for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
            let nothing = taken(&packed(b"", packing), format);
            assert!(matches!(nothing, Err(TraceError::Empty)), "{format} {packing:?}: {nothing:?}");
        }
    }
}

#[test]
fn blocks_without_end_are_as_many_as_were_asked_for() {
    let trace = taken(b"0 18446744073709551615 0 0\n", Format::Lis);
    assert!(trace.is_err() || trace.is_ok_and(|trace| trace.len() == 100_000));
}

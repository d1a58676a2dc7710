//! Snapshots: what is saved is loaded, and what is damaged is refused whole.

use breakwater_engine::{
    Cache, Clock, Config, Error, Expiry, Key, KeyKind, MAX_KEY_LEN, PersistError, Policy, Value,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A folder of its own for each test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "breakwater-persist-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("snapshot")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Kind, key, format, value, deadline.
type Row = (u8, Vec<u8>, u8, Vec<u8>, Option<u64>);

fn new(clock: &Clock) -> Cache {
    Cache::new(Config { clock: clock.clone(), ..Config::default() }).unwrap()
}

fn rows(cache: &Cache) -> Vec<Row> {
    let (mut rows, mut cursor) = (Vec::new(), 0);
    loop {
        cursor = cache.scan(cursor, 10, |entry| {
            let (key, value) = (entry.key(), entry.value());
            rows.push((
                key.kind as u8,
                key.bytes.to_vec(),
                value.format,
                value.bytes.to_vec(),
                entry.deadline(),
            ));
        });
        if cursor == 0 {
            rows.sort();
            return rows;
        }
    }
}

const KINDS: [KeyKind; 4] = [KeyKind::OneByte, KeyKind::TwoByte, KeyKind::Number, KeyKind::Bytes];

fn fill(cache: &Cache, rounds: u8) {
    for (at, kind) in KINDS.into_iter().enumerate() {
        for n in 0..rounds {
            let format = n.wrapping_mul(37).wrapping_add(at as u8);
            let value = vec![n; usize::from(n) * 3];
            let expiry = match n % 3 {
                0 => Expiry::Never,
                _ => Expiry::At(cache.clock().now() + 1_000_000 + u64::from(n)),
            };
            let key = u64::from(n).to_le_bytes();
            cache.set(Key { kind, bytes: &key }, Value { format, bytes: &value }, expiry).unwrap();
        }
    }
}

fn old(cache: &Cache) {
    cache.set(Key::text(b"old"), Value::bytes(b"kept"), Expiry::Never).unwrap();
}

#[test]
fn all_kinds_formats_and_deadlines_come_back() {
    let (folder, clock) = (Folder::new(), Clock::manual());
    clock.advance(5_000);
    let cache = new(&clock);
    fill(&cache, 200);
    cache.set(Key::bytes(b""), Value::bytes(b""), Expiry::Never).unwrap();
    let long = vec![b'k'; MAX_KEY_LEN];
    cache.set(Key::bytes(&long), Value::bytes(&vec![1; 300_000]), Expiry::Never).unwrap();
    assert_eq!(cache.save(&folder.file()).unwrap(), 802);
    assert_eq!(folder.names(), ["snapshot"]);
    let other_clock = Clock::manual();
    let loaded = new(&other_clock);
    assert_eq!(loaded.load(&folder.file()).unwrap(), 802);
    let shift = |row: &Row, by: u64| {
        let mut row = row.clone();
        row.4 = row.4.map(|deadline| deadline - by);
        row
    };
    // What passed between saving and loading is taken off.
    let (saved, loaded_rows) = (rows(&cache), rows(&loaded));
    let late = saved
        .iter()
        .zip(&loaded_rows)
        .find_map(|(saved, loaded)| Some(saved.4? - 5_000 - loaded.4?));
    let late = late.unwrap();
    let expected: Vec<Row> = saved.iter().map(|row| shift(row, 5_000 + late)).collect();
    assert!(expected == loaded_rows);
    loaded.audit().unwrap();
    assert_eq!(loaded.load(&folder.file()).unwrap(), 802, "again, over what is there");
    assert_eq!(loaded.len(), 802);
}

#[test]
fn what_expired_is_neither_saved_nor_loaded() {
    let (folder, clock) = (Folder::new(), Clock::manual());
    let cache = new(&clock);
    cache.set(Key::text(b"over"), Value::bytes(b"1"), Expiry::At(10)).unwrap();
    cache.set(Key::text(b"soon"), Value::bytes(b"2"), Expiry::At(1_000_011)).unwrap();
    cache.set(Key::text(b"ever"), Value::bytes(b"3"), Expiry::Never).unwrap();
    clock.advance(10);
    assert_eq!(cache.save(&folder.file()).unwrap(), 2);
    // Saved in 1970: the deadline passed long ago.
    let mut bytes = fs::read(folder.file()).unwrap();
    bytes[12..20].fill(0);
    sign(&mut bytes);
    fs::write(folder.file(), bytes).unwrap();
    let loaded = new(&clock);
    assert_eq!(loaded.load(&folder.file()).unwrap(), 1);
    assert!(loaded.contains(Key::text(b"ever")));
}

/// Makes the checksum right.
fn sign(bytes: &mut [u8]) {
    let end = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
}

fn refuses(file: &Path, bytes: &[u8], what: &str) {
    fs::write(file, bytes).unwrap();
    let cache = new(&Clock::manual());
    old(&cache);
    let before = rows(&cache);
    match cache.load(file) {
        Err(PersistError::Damaged(_)) => {}
        other => panic!("{what}: {other:?}"),
    }
    assert_eq!(rows(&cache), before, "{what}");
}

fn small_snapshot(folder: &Folder) -> Vec<u8> {
    let cache = new(&Clock::manual());
    fill(&cache, 2);
    cache.save(&folder.file()).unwrap();
    fs::read(folder.file()).unwrap()
}

#[test]
fn any_byte_that_is_wrong_damages_the_file() {
    let folder = Folder::new();
    let good = small_snapshot(&folder);
    for at in 0..good.len() {
        for change in [1, 0x80, 0xFF] {
            let mut bad = good.clone();
            bad[at] ^= change;
            refuses(&folder.file(), &bad, &format!("byte {at} changed by {change:#x}"));
        }
    }
}

#[test]
fn any_byte_that_is_missing_or_too_many_damages_the_file() {
    let folder = Folder::new();
    let good = small_snapshot(&folder);
    for len in 0..good.len() {
        refuses(&folder.file(), &good[..len], &format!("cut at {len}"));
    }
    for more in [&b"\0"[..], b"\xFF", &good] {
        refuses(&folder.file(), &[&good, more].concat(), "something behind its end");
    }
}

#[test]
fn a_file_that_lies_under_a_right_checksum_is_refused() {
    let folder = Folder::new();
    let good = small_snapshot(&folder);
    let lie = |at: usize, bytes: &[u8], what: &str| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        sign(&mut bad);
        refuses(&folder.file(), &bad, what);
    };
    lie(8, &2u32.to_le_bytes(), "another version");
    lie(0, b"breakwtX", "another beginning");
    lie(20, &[4], "an unknown kind");
    lie(24, &u32::MAX.to_le_bytes(), "a value of 4 GiB");
    lie(good.len() - 12, &7u64.to_le_bytes(), "another count of entries");
    lie(20, &[0xFF], "an end at the beginning");
}

#[test]
fn a_version_of_tomorrow_is_named_as_the_reason() {
    let folder = Folder::new();
    let mut bytes = small_snapshot(&folder);
    bytes[8] = 2;
    sign(&mut bytes);
    fs::write(folder.file(), bytes).unwrap();
    let error = new(&Clock::manual()).load(&folder.file()).unwrap_err();
    assert_eq!(error.to_string(), "not an intact snapshot: its version is not 1");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_of_the_system() {
    let folder = Folder::new();
    let cache = new(&Clock::manual());
    old(&cache);
    for path in [folder.0.join("absent"), folder.0.clone()] {
        assert!(matches!(cache.load(&path), Err(PersistError::Io(_))));
    }
    assert_eq!(cache.len(), 1);
}

#[test]
fn a_save_that_fails_leaves_what_was_there_and_nothing_beside_it() {
    let folder = Folder::new();
    let cache = new(&Clock::manual());
    fill(&cache, 10);
    // A folder that is not empty cannot be taken the place of.
    let taken = folder.0.join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("file"), "kept").unwrap();
    assert!(matches!(cache.save(&taken), Err(PersistError::Io(_))));
    assert_eq!(folder.names(), ["taken"]);
    assert_eq!(fs::read(taken.join("file")).unwrap(), b"kept");
    for path in [folder.0.join("absent").join("file"), taken.join("file").join("file")] {
        assert!(matches!(cache.save(&path), Err(PersistError::Io(_))));
    }
    assert_eq!(folder.names(), ["taken"]);
}

#[test]
fn saves_at_the_same_time_each_leave_a_whole_file() {
    let folder = Folder::new();
    let cache = new(&Clock::manual());
    fill(&cache, 200);
    thread::scope(|scope| {
        for n in 0..4u8 {
            let (cache, folder) = (&cache, &folder);
            scope.spawn(move || {
                for round in 0..10u8 {
                    let key = [n, round];
                    cache.set(Key::bytes(&key), Value::bytes(&key), Expiry::Never).unwrap();
                    cache.save(&folder.file()).unwrap();
                    new(&Clock::manual()).load(&folder.file()).unwrap();
                }
            });
        }
    });
    assert_eq!(folder.names(), ["snapshot"]);
    assert_eq!(cache.save(&folder.file()).unwrap(), 840);
}

#[test]
fn a_save_under_writes_holds_every_key_that_stays() {
    let folder = Folder::new();
    let cache = Cache::new(Config { policy: Policy::Lru, ..Config::default() }).unwrap();
    fill(&cache, 100);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..20_000u32 {
                let key = n.to_le_bytes();
                cache.set(Key::text(&key), Value::bytes(&[1; 64]), Expiry::Never).unwrap();
                cache.delete(Key::text(&(n / 2).to_le_bytes()));
            }
        });
        while !writer.is_finished() {
            cache.save(&folder.file()).unwrap();
        }
    });
    cache.save(&folder.file()).unwrap();
    let loaded = new(&Clock::manual());
    loaded.load(&folder.file()).unwrap();
    let stays: BTreeMap<_, _> = rows(&loaded)
        .into_iter()
        .filter(|row| row.1.len() == 8)
        .map(|r| ((r.0, r.1), r.3))
        .collect();
    assert_eq!(stays.len(), 400);
    assert!(stays.values().all(|value| value.len() % 3 == 0));
}

#[test]
fn what_does_not_fit_is_said_and_what_came_before_stays() {
    let folder = Folder::new();
    let cache = new(&Clock::manual());
    fill(&cache, 100);
    cache.save(&folder.file()).unwrap();
    let config = Config { policy: Policy::None, max_entries: Some(50), ..Config::default() };
    let small = Cache::new(config).unwrap();
    match small.load(&folder.file()) {
        Err(PersistError::NoRoom { loaded: 50, error: Error::Full }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(small.len(), 50);
    small.audit().unwrap();
}

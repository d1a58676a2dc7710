//! What `MONITOR` tells becomes rows of a trace, in whatever pieces it comes.

use breakwater_lab::trace::read;
use breakwater_lab::{Format, Progress, Recorder, Refused};
use proptest::prelude::*;

const LINES: &str = concat!(
    "+OK\r\n",
    "+1700000000.000001 [0 127.0.0.1:5000] \"get\" \"a\"\r\n",
    "+1700000000.000002 [0 unix:/a [0] b] \"MGET\" \"a\" \"b\\\"\\x00\"\r\n",
    "+1700000000.000003 [0 lua] \"get\" \"a\"\r\n",
    "+1700000000.000004 [0 127.0.0.1:5000] \"set\" \"a\" \"1\"\r\n",
    "+1700000000.000005 [0 127.0.0.1:5000] \"ttl\" \"a\"\r\n",
    "+1700000000.000006 [3 [::1]:5000] \"HGETALL\" \"a\"\r\n",
    "+1700000000.000007 [0 127.0.0.1:5000] \"nonsense\"\r\n",
    "+1700000000.000008 [0 127.0.0.1:5000] \"get\" \"a\"\r\n",
    "+1700000000.000009 [0 127.0.0.1:5000] \"get\r\n",
);

fn rows(recorder: &mut Recorder) -> Vec<Vec<String>> {
    let mut text = String::new();
    let count = recorder.rows(usize::MAX, &mut text);
    let rows: Vec<Vec<_>> =
        text.lines().map(|row| row.split(',').map(String::from).collect()).collect();
    assert_eq!(rows.len(), count);
    rows
}

proptest! {
    #[test]
    fn reads_that_could_be_kept_are_rows(cuts in prop::collection::vec(0..LINES.len(), 0..20)) {
        let mut recorder = Recorder::new(false);
        let mut cuts = cuts;
        cuts.sort_unstable();
        cuts.push(LINES.len());
        let (mut from, mut asks) = (0, vec![]);
        for cut in cuts {
            recorder.monitored(&LINES.as_bytes()[from..cut], &mut asks).unwrap();
            from = cut;
        }
        prop_assert!(asks.is_empty());
        let rows = rows(&mut recorder);
        let times: Vec<_> = rows.iter().map(|row| row[0].trim_start_matches("1700000000.00000")).collect();
        prop_assert_eq!(times, ["1", "2", "2", "6", "8"]);
        // The same key of another database is another one.
        prop_assert_eq!(&rows[0][1], &rows[1][1]);
        prop_assert_eq!(&rows[0][1], &rows[4][1]);
        prop_assert_ne!(&rows[0][1], &rows[2][1]);
        prop_assert_ne!(&rows[0][1], &rows[3][1]);
        prop_assert!(rows.iter().all(|row| row[1].len() == 16));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0..400_usize) {
        let mut recorder = Recorder::new(true);
        let cut = cut.min(bytes.len());
        let mut asks = vec![];
        let _ = recorder.monitored(&bytes[..cut], &mut asks);
        let _ = recorder.monitored(&bytes[cut..], &mut asks);
        let _ = recorder.answered(&bytes);
        rows(&mut recorder);
    }
}

#[test]
fn each_key_is_asked_for_its_size_once() {
    let mut recorder = Recorder::new(true);
    let mut asks = vec![];
    recorder.monitored(LINES.as_bytes(), &mut asks).unwrap();
    let usage =
        |key: &str| format!("*3\r\n$6\r\nMEMORY\r\n$5\r\nUSAGE\r\n${}\r\n{key}\r\n", key.len());
    let select = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n";
    let expected = format!("{}{}{select}{}", usage("a"), usage("b\"\0"), usage("a"));
    assert_eq!(String::from_utf8(asks).unwrap(), expected);
    assert_eq!(rows(&mut recorder).len(), 0);
    let sizes = |recorder: &mut Recorder| -> Vec<String> {
        rows(recorder).into_iter().map(|row| row[2].clone()).collect()
    };
    // The second key is not there, and its row waits until the store has said so.
    recorder.answered(b"+OK\r\n:60\r\n$-1").unwrap();
    assert_eq!(sizes(&mut recorder), ["60", "60"]);
    recorder.answered(b"\r\n+OK\r\n:72\r\n").unwrap();
    assert_eq!(sizes(&mut recorder), ["0", "72", "60"]);
}

#[test]
fn what_the_store_refuses_is_said_in_its_words() {
    let mut recorder = Recorder::new(true);
    let no = "NOPERM this user has no permissions";
    let refused = Err(Refused(no.into()));
    assert_eq!(recorder.monitored(format!("-{no}\r\n").as_bytes(), &mut vec![]), refused);
    assert_eq!(recorder.answered(format!("-{no}\r\n").as_bytes()), refused);
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let mut recorder = Recorder::new(false);
    let mut asks = vec![];
    recorder.monitored(b"+1.0 [0 a] \"set\" \"a\" \"", &mut asks).unwrap();
    for _ in 0..100 {
        recorder.monitored(&vec![b'x'; 1 << 16], &mut asks).unwrap();
    }
    recorder.monitored(b"\"\r\n+2.0 [0 a] \"get\" \"a\"\r\n", &mut asks).unwrap();
    assert_eq!(rows(&mut recorder)[0][0], "2.0");
}

#[test]
fn rows_are_a_trace() {
    let mut recorder = Recorder::new(false);
    recorder.monitored(LINES.as_bytes(), &mut vec![]).unwrap();
    let mut text = String::from(recorder.header());
    recorder.rows(usize::MAX, &mut text);
    let file = std::env::temp_dir().join(format!("record-{}.csv", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let trace = read(&file, Format::Csv, usize::MAX, &Progress::default()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!((trace.len(), trace.distinct(), trace.has_times()), (5, 3, true));
}

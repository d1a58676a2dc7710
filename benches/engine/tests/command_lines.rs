//! The command lines of `npm run scale` and `npm run lines`: help, and what is wrong in words, as the other
//! scripts tell it.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::process::Command;

const SCALE: &str = env!("CARGO_BIN_EXE_scale");
const LINES: &str = env!("CARGO_BIN_EXE_lines");

fn run(program: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let ended = Command::new(program).args(args).output().unwrap();
    let [out, err] = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (ended.status.code(), out, err)
}

#[test]
fn help_lists_the_options() {
    for (program, name, options) in [
        (SCALE, "scale", ["--threads", "--rounds", "--entries", "--sides"]),
        (LINES, "lines", ["--threads", "--turns", "--entries", "--sides"]),
    ] {
        for flag in ["--help", "-h"] {
            let (code, out, err) = run(program, &[flag]);
            assert_eq!((code, &*err), (Some(0), ""));
            assert!(out.starts_with(&format!("npm run {name} -- [options]\n")));
            for option in options {
                assert!(out.contains(option), "{option}");
            }
        }
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    for (args, told) in [
        (&["--rounds", "x"][..], "--rounds must be a whole number from 1 on, not 'x'\n"),
        (&["--rounds", "0"], "--rounds must be a whole number from 1 on, not '0'\n"),
        (&["--entries"], "--entries must be a whole number from 1 on, and has no value\n"),
        (&["--entries=-1"], "--entries must be a whole number from 1 on, not '-1'\n"),
        (&["--threads", "1,0"], "--threads must be whole numbers above 0, not '1,0'\n"),
        (&["--threads", ""], "--threads must be whole numbers above 0, not ''\n"),
        (
            &["--sides", "moka,map"],
            "--sides must be of breakwater, breakwater returned, quick_cache, moka, mutex lru, not 'moka,map'\n",
        ),
        (
            &["--bogus"],
            "there is no option '--bogus'\nthere are --threads, --rounds, --entries and --sides\n",
        ),
        (&["name"], "nothing but options is taken, not 'name'\n"),
    ] {
        let told = (Some(2), String::new(), told.to_owned());
        assert_eq!(run(SCALE, args), told, "{args:?}");
    }
}

#[test]
fn what_is_wrong_with_lines_is_named_with_what_is_allowed() {
    for (args, told) in [
        (&["--threads", "1"][..], "--threads must be a whole number from 2 to 32, not '1'\n"),
        (&["--threads", "33"], "--threads must be a whole number from 2 to 32, not '33'\n"),
        (&["--turns", "0"], "--turns must be a whole number from 1 on, not '0'\n"),
        (&["--entries", "31"], "--entries must be a whole number from 32 on, not '31'\n"),
        (&["-x"], "there is no option '-x'\nthere are --threads, --turns, --entries and --sides\n"),
    ] {
        assert_eq!(run(LINES, args), (Some(2), String::new(), told.to_owned()), "{args:?}");
    }
}

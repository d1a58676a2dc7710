//! The command line of `npm run scale`: help, and what is wrong in words, as the other scripts tell it.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::process::Command;

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_scale")).args(args).output().unwrap();
    let [out, err] = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (ended.status.code(), out, err)
}

#[test]
fn help_lists_the_options() {
    for flag in ["--help", "-h"] {
        let (code, out, err) = run(&[flag]);
        assert_eq!((code, &*err), (Some(0), ""));
        assert!(out.starts_with("npm run scale -- [options]\n"));
        for option in ["--threads", "--rounds", "--entries", "--sides"] {
            assert!(out.contains(option), "{option}");
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
        assert_eq!(run(args), (Some(2), String::new(), told.to_owned()), "{args:?}");
    }
}

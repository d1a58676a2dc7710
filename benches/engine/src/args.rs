//! Command lines of the programs: help, and what is wrong in words.

use lexopt::{Arg, Parser};
use std::error::Error;
use std::ffi::OsStr;
use std::process::ExitCode;
use std::str::FromStr;

/// What was asked for; `None` if that is help.
pub type Parsed<T> = Result<Option<T>, Wrong>;

/// Names the option, what was given and what is allowed.
pub struct Wrong(String);

impl Wrong {
    /// Of an argument that there is not.
    pub fn unknown(arg: &Arg<'_>, options: &[&str]) -> Self {
        let name = match arg {
            Arg::Long(name) => format!("--{name}"),
            Arg::Short(name) => format!("-{name}"),
            Arg::Value(name) => {
                return Self(format!("nothing but options is taken, not '{}'", name.display()));
            }
        };
        let (last, others) = options.split_last().expect("there are options");
        let there = format!("there are {} and {last}", others.join(", "));
        Self(format!("there is no option '{name}'\n{there}"))
    }
}

impl From<lexopt::Error> for Wrong {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

/// Does what the command line asks for. Exit codes: 0 it was done, 1 it failed, 2 an option is wrong.
pub fn run<T>(
    help: &str,
    parse: impl FnOnce(&mut Parser) -> Parsed<T>,
    work: impl FnOnce(&T) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    match parse(&mut Parser::from_env()) {
        Ok(None) => println!("{help}"),
        Ok(Some(asked)) => {
            if let Err(why) = work(&asked) {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        }
        Err(Wrong(why)) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// The value of an option, of which `read` makes something.
///
/// # Errors
/// When there is none, or nothing can be made of it.
pub fn value<T>(
    parser: &mut Parser,
    name: &str,
    allowed: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, Wrong> {
    let Ok(given) = parser.value() else {
        return Err(Wrong(format!("{name} must be {allowed}, and has no value")));
    };
    let given = OsStr::to_string_lossy(&given);
    read(&given).ok_or_else(|| Wrong(format!("{name} must be {allowed}, not '{given}'")))
}

/// A whole number from 1 on.
///
/// # Errors
/// As [`value`].
pub fn one<T: FromStr + PartialOrd + From<u8>>(
    parser: &mut Parser,
    name: &str,
) -> Result<T, Wrong> {
    value(parser, name, "a whole number from 1 on", whole)
}

/// Values with commas between them.
///
/// # Errors
/// As [`value`].
pub fn several<T>(
    parser: &mut Parser,
    name: &str,
    allowed: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Wrong> {
    value(parser, name, allowed, |given| given.split(',').map(&read).collect())
}

/// Reads a whole number from 1 on.
pub fn whole<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number| *number >= T::from(1))
}

/// Reads one of some names.
pub fn known(names: &[&str]) -> impl Fn(&str) -> Option<String> {
    move |name| names.contains(&name).then(|| name.to_owned())
}

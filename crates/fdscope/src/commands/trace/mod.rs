//! `fdscope trace`, `fdscope strace`, and fdscope called by the name `strace`: system calls in strace's lines.
//!
//! What is traced and how it is written is `fdscope-strace`'s business; an engine tells what happens. Here the two are
//! brought together: a program is started or processes are attached to, and the end is made as strace makes it.

mod by_bpf;
mod choice;
mod ending;
mod engine;
mod help;
mod log;
mod machine;
mod names;
mod program;
mod refusal;
mod run;
mod sockets;
mod stacks;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;

use fdscope_strace::set::CallSet;
use fdscope_strace::{Options, Refusal};

use crate::Done;
use crate::ending::Ending;

/// Under which name, and so with which defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// `fdscope trace`: calls that concern handles.
    Trace,
    /// `strace`: every call.
    Strace,
}

impl Manner {
    fn name(self) -> &'static str {
        match self {
            Manner::Trace => "fdscope trace",
            Manner::Strace => "strace",
        }
    }
}

/// Runs the arguments.
pub fn run(manner: Manner, arguments: Vec<OsString>) -> Done {
    let words: Vec<Vec<u8>> = arguments.into_iter().map(OsStringExt::into_vec).collect();
    let program = manner.name();
    let mut defaults = Options::new(program);
    if manner == Manner::Trace {
        defaults.trace = CallSet::read(b"%handle").expect("the class is in the table");
    }
    let words = match manner {
        Manner::Trace => targets_as_options(words),
        Manner::Strace => words,
    };
    match fdscope_strace::read(program, &words, defaults) {
        Ok((options, remarks)) => {
            remarks.iter().for_each(|remark| say(program, remark));
            run::run(&options, manner)
        }
        Err(Refusal::Help) => {
            std::io::stdout().write_all(help::text(manner).as_bytes())?;
            Ok(Ending::Done)
        }
        Err(Refusal::Version) => {
            std::io::stdout().write_all(help::version().as_bytes())?;
            Ok(Ending::Done)
        }
        Err(Refusal::Wrong { words, points_to_help }) => {
            say(program, &words);
            if points_to_help {
                eprintln!("Try '{program} -h' for more information.");
            }
            Ok(Ending::AsCommand(if manner == Manner::Strace { 1 } else { 2 }))
        }
    }
}

/// `fdscope trace 4123`: a number in the place of a program is a process, unless there is such a program.
fn targets_as_options(words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    match words.as_slice() {
        [.., before, last]
            if is_number(last) && before.starts_with(b"-") && !takes_word(before) =>
        {
            attach_to_last(words)
        }
        [only] if is_number(only) => attach_to_last(words),
        _ => words,
    }
}

fn attach_to_last(mut words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if let Some(last) = words.pop() {
        words.extend([b"-p".to_vec(), last]);
    }
    words
}

fn is_number(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

/// Is the next word an argument of this one?
fn takes_word(option: &[u8]) -> bool {
    match option.strip_prefix(b"--") {
        Some(_) => !option.contains(&b'='),
        None => option.last().is_some_and(|letter| b"abeEIoOpPsSuUX".contains(letter)),
    }
}

/// Words on standard error; nothing is left to be done if that cannot be.
pub fn say(program: &str, words: &[u8]) {
    let line = [program.as_bytes(), b": ", words, b"\n"].concat();
    let _unwritable = std::io::stderr().write_all(&line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], expected: &[&str]) {
        let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let found: Vec<String> = targets_as_options(words)
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_number_alone_is_a_process() {
        check(&["4123"], &["-p", "4123"]);
        check(&["-f", "4123"], &["-f", "-p", "4123"]);
        check(&["-s", "4123"], &["-s", "4123"]);
        check(&["--json", "4123"], &["--json", "4123"]);
        check(&["sleep", "3"], &["sleep", "3"]);
    }
}

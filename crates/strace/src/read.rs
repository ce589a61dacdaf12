//! How strace is told what to do: its letters, its long names, `-e`, and its complaints.

use fdscope_syscall::decode::{Quote, Xlat};

use crate::beyond;
use crate::getopt::{self, Found, Grammar, Takes};
use crate::options::{
    Count, Daemon, FdWords, Interruptible, Options, Output, Stamp, quiet, status,
};
use crate::set::{CallSet, NumberSet, descriptor};
use crate::signal;
use crate::summary::{Column, SortBy};
use crate::time;

/// Why nothing is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Words for standard error, each line to be begun with the program's name; the program fails.
    Wrong {
        /// What is wrong.
        words: Vec<u8>,
        /// Say where help is to be found.
        points_to_help: bool,
    },
    /// Help was asked for.
    Help,
    /// The version was asked for.
    Version,
}

pub(crate) fn wrong(words: impl Into<Vec<u8>>) -> Refusal {
    Refusal::Wrong { words: words.into(), points_to_help: false }
}

fn wrong_usage(words: impl Into<Vec<u8>>) -> Refusal {
    Refusal::Wrong { words: words.into(), points_to_help: true }
}

/// What a long name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// The letter.
    As(u8),
    /// The qualifier of `-e`.
    Qualify(&'static str),
    /// Itself.
    Itself,
}

use Key::{As, Itself, Qualify};
use Takes::{Nothing, One, Perhaps};

const LONG: &[getopt::Long<Key>] = &[
    ("columns", One, As(b'a')),
    ("output-append-mode", Nothing, As(b'A')),
    ("detach-on", One, As(b'b')),
    ("summary-only", Nothing, As(b'c')),
    ("summary", Nothing, As(b'C')),
    ("debug", Nothing, As(b'd')),
    ("daemonize", Perhaps, Itself),
    ("daemonised", Perhaps, Itself),
    ("daemonized", Perhaps, Itself),
    ("env", One, As(b'E')),
    ("follow-forks", Nothing, As(b'f')),
    ("output-separately", Nothing, Itself),
    ("help", Nothing, As(b'h')),
    ("instruction-pointer", Nothing, As(b'i')),
    ("interruptible", One, As(b'I')),
    ("stack-traces", Nothing, As(b'k')),
    ("stack-trace", Perhaps, Itself),
    ("stack-trace-frame-limit", One, Itself),
    ("syscall-number", Nothing, As(b'n')),
    ("namespace", Nothing, As(b'N')),
    ("output", One, As(b'o')),
    ("summary-syscall-overhead", One, As(b'O')),
    ("attach", One, As(b'p')),
    ("trace-path", One, As(b'P')),
    ("relative-timestamps", Perhaps, Itself),
    ("string-limit", One, As(b's')),
    ("summary-sort-by", One, As(b'S')),
    ("absolute-timestamps", Perhaps, Itself),
    ("timestamps", Perhaps, Itself),
    ("syscall-times", Perhaps, Itself),
    ("user", One, As(b'u')),
    ("summary-columns", One, As(b'U')),
    ("no-abbrev", Nothing, As(b'v')),
    ("version", Nothing, As(b'V')),
    ("summary-wall-clock", Nothing, As(b'w')),
    ("strings-in-hex", Perhaps, Itself),
    ("const-print-style", One, As(b'X')),
    ("successful-only", Nothing, As(b'z')),
    ("failed-only", Nothing, As(b'Z')),
    ("failing-only", Nothing, As(b'Z')),
    ("trace", One, Qualify("trace")),
    ("abbrev", One, Qualify("abbrev")),
    ("verbose", One, Qualify("verbose")),
    ("raw", One, Qualify("raw")),
    ("signals", One, Qualify("signal")),
    ("signal", One, Qualify("signal")),
    ("reads", One, Qualify("read")),
    ("read", One, Qualify("read")),
    ("writes", One, Qualify("write")),
    ("write", One, Qualify("write")),
    ("status", One, Qualify("status")),
    ("quiet", Perhaps, Itself),
    ("silent", Perhaps, Itself),
    ("silence", Perhaps, Itself),
    ("kvm", One, Qualify("kvm")),
    ("fault", One, Qualify("fault")),
    ("inject", One, Qualify("inject")),
    ("trace-fds", One, Qualify("fd")),
    ("decode-fds", Perhaps, Itself),
    ("decode-pids", One, Itself),
    ("seccomp-bpf", Nothing, Itself),
    ("kill-on-exit", Nothing, Itself),
    ("syscall-limit", One, Itself),
    ("always-show-pid", Nothing, Itself),
    ("argv0", One, Itself),
    ("tips", Perhaps, Itself),
    // What strace does not have.
    ("json", Nothing, Itself),
    ("whole-lines", Nothing, Itself),
    ("source", One, Itself),
    ("for", One, Itself),
    ("max-size", One, Itself),
    ("rotate", One, Itself),
    ("errno", One, Itself),
    ("path-glob", One, Itself),
    ("kind", One, Itself),
    ("min-duration", One, Itself),
    ("summary-every", One, Itself),
    ("summary-by-process", Nothing, Itself),
    ("children", Nothing, Itself),
];

const GRAMMAR: Grammar<Key> =
    Grammar { letters: "a:Ab:cCdDe:E:fFhiI:kno:O:p:P:qrs:S:tTu:U:vVwxX:yYzZN", long: LONG };

/// Counts of letters that mean more when repeated.
#[derive(Default)]
struct Repeats {
    daemon: u8,
    follow: u8,
    stacks: u8,
    quiet: u8,
    stamps: u8,
    hex: u8,
    fds: u8,
    both_status: [bool; 2],
    long_stamp: bool,
}

/// What the words behind the program's name say, and what is to be remarked on.
///
/// # Errors
/// Why nothing is to be done.
pub fn read(
    program: &'static str,
    words: &[Vec<u8>],
    defaults: Options,
) -> Result<(Options, Vec<Vec<u8>>), Refusal> {
    let (found, rest) = getopt::read(words, &GRAMMAR).map_err(wrong_usage)?;
    let mut options = Options { program, command: rest, ..defaults };
    let mut repeats = Repeats::default();
    for found in found {
        match found {
            Found::Letter(letter, argument) => {
                let argument = argument.unwrap_or_default();
                letter_given(&mut options, &mut repeats, letter, &argument, None)?;
            }
            Found::Long(name, As(letter), argument) => {
                let argument = argument.unwrap_or_default();
                letter_given(&mut options, &mut repeats, letter, &argument, Some(name))?;
            }
            Found::Long(_, Qualify(key), argument) => {
                qualify(&mut options, key, &argument.unwrap_or_default())?;
            }
            Found::Long(name, Itself, argument) => {
                long_given(&mut options, &mut repeats, name, argument.as_deref())?;
            }
        }
    }
    let mut remarks = Vec::new();
    settle(&mut options, &repeats, &mut remarks)?;
    Ok((options, remarks))
}

pub(crate) fn invalid(letter: u8, long: Option<&str>, argument: &[u8]) -> Refusal {
    let given = match long {
        Some(name) => format!("--{name}").into_bytes(),
        None => vec![b'-', letter],
    };
    wrong_usage([b"invalid ", &given[..], b" argument: '", argument, b"'"].concat())
}

pub(crate) fn number(text: &[u8], most: u64) -> Option<u64> {
    let number: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number <= most && text.first() != Some(&b'+')).then_some(number)
}

fn letter_given(
    options: &mut Options,
    repeats: &mut Repeats,
    letter: u8,
    argument: &[u8],
    long: Option<&str>,
) -> Result<(), Refusal> {
    let bad = || invalid(letter, long, argument);
    match letter {
        b'A' => options.append = true,
        b'C' | b'c' => {
            let count = if letter == b'C' { Count::Too } else { Count::Only };
            if options.count != Count::No && options.count != count {
                return Err(wrong_usage(
                    "-c/--summary-only and -C/--summary are mutually exclusive",
                ));
            }
            options.count = count;
        }
        b'D' => repeats.daemon += 1,
        b'f' | b'F' => repeats.follow += 1,
        b'h' => return Err(Refusal::Help),
        b'V' => return Err(Refusal::Version),
        b'i' => options.ip = true,
        b'k' => repeats.stacks += 1,
        b'n' => options.numbers = true,
        b'N' => options.pid_namespaces = true,
        b'q' => repeats.quiet += 1,
        b'r' => options.relative = Some(6),
        b't' => repeats.stamps += 1,
        b'T' => options.spent = Some(6),
        b'v' => {
            options.abbreviate = CallSet::none();
            options.beyond.secrets = true;
        }
        b'w' => options.wall = true,
        b'x' => repeats.hex += 1,
        b'y' => repeats.fds += 1,
        b'Y' => options.pid_names = true,
        b'z' | b'Z' => {
            let which = usize::from(letter == b'Z');
            repeats.both_status =
                [repeats.both_status[0] || which == 0, repeats.both_status[1] || which == 1];
            options.status = NumberSet::only(&[[status::SUCCESSFUL, status::FAILED][which]]);
        }
        b'a' => options.column = number(argument, 1 << 20).ok_or_else(bad)? as usize,
        b's' => options.style.strings = number(argument, 1 << 30).ok_or_else(bad)? as usize,
        b'b' if argument == b"execve" => options.detach_on_exec = true,
        b'b' => {
            return Err(wrong([b"Syscall '", argument, b"' for -b isn't supported"].concat()));
        }
        b'e' => return expression(options, argument),
        b'E' => options.environment.push(argument.to_vec()),
        b'I' => {
            options.interruptible = Some(match argument {
                b"1" | b"anywhere" => Interruptible::Anywhere,
                b"2" | b"waiting" => Interruptible::Waiting,
                b"3" | b"never" => Interruptible::Never,
                b"4" | b"never_tstp" => Interruptible::NeverTstp,
                _ => return Err(bad()),
            });
        }
        b'o' => {
            options.output = Some(match argument {
                [b'|' | b'!', command @ ..] => Output::Command(command.to_vec()),
                file => Output::File(file.to_vec()),
            });
        }
        b'O' => {
            let ns = time::parse(argument, 1000).ok_or_else(bad)?;
            options.overhead_ns = i64::try_from(ns).ok();
        }
        b'p' => attach(options, argument)?,
        b'P' => options.paths.push(argument.to_vec()),
        b'S' => {
            let unknown = || wrong_usage([b"invalid sortby: '", argument, b"'"].concat());
            options.sort = SortBy::read(argument).ok_or_else(unknown)?;
        }
        b'u' => options.user = Some(argument.to_vec()),
        b'U' => columns(options, argument)?,
        b'X' => {
            options.style.xlat = match argument {
                b"raw" => Xlat::Raw,
                b"abbrev" => Xlat::Abbrev,
                b"verbose" => Xlat::Verbose,
                _ => return Err(bad()),
            };
        }
        _ => {}
    }
    Ok(())
}

/// `-p 1,2 3`: numbers between commas, spaces and lines.
fn attach(options: &mut Options, list: &[u8]) -> Result<(), Refusal> {
    let breaks = |byte: &u8| matches!(byte, b',' | b' ' | b'\t' | b'\n');
    for token in list.split(breaks).filter(|token| !token.is_empty()) {
        let pid = number(token, i32::MAX as u64).filter(|pid| *pid > 0);
        let invalid = || wrong([b"Invalid process id: '", token, b"'"].concat());
        options.pids.push(pid.ok_or_else(invalid)? as u32);
    }
    Ok(())
}

fn columns(options: &mut Options, list: &[u8]) -> Result<(), Refusal> {
    let mut found = Vec::new();
    for token in list.split(|byte| *byte == b',') {
        let unknown = || wrong_usage([b"unknown column name: '", token, b"'"].concat());
        let column = Column::read(token).ok_or_else(unknown)?;
        if found.contains(&column) {
            return Err(wrong_usage(
                [
                    b"call summary column has been provided more than once: '",
                    token,
                    b"' (-U option has value '",
                    list,
                    b"')",
                ]
                .concat(),
            ));
        }
        found.push(column);
    }
    if !found.contains(&Column::Name) {
        found.push(Column::Name);
    }
    options.columns = found;
    Ok(())
}

/// `-e KEY=VALUE`; without a key that is known all of it is about which calls are traced.
fn expression(options: &mut Options, expression: &[u8]) -> Result<(), Refusal> {
    let marks = expression.iter().position(|byte| *byte != b'!').unwrap_or(expression.len());
    let (marks, text) = expression.split_at(marks);
    if let Some(at) = text.iter().position(|byte| *byte == b'=')
        && let (Some(word), Some(value)) = (text.get(..at), text.get(at + 1..))
        && let Some(key) = key_of(word)
    {
        return qualify(options, key, &[marks, value].concat());
    }
    qualify(options, "trace", expression)
}

fn key_of(word: &[u8]) -> Option<&'static str> {
    Some(match word {
        b"trace" | b"t" => "trace",
        b"abbrev" | b"a" => "abbrev",
        b"verbose" | b"v" => "verbose",
        b"raw" | b"x" => "raw",
        b"signal" | b"signals" | b"s" => "signal",
        b"read" | b"reads" | b"r" => "read",
        b"write" | b"writes" | b"w" => "write",
        b"status" => "status",
        b"quiet" | b"silent" | b"silence" | b"q" => "quiet",
        b"fd" | b"fds" | b"trace-fd" | b"trace-fds" => "fd",
        b"decode-fd" | b"decode-fds" => "decode-fds",
        b"decode-pid" | b"decode-pids" => "decode-pids",
        b"fault" => "fault",
        b"inject" => "inject",
        b"kvm" => "kvm",
        _ => return None,
    })
}

fn qualify(options: &mut Options, key: &str, value: &[u8]) -> Result<(), Refusal> {
    let calls = || CallSet::read(value).map_err(complaint);
    let named = |names: &'static [&'static str]| {
        move |token: &[u8]| names.iter().position(|name| name.as_bytes() == token)
    };
    match key {
        "trace" => options.trace = calls()?,
        "abbrev" => options.abbreviate = calls()?,
        "verbose" => options.verbose = calls()?,
        "raw" => options.raw = calls()?,
        "signal" => {
            let number = |token: &[u8]| signal::number(token);
            options.signals = NumberSet::read(value, "signal", number).map_err(wrong)?;
        }
        "read" => {
            options.reads = NumberSet::read(value, "descriptor", descriptor).map_err(wrong)?;
        }
        "write" => {
            options.writes = NumberSet::read(value, "descriptor", descriptor).map_err(wrong)?;
        }
        "fd" => {
            options.fds = Some(NumberSet::read(value, "descriptor", descriptor).map_err(wrong)?);
        }
        "status" => {
            let place = named(&status::NAMES);
            let number = |token: &[u8]| place(token).map(|at| at as u32);
            options.status = NumberSet::read(value, "status", number).map_err(wrong)?;
        }
        "quiet" => options.quiet = quiet_set(value)?,
        "decode-fds" => options.fd_words = fd_words(value)?,
        "decode-pids" => pid_words(options, value)?,
        "fault" | "inject" => {
            return Err(wrong(format!(
                "-e {key} would change what the target does: fdscope never does that"
            )));
        }
        _ if value == b"vcpu" => {}
        _ => return Err(wrong([b"invalid -e kvm= argument: '", value, b"'"].concat())),
    }
    Ok(())
}

/// A complaint of a set of calls; one that ends its line is a matter of usage.
fn complaint(words: Vec<u8>) -> Refusal {
    match words.strip_suffix(b"\n") {
        Some(words) => wrong_usage(words),
        None => wrong(words),
    }
}

fn quiet_set(value: &[u8]) -> Result<NumberSet, Refusal> {
    let number = |token: &[u8]| {
        let at = quiet::NAMES.iter().position(|name| name.as_bytes() == token)?;
        Some(match at as u32 {
            5 => quiet::EXECVE,
            6 => quiet::PATH,
            at => at,
        })
    };
    NumberSet::read(value, "quiet", number).map_err(wrong)
}

fn fd_words(value: &[u8]) -> Result<FdWords, Refusal> {
    const NAMES: [&str; 4] = ["path", "dev", "socket", "pidfd"];
    let number =
        |token: &[u8]| NAMES.iter().position(|name| name.as_bytes() == token).map(|at| at as u32);
    let set = NumberSet::read(value, "decode-fds", number).map_err(wrong)?;
    Ok(FdWords { path: set.has(0), dev: set.has(1), socket: set.has(2), pidfd: set.has(3) })
}

fn pid_words(options: &mut Options, value: &[u8]) -> Result<(), Refusal> {
    const NAMES: [&str; 2] = ["comm", "pidns"];
    let number =
        |token: &[u8]| NAMES.iter().position(|name| name.as_bytes() == token).map(|at| at as u32);
    let set = NumberSet::read(value, "decode-pids", number).map_err(wrong)?;
    options.pid_names = set.has(0);
    options.pid_namespaces = set.has(1);
    Ok(())
}

fn long_given(
    options: &mut Options,
    repeats: &mut Repeats,
    name: &'static str,
    argument: Option<&[u8]>,
) -> Result<(), Refusal> {
    let bad = || invalid(0, Some(name), argument.unwrap_or_default());
    match (name, argument) {
        ("daemonize" | "daemonised" | "daemonized", kind) => {
            options.daemon = match kind {
                None | Some(b"grandchild") => Daemon::Grandchild,
                Some(b"pgroup" | b"pgrp") => Daemon::Group,
                Some(b"session") => Daemon::Session,
                Some(_) => return Err(bad()),
            };
        }
        ("output-separately", _) => options.separately = true,
        ("stack-trace", kind) => {
            options.stacks = true;
            options.stack_lines = match kind {
                None | Some(b"symbol") => false,
                Some(b"source") => true,
                Some(_) => return Err(bad()),
            };
        }
        ("stack-trace-frame-limit", Some(text)) => {
            options.most_frames =
                number(text, 1 << 20).filter(|n| *n > 0).ok_or_else(bad)? as usize;
        }
        ("relative-timestamps", fine) => {
            options.relative = Some(fine.map_or(Some(6), time::precision).ok_or_else(bad)?);
        }
        ("syscall-times", fine) => {
            options.spent = Some(fine.map_or(Some(6), time::precision).ok_or_else(bad)?);
        }
        ("absolute-timestamps" | "timestamps", what) => {
            options.stamp = time::absolute(what.unwrap_or(b"time")).ok_or_else(bad)?;
            repeats.long_stamp = true;
        }
        ("strings-in-hex", kind) => {
            options.style.quote = match kind {
                None | Some(b"all") => Quote::HexAll,
                Some(b"non-ascii") => Quote::HexNonAscii,
                Some(b"none") => Quote::Escapes,
                Some(_) => return Err(bad()),
            };
        }
        ("quiet" | "silent" | "silence", kind) => {
            options.quiet = match kind {
                None => NumberSet::only(&[quiet::ATTACH, quiet::PERSONALITY]),
                Some(set) => quiet_set(set)?,
            };
        }
        ("decode-fds", kind) => {
            options.fd_words =
                kind.map_or(Ok(FdWords { path: true, ..FdWords::default() }), fd_words)?;
        }
        ("decode-pids", Some(kind)) => pid_words(options, kind)?,
        ("seccomp-bpf", _) => options.seccomp = true,
        ("kill-on-exit", _) => options.kill_on_exit = true,
        ("always-show-pid", _) => options.always_pid = true,
        ("argv0", Some(word)) => options.argv0 = Some(word.to_vec()),
        ("syscall-limit", Some(text)) => {
            options.most_calls = Some(number(text, u64::MAX).filter(|n| *n > 0).ok_or_else(bad)?);
        }
        _ => return beyond::given(options, name, argument.unwrap_or_default()),
    }
    Ok(())
}

/// What repeated letters mean, and what does not go together.
fn settle(
    options: &mut Options,
    repeats: &Repeats,
    remarks: &mut Vec<Vec<u8>>,
) -> Result<(), Refusal> {
    repeated(options, repeats, remarks)?;
    let attaching = !options.pids.is_empty();
    if options.command.is_empty() && !attaching {
        return Err(wrong_usage("must have PROG [ARGS] or -p PID"));
    }
    if options.command.is_empty() && options.daemon != Daemon::No {
        return Err(wrong_usage("PROG [ARGS] must be specified with -D/--daemonize"));
    }
    if options.command.is_empty() && options.user.is_some() {
        remarks.push(b"-u/--user has no effect without PROG".to_vec());
    }
    if options.wall && options.count == Count::No {
        return Err(wrong_usage(
            "-w/--summary-wall-clock must be given with (-c/--summary-only or -C/--summary)",
        ));
    }
    if options.separately && matches!(options.output, Some(Output::Command(_))) {
        return Err(wrong_usage(
            "piping the output and -ff/--output-separately are mutually exclusive",
        ));
    }
    if options.separately && options.count == Count::Only {
        return Err(wrong_usage(
            "(-c/--summary-only or -C/--summary) and -ff/--output-separately are mutually exclusive",
        ));
    }
    if options.pid_namespaces {
        remarks.push(b"-N and --decode-pids=pidns are understood, but nothing is added".to_vec());
    }
    without_effect(options, remarks);
    Ok(())
}

fn repeated(
    options: &mut Options,
    repeats: &Repeats,
    remarks: &mut Vec<Vec<u8>>,
) -> Result<(), Refusal> {
    match repeats.daemon {
        0 => {}
        1 => options.daemon = Daemon::Grandchild,
        2 => options.daemon = Daemon::Group,
        _ => options.daemon = Daemon::Session,
    }
    options.follow |= repeats.follow > 0;
    options.separately |= repeats.follow > 1;
    options.stacks |= repeats.stacks > 0;
    options.stack_lines |= repeats.stacks > 1;
    match repeats.quiet {
        0 => {}
        1 => options.quiet = NumberSet::only(&[quiet::ATTACH, quiet::PERSONALITY]),
        2 => {
            options.quiet = NumberSet::only(&[quiet::ATTACH, quiet::PERSONALITY, quiet::EXIT]);
        }
        _ => options.quiet = NumberSet::all(),
    }
    if repeats.stamps > 0 && repeats.long_stamp {
        return Err(wrong("-t and --absolute-timestamps cannot be provided simultaneously"));
    }
    match repeats.stamps {
        0 => {}
        1 => options.stamp = Some((Stamp::Time, 0)),
        2 => options.stamp = Some((Stamp::Time, 6)),
        _ => options.stamp = Some((Stamp::Unix, 6)),
    }
    match repeats.hex {
        0 => {}
        1 => options.style.quote = Quote::HexNonAscii,
        _ => options.style.quote = Quote::HexAll,
    }
    match repeats.fds {
        0 => {}
        1 => options.fd_words.path = true,
        _ => options.fd_words = FdWords { path: true, dev: true, socket: true, pidfd: true },
    }
    if repeats.both_status == [true, true] {
        remarks.push(
            b"Only the last of -z/--successful-only/-Z/--failed-only options will take effect. \
              See status qualifier for more complex filters."
                .to_vec(),
        );
    }
    Ok(())
}

/// What is said without being of use, in strace's order and words.
fn without_effect(options: &mut Options, remarks: &mut Vec<Vec<u8>>) {
    let mut remark = |words: &str| remarks.push(words.as_bytes().to_vec());
    if options.seccomp && !options.follow {
        remark("--seccomp-bpf cannot be used without -f/--follow-forks, disabling");
        options.seccomp = false;
    }
    if options.seccomp && !options.pids.is_empty() {
        remark("--seccomp-bpf is not enabled for processes attached with -p");
    }
    if options.append && options.output.is_none() {
        remark("-A/--output-append-mode has no effect without -o/--output");
    }
    if options.count != Count::Only {
        return;
    }
    let silent = "has no effect with -c/--summary-only";
    let given = [
        (options.stamp.is_some(), "-t/--absolute-timestamps"),
        (options.relative.is_some(), "-r/--relative-timestamps"),
        (options.spent.is_some(), "-T/--syscall-times"),
        (options.ip, "-i/--instruction-pointer"),
        (options.numbers, "-n/--syscall-number"),
        (options.stacks, "-k/--stack-traces"),
        (options.fd_words != FdWords::default(), "-y/--decode-fds"),
        (options.pid_names, "-Y/--decode-pids"),
    ];
    given.iter().filter(|row| row.0).for_each(|row| remark(&format!("{} {silent}", row.1)));
    options.stacks = false;
}

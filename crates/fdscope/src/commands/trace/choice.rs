//! Which engine looks, and why.

use fdscope_bpf::Support;
use fdscope_strace::Options;
use fdscope_strace::options::{Daemon, Source};

use super::Manner;

/// The longest strings that the engine by eBPF copies.
const MOST_TEXT: usize = 16_000;

/// An engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chosen {
    /// eBPF, and nothing else.
    Bpf,
    /// eBPF; ptrace if that cannot be had.
    BpfFirst,
    /// ptrace.
    Ptrace,
}

/// Chooses, and says why; no reason is given for the usual choice.
///
/// # Errors
/// In words, if the engine that was asked for cannot do what else was asked for.
pub fn choose(
    options: &Options,
    manner: Manner,
    probe: impl FnOnce() -> Support,
) -> Result<(Chosen, Option<String>), String> {
    let needs = |option: &str| format!("{option} needs ptrace");
    match options.beyond.source {
        Source::Ptrace => Ok((Chosen::Ptrace, Some("as asked for".to_owned()))),
        Source::Bpf => match change_asked_for(options) {
            Some(option) => Err(format!("{}: it cannot go with --source=bpf", needs(option))),
            None => Ok((Chosen::Bpf, None)),
        },
        // strace's lines, to the byte, are what its name promises.
        Source::Auto if manner == Manner::Strace => Ok((Chosen::Ptrace, None)),
        Source::Auto => Ok(match change_asked_for(options).or_else(|| look_asked_for(options)) {
            Some(option) => (Chosen::Ptrace, Some(needs(option))),
            None => match probe() {
                Support::Likely => (Chosen::BpfFirst, None),
                Support::Missing(why) => (Chosen::Ptrace, Some(why)),
            },
        }),
    }
}

/// What only who traces a program can do to it.
fn change_asked_for(options: &Options) -> Option<&'static str> {
    let asked = [
        (options.detach_on_exec, "-b execve"),
        (options.daemon != Daemon::No, "-D"),
        (options.kill_on_exit, "--kill-on-exit"),
        (options.seccomp, "--seccomp-bpf"),
    ];
    asked.iter().find(|row| row.0).map(|row| row.1)
}

/// What can be found out only while a program stands still: when a record of a close is read, what was closed is gone.
fn look_asked_for(options: &Options) -> Option<&'static str> {
    let asked = [
        (options.stacks && !options.command.is_empty(), "-k of a program that may end soon"),
        (!options.reads.is_none(), "-e read="),
        (!options.writes.is_none(), "-e write="),
        (options.style.strings > MOST_TEXT, "-s above 16000"),
    ];
    asked.iter().find(|row| row.0).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(manner: Manner, words: &[&str], permitted: bool, expected: &str) {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let read = fdscope_strace::read("trace", &words, Options::new("trace"));
        let (options, _) = read.expect("right words");
        let probe = || match permitted {
            true => Support::Likely,
            false => Support::Missing("no rights".to_owned()),
        };
        let found = match choose(&options, manner, probe) {
            Ok((chosen, None)) => format!("{chosen:?}"),
            Ok((chosen, Some(why))) => format!("{chosen:?}: {why}"),
            Err(words) => words,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn ebpf_is_first_where_it_can_do_what_is_asked() {
        let trace = Manner::Trace;
        check(trace, &["-f", "-p", "1"], true, "BpfFirst");
        check(trace, &["-f", "-p", "1"], false, "Ptrace: no rights");
        check(trace, &["-yy", "-P", "/x", "-p", "1"], true, "BpfFirst");
        check(trace, &["-e", "read=3", "-p", "1"], true, "Ptrace: -e read= needs ptrace");
        check(trace, &["--kill-on-exit", "true"], true, "Ptrace: --kill-on-exit needs ptrace");
        check(trace, &["--source=ptrace", "true"], true, "Ptrace: as asked for");
        check(trace, &["-e", "read=3", "--source=bpf", "true"], true, "Bpf");
        let wrong = "-b execve needs ptrace: it cannot go with --source=bpf";
        check(trace, &["-b", "execve", "--source=bpf", "true"], true, wrong);
        check(Manner::Strace, &["-p", "1"], true, "Ptrace");
    }
}

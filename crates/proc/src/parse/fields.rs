//! stat, statm, status, io and limits field by field, for people who want all of it (proc_pid_stat(5) and its kin).

use super::{lines, words};

/// What a field of stat or statm counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counts {
    /// A number or flags.
    Plain,
    /// Clock ticks.
    Ticks,
    /// Bytes.
    Bytes,
    /// Pages.
    Pages,
    /// An address.
    Address,
}

/// A field with its name, what it counts, and what it means.
pub type Field = (&'static str, Counts, &'static str);

use Counts::{Address, Bytes, Pages, Plain, Ticks};

/// The fields of stat behind `comm`, from the third on.
pub const STAT: &[Field] = &[
    ("state", Plain, "what it does"),
    ("ppid", Plain, "parent"),
    ("pgrp", Plain, "process group"),
    ("session", Plain, "session"),
    ("tty_nr", Plain, "controlling terminal"),
    ("tpgid", Plain, "foreground group of the terminal"),
    ("flags", Plain, "PF_* of the kernel"),
    ("minflt", Plain, "minor faults"),
    ("cminflt", Plain, "minor faults of children waited for"),
    ("majflt", Plain, "major faults: pages read from disk"),
    ("cmajflt", Plain, "major faults of children waited for"),
    ("utime", Ticks, "user time"),
    ("stime", Ticks, "kernel time"),
    ("cutime", Ticks, "user time of children waited for"),
    ("cstime", Ticks, "kernel time of children waited for"),
    ("priority", Plain, "scheduling priority"),
    ("nice", Plain, "nice value"),
    ("num_threads", Plain, "threads"),
    ("itrealvalue", Plain, "always 0"),
    ("starttime", Ticks, "start, after boot"),
    ("vsize", Bytes, "address space"),
    ("rss", Pages, "resident memory"),
    ("rsslim", Bytes, "soft RLIMIT_RSS"),
    ("startcode", Address, "code from"),
    ("endcode", Address, "code to"),
    ("startstack", Address, "bottom of the stack"),
    ("kstkesp", Address, "stack pointer, of dying tasks only"),
    ("kstkeip", Address, "instruction pointer, of dying tasks only"),
    ("signal", Plain, "pending signals, obsolete"),
    ("blocked", Plain, "blocked signals, obsolete"),
    ("sigignore", Plain, "ignored signals, obsolete"),
    ("sigcatch", Plain, "caught signals, obsolete"),
    ("wchan", Plain, "1 if it waits in the kernel"),
    ("nswap", Plain, "always 0"),
    ("cnswap", Plain, "always 0"),
    ("exit_signal", Plain, "signal to the parent at exit"),
    ("processor", Plain, "processor last run on"),
    ("rt_priority", Plain, "real-time priority, 0 for none"),
    ("policy", Plain, "scheduling policy: SCHED_*"),
    ("delayacct_blkio_ticks", Ticks, "waiting for block devices"),
    ("guest_time", Ticks, "running a virtual processor"),
    ("cguest_time", Ticks, "the same of children"),
    ("start_data", Address, "data from"),
    ("end_data", Address, "data to"),
    ("start_brk", Address, "heap from"),
    ("arg_start", Address, "arguments from"),
    ("arg_end", Address, "arguments to"),
    ("env_start", Address, "environment from"),
    ("env_end", Address, "environment to"),
    ("exit_code", Plain, "as waitpid(2) would tell it"),
];

/// The fields of statm.
pub const STATM: &[Field] = &[
    ("size", Pages, "address space"),
    ("resident", Pages, "resident memory"),
    ("shared", Pages, "resident memory that files back"),
    ("text", Pages, "code"),
    ("lib", Pages, "always 0"),
    ("data", Pages, "data and stack"),
    ("dt", Pages, "always 0"),
];

/// Hands the fields of `names` with their values to `sink`; fields of later kernels have no name here and are left out.
pub fn parse_fields<'a>(
    bytes: &'a [u8],
    names: &'static [Field],
    mut sink: impl FnMut(Field, &'a [u8]),
) {
    words(bytes.trim_ascii()).zip(names).for_each(|(value, field)| sink(*field, value));
}

/// What stands behind `comm` in stat.
pub fn behind_comm(stat: &[u8]) -> &[u8] {
    stat.iter().rposition(|&b| b == b')').map_or(&[], |at| &stat[at + 1..])
}

/// Hands the key and value of each `KEY: VALUE` line to `sink` (status, io).
pub fn parse_pairs<'a>(bytes: &'a [u8], mut sink: impl FnMut(&'a [u8], &'a [u8])) {
    for line in lines(bytes) {
        if let Some(colon) = line.iter().position(|&b| b == b':') {
            sink(&line[..colon], line[colon + 1..].trim_ascii());
        }
    }
}

/// Where the columns of limits end (fs/proc/base.c, `proc_pid_limits`).
const LIMIT_NAME: usize = 26;

/// Hands name, soft value, hard value and unit of each limit to `sink`.
pub fn parse_all_limits<'a>(bytes: &'a [u8], mut sink: impl FnMut(&'a [u8], [&'a [u8]; 3])) {
    for line in lines(bytes).skip(1).filter(|line| line.len() > LIMIT_NAME) {
        let (name, rest) = line.split_at(LIMIT_NAME);
        let mut values = words(rest.trim_ascii());
        if let (Some(soft), Some(hard)) = (values.next(), values.next()) {
            sink(name.trim_ascii(), [soft, hard, values.next().unwrap_or_default()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_has_fifty_two_fields_two_of_them_before_these() {
        assert_eq!(STAT.len(), 50);
        let own = std::fs::read("/proc/self/stat").expect("own stat");
        let mut found = Vec::new();
        parse_fields(behind_comm(&own), STAT, |field, value| found.push((field.0, value)));
        assert_eq!(found.len(), 50);
        let threads = found.iter().find(|field| field.0 == "num_threads").expect("there");
        assert!(threads.1 >= &b"1"[..]);
        assert_eq!(behind_comm(b"1 (a) b) S 1"), b" S 1");
    }

    #[test]
    fn limits_and_pairs_are_told_apart() {
        let text =
            b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max nice priority         0                    0                    \n\
            Max open files            1024                 20000                files     \n";
        let mut found = Vec::new();
        parse_all_limits(text, |name, values| found.push((name, values)));
        assert_eq!(found[0], (&b"Max nice priority"[..], [&b"0"[..], b"0", b""]));
        assert_eq!(found[1], (&b"Max open files"[..], [&b"1024"[..], b"20000", b"files"]));
        let mut pairs = Vec::new();
        parse_pairs(b"Name:\ta:b\nrchar: 5\nx\n", |key, value| pairs.push((key, value)));
        assert_eq!(pairs, [(&b"Name"[..], &b"a:b"[..]), (b"rchar", b"5")]);
    }
}

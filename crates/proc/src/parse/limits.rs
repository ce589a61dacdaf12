//! /proc/PID/limits (proc_pid_limits(5)).

use super::number::decimal;
use super::{ParseError, after, lines, words};

/// A resource limit of which fdscope knows what uses it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Resource {
    /// RLIMIT_NOFILE: descriptors.
    Nofile,
    /// RLIMIT_NPROC: threads of the real user.
    Nproc,
    /// RLIMIT_SIGPENDING: queued signals and timers of the real user.
    Sigpending,
    /// RLIMIT_MEMLOCK, in bytes.
    Memlock,
    /// RLIMIT_STACK, in bytes: glibc's default size of a thread's stack.
    Stack,
}

/// The value of no limit at all.
pub const UNLIMITED: u64 = u64::MAX;

/// One limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RLimit {
    /// Which.
    pub resource: Resource,
    /// The limit in force; [`UNLIMITED`] for none.
    pub soft: u64,
    /// What the process may raise it to.
    pub hard: u64,
}

const ROWS: &[(&[u8], Resource)] = &[
    (b"Max open files", Resource::Nofile),
    (b"Max processes", Resource::Nproc),
    (b"Max pending signals", Resource::Sigpending),
    (b"Max locked memory", Resource::Memlock),
    (b"Max stack size", Resource::Stack),
];

/// Parses limits into those that fdscope knows.
///
/// # Errors
/// If not one of them is there.
pub fn parse_limits(bytes: &[u8]) -> Result<Vec<RLimit>, ParseError> {
    let limits: Vec<RLimit> = lines(bytes).filter_map(parse_line).take(ROWS.len()).collect();
    if limits.is_empty() {
        return Err(ParseError { file: "limits", field: "limit" });
    }
    Ok(limits)
}

fn parse_line(line: &[u8]) -> Option<RLimit> {
    ROWS.iter().find_map(|&(title, resource)| {
        let mut values = words(after(line, title)?).map(parse_value);
        Some(RLimit { resource, soft: values.next()??, hard: values.next()?? })
    })
}

fn parse_value(word: &[u8]) -> Option<u64> {
    if word == b"unlimited" { Some(UNLIMITED) } else { decimal(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_rows_are_read() {
        let text =
            b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max cpu time              unlimited            unlimited            seconds   \n\
            Max stack size            8388608              unlimited            bytes     \n\
            Max open files            1024                 20000                files     \n";
        let limits = parse_limits(text).expect("parses");
        assert_eq!(
            limits,
            [
                RLimit { resource: Resource::Stack, soft: 8_388_608, hard: UNLIMITED },
                RLimit { resource: Resource::Nofile, soft: 1024, hard: 20_000 },
            ]
        );
    }
}

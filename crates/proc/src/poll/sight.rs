//! What looking at /proc from time to time sees, and what it cannot.

use std::time::Duration;

use fdscope_model::{Blind, Sight, SourceName};

use super::Follow;

/// The account of a source that looks every `interval`.
pub(super) fn sight(interval: Duration, follow: Follow) -> Sight {
    let traced =
        "run as root, or give CAP_BPF and CAP_PERFMON, for --source bpf; or pass --source ptrace";
    let row = |what: &str, why: String, cure: &str| Blind {
        what: what.into(),
        why,
        cure: Some(cure.into()),
    };
    let mut blind = vec![
        row(
            "the code that opens and closes handles",
            "no stack is taken; sites are told by kind and name".into(),
            traced,
        ),
        row(
            "handles opened and closed between two looks",
            format!(
                "/proc is read every {interval:?}, and less often where a look costs more than 1/30 of that"
            ),
            "pass a shorter --interval, or trace",
        ),
        row(
            "a number closed and opened again on the same file, or on an anonymous file of the same type",
            "its link reads the same at both looks".into(),
            traced,
        ),
        row(
            "which descriptors are duplicates of one open file",
            "/proc shows descriptors and not open file descriptions".into(),
            traced,
        ),
        row("double closes and calls that failed", "they leave no trace in /proc".into(), traced),
        row(
            "tables that single threads have of their own (unshare)",
            "the table of the first thread is read".into(),
            traced,
        ),
    ];
    blind.push(match follow {
        Follow::No => row("what child processes do", "not asked for".into(), "pass --follow"),
        Follow::Children => row(
            "children that lived between two looks only, and those they left behind",
            "/proc shows who lives, and orphans under another parent".into(),
            traced,
        ),
    });
    Sight { source: SourceName::Poll, how: format!("/proc, read every {interval:?}"), blind }
}

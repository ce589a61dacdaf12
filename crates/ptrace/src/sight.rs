//! What tracing with ptrace sees, and what it cannot.

use fdscope_model::{Blind, Sight, SourceName, Tid};

use crate::options::{CloseStacks, Follow, Options};

/// The account of a source.
///
/// `unanswered` are threads that could not be stopped when attaching.
pub fn sight(launched: bool, unanswered: &[Tid], options: Options) -> Sight {
    let begin = if launched { "from the first instruction" } else { "seized while running" };
    let mut blind = vec![
        Blind {
            what: "opens and closes by io_uring".into(),
            why: "the kernel does them without a system call of their own".into(),
            cure: Some("use --source bpf; re-reading the table finds them without a stack".into()),
        },
        Blind {
            what: "descriptors handed out inside data: fanotify and userfaultfd events, binder"
                .into(),
            why: "no system call result names them".into(),
            cure: Some("re-reading the table finds them without a stack".into()),
        },
        Blind {
            what: "Python's own frames in stacks".into(),
            why: "only native frames are read at a stop".into(),
            cure: Some("use --source bpf".into()),
        },
    ];
    if cfg!(target_arch = "x86_64") {
        blind.push(Blind {
            what: "programs for the x32 interface".into(),
            why: "its calls have numbers of their own, which no table here knows".into(),
            cure: None,
        });
    }
    if !unanswered.is_empty() {
        let numbers: Vec<String> = unanswered.iter().map(Tid::to_string).collect();
        blind.push(Blind {
            what: format!("the first calls of threads {}", numbers.join(", ")),
            why: "they are in uninterruptible sleep, and are traced when they wake".into(),
            cure: None,
        });
    }
    let mut not_asked = |what: &str, cure: &str| {
        let why = "not asked for".into();
        blind.push(Blind { what: what.into(), why, cure: Some(cure.into()) });
    };
    if options.follow == Follow::No {
        not_asked("what child processes do", "pass --follow");
    }
    if options.close_stacks == CloseStacks::Skipped {
        not_asked("where handles are closed", "ask for the stacks of closes");
    }
    Sight {
        source: SourceName::Ptrace,
        how: format!("ptrace, every system call stopped, {begin}"),
        blind,
    }
}

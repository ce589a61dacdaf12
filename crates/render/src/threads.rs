//! Threads as rows: the table of columns of `fdscope threads` with `--filter`, `--columns`, `--sort`, `--group-by`.

use std::rc::Rc;

use fdscope_model::Process;
use fdscope_model::thread::{CurrentCall, Doing, ThreadEntry};

use crate::charset::Charset;
use crate::column::{Class, Column, Columns, Needs, Value, Vocabulary};

/// Stacks.
pub const STACKS: Needs = Needs(1);

/// A second reading, which tells what is busy and new.
pub const TWICE: Needs = Needs(2);

/// A thread with its process.
#[derive(Clone, PartialEq, Debug)]
pub struct ThreadRow {
    /// The process.
    pub process: Rc<Process>,
    /// The thread.
    pub thread: ThreadEntry,
    /// The function that it began in, where its libc or its stack tells.
    pub entry: Option<String>,
}

type Row = ThreadRow;

/// The columns of threads.
pub const THREADS: Columns<Row> = Columns {
    all: &ALL,
    absent: &[
        ("stack", "--stack shows the stacks; began-in is the function that each began in"),
        ("user", "threads have their process's: fdscope ps"),
    ],
};

/// The columns that are shown unless others are chosen.
pub fn initial() -> Vec<&'static Column<Row>> {
    const NAMES: [&str; 8] = ["pid", "tid", "name", "state", "call", "on", "cpu", "age"];
    NAMES.iter().filter_map(|name| THREADS.get(name)).collect()
}

/// The kernel's letters of states as words (proc_pid_stat(5)).
const STATES: [(&[u8], &str); 9] = [
    (b"R", "running"),
    (b"S", "sleeping"),
    (b"D", "blocked"),
    (b"T", "stopped"),
    (b"t", "traced"),
    (b"ZX", "ended"),
    (b"I", "idle"),
    (b"P", "parked"),
    (b"", "unknown"),
];

/// What a thread does, in a word.
static STATE: Vocabulary = Vocabulary {
    all: || STATES.iter().map(|row| row.1).collect(),
    find: |text| {
        // The kernel's letter too, as `ps` shows it.
        let is = |row: &&(&[u8], &str)| {
            row.1.eq_ignore_ascii_case(text)
                || text.len() == 1 && row.0.contains(&text.as_bytes()[0])
        };
        STATES.iter().find(is).map(|row| row.1)
    },
};

/// The word of the kernel's letter, if there is one.
pub(crate) fn state_word(state: u8) -> Option<&'static str> {
    STATES.iter().find(|row| row.0.contains(&state)).map(|row| row.1)
}

static ALL: [Column<Row>; 19] = [
    Column::new("pid", "PID", Class::Number, "its process", |row: &Row| {
        Value::Number(row.process.id.pid.0.into())
    }),
    Column::new("comm", "COMMAND", Class::Text, "the process's name", |row: &Row| {
        Value::text(row.process.comm.bytes())
    })
    .aliases(&["command", "process"]),
    Column::new("tid", "TID", Class::Number, "its own number", |row: &Row| {
        Value::Number(row.thread.tid.0.into())
    }),
    Column::new("name", "NAME", Class::Text, "its own name", |row: &Row| {
        Value::text(row.thread.comm.bytes())
    }),
    Column::new(
        "pattern",
        "PATTERN",
        Class::Text,
        "what its name shares with its siblings': work-*",
        |row: &Row| Value::text(row.thread.pattern.bytes()),
    ),
    Column::new("state", "STATE", Class::Word(&STATE), "what it does", |row: &Row| {
        Value::Word(state_word(row.thread.state).unwrap_or("unknown"))
    }),
    Column::new("call", "CALL", Class::Text, "the system call it waits in", |row: &Row| match &row
        .thread
        .doing
    {
        Doing::Hidden => Value::Missing,
        Doing::Running => Value::Word("(running)"),
        Doing::Outside => Value::Word("(no call)"),
        Doing::Call(CurrentCall { name: Some(name), .. }) => Value::Word(name),
        Doing::Call(call) => Value::Phrase(format!("call {}", call.number)),
    }),
    Column::new("fd", "FD", Class::Number, "the descriptor it waits on", |row: &Row| {
        Value::known(on(row), |(fd, _)| Value::Number(fd.0.into()))
    }),
    Column::new("on", "ON", Class::Text, "what that descriptor is", |row: &Row| {
        on(row).map_or(Value::Missing, |(_, name)| Value::text(name.bytes()))
    })
    .show(|row: &Row, charset: Charset, out: &mut String| {
        if let Some((fd, name)) = on(row) {
            out.push_str(&format!("{fd} {}", charset.name(name)));
        }
    }),
    Column::new(
        "epoll",
        "EPOLL",
        Class::Number,
        "the epoll descriptor it waits on",
        |row: &Row| {
            Value::known(row.thread.waits_on.as_ref(), |set| Value::Number(set.epoll.0.into()))
        },
    ),
    Column::new(
        "registered",
        "REGISTERED",
        Class::Number,
        "descriptors that are registered there",
        |row: &Row| Value::known(row.thread.waits_on.as_ref(), |set| Value::Number(set.registered)),
    ),
    Column::new(
        "eventfd",
        "EVENTFD",
        Class::Number,
        "eventfd descriptors among them: what wakes a looper",
        |row: &Row| {
            let targets = row.thread.waits_on.iter().flat_map(|set| &set.targets);
            let wake = targets.filter(|target| target.1.bytes() == b"anon_inode:[eventfd]");
            Value::List(wake.map(|target| Value::Number(target.0.0.into())).collect())
        },
    )
    .key("eventfds"),
    Column::new("cpu", "CPU", Class::Duration, "processor time it took", |row: &Row| {
        Value::Duration(row.thread.cpu_ns)
    })
    .key("cpu_ns"),
    Column::new(
        "busy",
        "BUSY%",
        Class::Number,
        "share of one processor between two readings, in percent",
        |row: &Row| {
            let percent = row.thread.cpu_cores.map(|cores| (cores * 100.0).round());
            Value::known(percent, |percent| Value::Number(percent.max(0.0) as u64))
        },
    )
    .key("busy_percent")
    .needs(TWICE),
    Column::new("new", "NEW", Class::Flag, "began since the reading before", |row: &Row| {
        Value::known(row.thread.is_new, Value::Flag)
    })
    .needs(TWICE),
    Column::new("age", "AGE", Class::Duration, "since it began", |row: &Row| {
        // Known to a hundredth of a second: less is not shown.
        Value::known(row.thread.age_ns, |ns| Value::Duration(ns / 10_000_000 * 10_000_000))
    })
    .key("age_ns"),
    Column::new(
        "channel",
        "SLEEPS-IN",
        Class::Text,
        "the kernel function it sleeps in",
        |row: &Row| {
            row.thread.wait_channel.as_ref().map_or(Value::Missing, |n| Value::text(n.bytes()))
        },
    )
    .aliases(&["wchan"]),
    Column::new("began-in", "BEGAN-IN", Class::Text, "the function it began in", |row: &Row| {
        row.entry.as_ref().map_or(Value::Missing, |name| Value::text(name.as_bytes()))
    })
    .aliases(&["entry"])
    .key("began_in"),
    Column::new(
        "site",
        "SITE",
        Class::Text,
        "the first of the program's own functions on its stack",
        |row: &Row| {
            let stack = row.thread.stack.as_ref();
            let frame = stack.and_then(|stack| stack.frames.get(stack.at?));
            let function = frame.and_then(|frame| frame.symbol.function.as_ref());
            function.map_or(Value::Missing, |name| Value::text(name.as_bytes()))
        },
    )
    .needs(STACKS),
];

fn on(row: &Row) -> Option<&(fdscope_model::FdNumber, fdscope_model::Name)> {
    match &row.thread.doing {
        Doing::Call(call) => call.on.as_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::parse;
    use fdscope_model::{FdNumber, Tid};

    fn row() -> Row {
        let on = Some((FdNumber(7), "anon_inode:[eventpoll]".into()));
        let call = CurrentCall { name: Some("epoll_wait"), on, ..CurrentCall::default() };
        let thread = ThreadEntry {
            tid: Tid(12),
            comm: "work-\x1b3".into(),
            pattern: "work-*".into(),
            state: b'S',
            cpu_ns: 2_500_000_000,
            doing: Doing::Call(call),
            ..ThreadEntry::default()
        };
        Row {
            process: Rc::new(Process::default()),
            thread,
            entry: Some("loop_for_ever".to_owned()),
        }
    }

    #[test]
    fn threads_are_asked_in_the_language_of_every_listing() {
        let check = |filter: &str, expected| {
            let filter = parse(THREADS, filter).expect(filter);
            assert_eq!(filter.matches(&row()), expected, "{filter}");
        };
        check("state = sleeping and call ~ epoll", true);
        check("state = S", true);
        check("cpu > 2s and fd = 7", true);
        check("on ~ eventfd or pattern = 'work-*'", true);
        check("busy > 10", false);
        check("began-in = loop_for_ever", true);
        assert!(parse(THREADS, "state = sleepy").is_err());
    }

    #[test]
    fn every_cell_is_harmless() {
        let mut out = String::new();
        THREADS.all.iter().for_each(|column| column.print(&row(), Charset::Ascii, &mut out));
        assert!(out.contains("work-\\x1b3") && out.contains("7 anon_inode"), "{out}");
        assert!(out.is_ascii() && !out.contains('\x1b'));
    }
}

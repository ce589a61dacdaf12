//! `fdscope diff`: two moments held against each other.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Result;
use fdscope_model::diff::{Diff as Found, Held, Moment as State, Origin};
use fdscope_model::{Name, Pid};
use fdscope_proc::ProcRoot;
use fdscope_render::diff::{Frame, Shown, object, page};
use fdscope_sys::clock::wall_now_ns;

use crate::Done;
use crate::args::{Diff, Moment, Span};
use crate::ending::{Ending, Failure};
use crate::live::moment::{of_now, of_replay};
use crate::live::replay::{is_recording, replay};
use crate::machine;
use crate::terminal;

/// Runs the command.
pub fn run(diff: &Diff) -> Done {
    let (from, to) = moments(diff)?;
    let found = compared(from, to);
    let command = machine::typed_command();
    let text = if diff.json {
        let machine = machine::describe();
        let frame = Frame {
            command: &command,
            machine: &machine,
            taken_at_ns: wall_now_ns(),
            by: &diff.by,
            all: diff.all,
        };
        object(&found, frame)
    } else {
        let next = next(diff, &found).filter(|_| std::io::stdout().is_terminal());
        let Diff { by, all, list, .. } = diff;
        let shown = Shown { by, all: *all, list: *list, next: next.as_ref() };
        page(&found, shown, terminal::form(diff.color))
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(Ending::Done)
}

fn compared(mut from: State, mut to: State) -> Found {
    // A live look is of some processes, a recording may be of many.
    match (from.origin, to.origin) {
        (Origin::Recording, Origin::Now) => only_those_of(&mut from, &to),
        (Origin::Now, Origin::Recording) => only_those_of(&mut to, &from),
        _ => {}
    }
    fdscope_analyze::diff(from, to)
}

/// Leaves of a recording the processes that are looked at, by number or name; all of them if none is.
fn only_those_of(recorded: &mut State, now: &State) {
    // Threads and their like were not looked at.
    recorded.held.retain(|held| held.key.fd().is_some());
    recorded.counts.clear();
    let who: Vec<(Pid, &Name)> =
        now.held.iter().map(|held| (held.process.pid, &held.comm)).collect();
    let is_one =
        |held: &Held| who.iter().any(|(pid, comm)| *pid == held.process.pid || **comm == held.comm);
    if recorded.held.iter().any(is_one) {
        recorded.held.retain(is_one);
    }
}

/// The two moments that were asked for.
fn moments(diff: &Diff) -> Result<(State, State)> {
    let (mut from, mut to) = (diff.from, diff.to);
    match diff.at.as_slice() {
        [] => {}
        [one] => from = Some(*one),
        [one, two] => (from, to) = (Some(*one), Some(*two)),
        _ => return Err(Failure::new(Ending::Usage, "--at is given twice at most").into()),
    }
    let Some(second) = &diff.second else {
        if !is_recording(&diff.first) {
            return Err(not_alone(&diff.first).into());
        }
        let from = state(&diff.first, Some(from.unwrap_or(Moment::After(0))))?;
        return Ok((from, state(&diff.first, to)?));
    };
    let sides = [(&diff.first, from, "--from"), (second, to, "--to")];
    if sides.iter().all(|side| !is_recording(side.0)) {
        return Err(Failure::new(Ending::Usage, "diff needs a recording on one side at least")
            .cure(format!("fdscope record {} -o FILE makes one", recordable([&diff.first, second])))
            .into());
    }
    for (typed, moment, option) in sides {
        if moment.is_some() && !is_recording(typed) {
            let what = format!("{option} is a moment of a recording, and {typed} is as it is now");
            return Err(Failure::new(Ending::Usage, what).into());
        }
    }
    Ok((state(&diff.first, from)?, state(second, to)?))
}

fn not_alone(typed: &str) -> Failure {
    let shown = Name::from(typed);
    let process = recordable([typed]);
    Failure::new(Ending::Usage, format!("{shown} is no recording"))
        .cure(format!("fdscope record {process} -o FILE makes one of a process"))
        .cure(format!("fdscope diff FILE {process} compares one with now"))
}

/// What a recording could be made of: the first of these that can name a process.
fn recordable<'a>(typed: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>) -> Name {
    let mut typed = typed.into_iter().map(AsRef::as_ref);
    Name::from(typed.find(|typed: &&str| !typed.contains('/')).unwrap_or("PID"))
}

/// What was typed at a moment; of a recording, at its end where none is given.
fn state(typed: &str, moment: Option<Moment>) -> Result<State> {
    if !is_recording(typed) {
        if typed.contains('/') {
            let what = format!("{} is no recording", Name::from(typed));
            return Err(Failure::new(Ending::Usage, what).into());
        }
        return of_now(&ProcRoot::open()?, typed);
    }
    let span = Span { from: None, to: moment };
    let mut replay = replay(Path::new(typed), &span)?;
    Ok(of_replay(&mut replay, typed))
}

/// The one next command worth running.
fn next(diff: &Diff, found: &Found) -> Option<(String, String)> {
    let recording = if is_recording(&diff.first) { &diff.first } else { diff.second.as_ref()? };
    Some(if found.new.is_empty() {
        (format!("fdscope leak {recording}"), "its verdicts".to_owned())
    } else if found.to.origin == Origin::Now {
        (format!("fdscope leak {}", found.to.label), "names the code that makes them".to_owned())
    } else if !diff.list {
        (format!("{} --list", machine::typed_command()), "the handles one by one".to_owned())
    } else {
        (format!("fdscope leak {recording}"), "which of them are a leak, and why".to_owned())
    })
}

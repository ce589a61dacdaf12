//! The JSON of `fdscope diff`: one object, `"schema": "fdscope/diff/1"`. `docs/json.md` is the promise.

use fdscope_model::diff::{Changed, Diff, Held, Origin, Side};
use fdscope_model::{HandleKey, Monotonic};
use serde::Serialize;

use super::{By, groups};
use crate::charset::Charset;
use crate::json::{name, sentence};
use crate::site;

/// The name and version of this form.
pub const SCHEMA: &str = "fdscope/diff/1";

#[derive(Serialize)]
struct DiffForm<'a> {
    schema: &'static str,
    fdscope: &'static str,
    command: String,
    machine: &'a str,
    taken_at_ns: u64,
    from: SideForm,
    to: SideForm,
    new: usize,
    gone: usize,
    kept: usize,
    presumed: u64,
    notes: Vec<String>,
    grouped_by: Vec<&'static str>,
    groups: Vec<GroupForm>,
    counted: Vec<ChangedForm>,
    handles: Vec<HeldForm>,
}

#[derive(Serialize)]
struct SideForm {
    label: String,
    origin: &'static str,
    at_ns: u64,
    handles: u64,
    processes: u64,
    lost: u64,
}

impl SideForm {
    fn of(side: &Side) -> Self {
        let origin = match side.origin {
            Origin::Recording => "recording",
            Origin::Now => "now",
        };
        SideForm {
            label: Charset::Utf8.symbol(&side.label),
            origin,
            at_ns: side.wall_ns,
            handles: side.held,
            processes: side.processes,
            lost: side.lost,
        }
    }
}

#[derive(Serialize)]
struct GroupForm {
    values: Vec<Option<String>>,
    new: u64,
    gone: u64,
    kept: u64,
    change: i64,
}

#[derive(Serialize)]
struct ChangedForm {
    kind: &'static str,
    group: String,
    from: u64,
    to: u64,
}

impl ChangedForm {
    fn of(changed: &Changed) -> Self {
        let Changed { kind, group, from, to } = changed;
        ChangedForm { kind: kind.word(), group: name(group), from: *from, to: *to }
    }
}

#[derive(Serialize)]
struct HeldForm {
    change: &'static str,
    pid: u32,
    start_ticks: u64,
    comm: String,
    fd: Option<u32>,
    tid: Option<u32>,
    kind: &'static str,
    name: Option<String>,
    pattern: Option<String>,
    peer: Option<String>,
    age_ns: Option<u64>,
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

impl HeldForm {
    fn of(held: &Held, change: &'static str, at: Monotonic) -> Self {
        let frame = held.stack.as_ref().and_then(|stack| site::frame_at(&stack.frames, stack.at));
        let symbol = frame.map(|frame| &frame.symbol);
        let known = |text: &fdscope_model::Name| (!text.is_empty()).then(|| name(text));
        let (fd, tid) = match held.key {
            HandleKey::Descriptor(_, fd) => (Some(fd.0), None),
            HandleKey::Thread(tid) => (None, Some(tid.0)),
            _ => (None, None),
        };
        let code = |text: &String| Charset::Utf8.symbol(text);
        HeldForm {
            change,
            pid: held.process.pid.0,
            start_ticks: held.process.start_ticks,
            comm: name(&held.comm),
            fd,
            tid,
            kind: held.kind.word(),
            name: known(&held.name),
            pattern: known(&held.pattern),
            peer: held.peer.as_ref().map(name),
            age_ns: held.birth_seen.then(|| at.since_ns(held.born)),
            function: symbol.and_then(|symbol| symbol.function.as_ref()).map(code),
            file: symbol.and_then(|symbol| symbol.file.as_ref()).map(code),
            line: symbol.and_then(|symbol| symbol.line),
        }
    }
}

/// What the object says besides the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What was typed.
    pub command: &'a str,
    /// The machine, in a few words.
    pub machine: &'a str,
    /// Wall time, nanoseconds since 1970.
    pub taken_at_ns: u64,
    /// What is grouped by.
    pub by: &'a [By],
    /// The handles that were kept, too.
    pub all: bool,
}

/// The object of a comparison, on one line with a line end.
pub fn object(diff: &Diff, frame: Frame<'_>) -> String {
    let at = diff.to.at;
    let mut handles: Vec<HeldForm> =
        diff.new.iter().map(|held| HeldForm::of(held, "new", at)).collect();
    handles.extend(diff.gone.iter().map(|held| HeldForm::of(held, "gone", at)));
    if frame.all {
        handles.extend(diff.kept.iter().map(|held| HeldForm::of(held, "kept", at)));
    }
    let group = |group: super::Group| GroupForm {
        change: group.change(),
        values: group.values.into_iter().map(|v| (!v.is_empty()).then_some(v)).collect(),
        new: group.new,
        gone: group.gone,
        kept: group.kept,
    };
    let form = DiffForm {
        schema: SCHEMA,
        fdscope: env!("CARGO_PKG_VERSION"),
        command: sentence(frame.command),
        machine: frame.machine,
        taken_at_ns: frame.taken_at_ns,
        from: SideForm::of(&diff.from),
        to: SideForm::of(&diff.to),
        new: diff.new.len(),
        gone: diff.gone.len(),
        kept: diff.kept.len(),
        presumed: diff.presumed,
        notes: diff.notes.iter().map(|note| sentence(note)).collect(),
        grouped_by: frame.by.iter().map(|by| by.word()).collect(),
        groups: groups(diff, frame.by, Charset::Utf8).into_iter().map(group).collect(),
        counted: diff.changed.iter().map(ChangedForm::of).collect(),
        handles,
    };
    let mut text = serde_json::to_string(&form).expect("every key is a string and no value fails");
    text.push('\n');
    text
}

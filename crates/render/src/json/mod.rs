//! The JSON of `fdscope leak --json`: one object, `"schema": "fdscope/leak/1"`, as `docs/json.md` promises it.
//!
//! The serialized form is here and nowhere else: private structs borrow from the model and name every key, so
//! that a change of the model cannot change what scripts read. Counts are integers, units are in the keys, names that
//! a target chose are escaped reversibly, and a value that is not known is `null`, never left out.

use fdscope_model::verdict::{Curve, Misuse, Report, Total};
use fdscope_model::{Blind, Fault, Limit, Sight};
use serde::Serialize;

use crate::charset::Charset;

pub mod card;
pub mod links;
pub mod radar;
pub mod section;
pub mod threads;
mod verdict;

use verdict::{FrameForm, VerdictForm};

/// The name and version of this form.
pub const SCHEMA: &str = "fdscope/leak/1";

/// The object of `report`, on one line with a line end.
pub fn report(report: &Report) -> String {
    let form = ReportForm::of(report);
    let mut text = serde_json::to_string(&form).expect("every key is a string and no value fails");
    text.push('\n');
    text
}

/// Appends the frames of a stack, as verdicts have them.
pub(crate) fn stack(frames: &[fdscope_model::Frame], out: &mut Vec<u8>) {
    let forms: Vec<FrameForm> = frames.iter().map(FrameForm::of).collect();
    crate::column::write_json(&forms, out);
}

#[derive(Serialize)]
struct ReportForm<'a> {
    schema: &'static str,
    fdscope: &'static str,
    command: String,
    machine: String,
    taken_at_ns: u64,
    watched_ns: u64,
    begun_ns: u64,
    ended_ns: u64,
    source: SourceForm,
    events: u64,
    lost: u64,
    stacks_skipped: u64,
    faults: Vec<FaultForm>,
    verdicts: Vec<VerdictForm<'a>>,
    misuse: Vec<MisuseForm>,
    processes: Vec<ProcessForm<'a>>,
}

impl<'a> ReportForm<'a> {
    fn of(report: &'a Report) -> Self {
        ReportForm {
            schema: SCHEMA,
            fdscope: env!("CARGO_PKG_VERSION"),
            command: sentence(&report.command),
            machine: sentence(&report.machine),
            taken_at_ns: report.taken_at_ns,
            watched_ns: report.ended.since_ns(report.begun),
            begun_ns: report.begun.0,
            ended_ns: report.ended.0,
            source: SourceForm::of(&report.sight),
            events: report.events,
            lost: report.lost,
            stacks_skipped: report.stacks_skipped,
            faults: report.faults.iter().map(FaultForm::of).collect(),
            verdicts: report.verdicts.iter().map(VerdictForm::of).collect(),
            misuse: report.misuse.iter().map(MisuseForm::of).collect(),
            processes: report.totals.iter().map(ProcessForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct SourceForm {
    name: &'static str,
    how: String,
    cannot_see: Vec<BlindForm>,
}

impl SourceForm {
    fn of(sight: &Sight) -> Self {
        SourceForm {
            name: sight.source.word(),
            how: sentence(&sight.how),
            cannot_see: sight.blind.iter().map(BlindForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct BlindForm {
    what: String,
    why: String,
    cure: Option<String>,
}

impl BlindForm {
    fn of(blind: &Blind) -> Self {
        BlindForm {
            what: sentence(&blind.what),
            why: sentence(&blind.why),
            cure: blind.cure.as_deref().map(sentence),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct FaultForm {
    pid: Option<u32>,
    fd: Option<u32>,
    operation: &'static str,
    cause: String,
}

impl FaultForm {
    pub(crate) fn of(fault: &Fault) -> Self {
        FaultForm {
            pid: fault.pid.map(|pid| pid.0),
            fd: fault.fd.map(|fd| fd.0),
            operation: fault.operation,
            cause: sentence(&fault.cause),
        }
    }
}

#[derive(Serialize)]
struct MisuseForm {
    kind: &'static str,
    pid: u32,
    comm: String,
    call: String,
    count: u64,
    fd: Option<u32>,
    name: Option<String>,
    at: Option<usize>,
    frames: Vec<FrameForm>,
    earlier: Vec<FrameForm>,
}

impl MisuseForm {
    fn of(misuse: &Misuse) -> Self {
        MisuseForm {
            kind: misuse.kind.word(),
            pid: misuse.pid.0,
            comm: name(&misuse.comm),
            call: sentence(&misuse.call),
            count: misuse.count,
            fd: misuse.fd.map(|fd| fd.0),
            name: known(&misuse.name),
            at: misuse.at,
            frames: misuse.frames.iter().map(FrameForm::of).collect(),
            earlier: misuse.earlier.iter().map(FrameForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct ProcessForm<'a> {
    pid: u32,
    start_ticks: u64,
    parent: u32,
    uid: u32,
    comm: String,
    exe: Option<String>,
    cmdline: Vec<String>,
    processes: u64,
    gone: bool,
    open_at_start: u64,
    open_now: u64,
    acquired: u64,
    released: u64,
    found: u64,
    vanished: u64,
    ledger_agrees: Option<bool>,
    limits: Vec<LimitForm>,
    curve: CurveForm<'a>,
}

impl<'a> ProcessForm<'a> {
    fn of(total: &'a Total) -> Self {
        let process = &total.process;
        ProcessForm {
            pid: process.id.pid.0,
            start_ticks: process.id.start_ticks,
            parent: process.parent.0,
            uid: process.uid,
            comm: name(&process.comm),
            exe: known(&process.exe),
            cmdline: arguments(process.cmdline.bytes()),
            processes: total.processes,
            gone: total.gone,
            open_at_start: total.at_start,
            open_now: total.now,
            acquired: total.acquired,
            released: total.released,
            found: total.found,
            vanished: total.vanished,
            ledger_agrees: total.agrees,
            limits: total.limits.iter().map(LimitForm::of).collect(),
            curve: CurveForm::of(&total.curve),
        }
    }
}

#[derive(Serialize)]
struct LimitForm {
    name: &'static str,
    value: Option<u64>,
    used: u64,
}

impl LimitForm {
    fn of(limit: &Limit) -> Self {
        let Limit { name, value, used } = *limit;
        LimitForm { name: name.word(), value: (value != u64::MAX).then_some(value), used }
    }
}

#[derive(Serialize)]
struct CurveForm<'a> {
    start_ns: u64,
    bin_ns: u64,
    values: &'a [u64],
}

impl<'a> CurveForm<'a> {
    fn of(curve: &'a Curve) -> Self {
        CurveForm { start_ns: curve.start.0, bin_ns: curve.bin_ns, values: &curve.values }
    }
}

pub(crate) fn name(name: &fdscope_model::Name) -> String {
    Charset::Utf8.name(name)
}

/// A name, or `None` for the empty one, which stands for unknown.
fn known(text: &fdscope_model::Name) -> Option<String> {
    (!text.is_empty()).then(|| name(text))
}

pub(crate) fn sentence(text: &str) -> String {
    Charset::Utf8.sentence(text)
}

/// The arguments of a NUL-separated command line. The last NUL ends an argument and starts none.
pub(crate) fn arguments(cmdline: &[u8]) -> Vec<String> {
    let Some(body) = cmdline.strip_suffix(b"\0").or((!cmdline.is_empty()).then_some(cmdline))
    else {
        return Vec::new();
    };
    body.split(|&byte| byte == 0).map(fdscope_model::name::escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_become_arguments() {
        let check = |cmdline: &[u8], expected: &[&str]| assert_eq!(arguments(cmdline), expected);
        check(b"", &[]);
        check(b"app\0", &["app"]);
        check(b"app\0-x\0\0", &["app", "-x", ""]);
        check(b"title without end", &["title without end"]);
        check(b"a\x1b\0", &["a\\x1b"]);
    }
}

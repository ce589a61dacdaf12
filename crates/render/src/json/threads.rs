//! The JSON of `fdscope threads --json`: one object, `"schema": "fdscope/threads/1"`, as `docs/json.md` promises it.

use fdscope_model::Frame;
use fdscope_model::thread::{
    Change, Doing, Taken, ThreadEntry, ThreadGroup, ThreadLimit, ThreadReport, ThreadStack,
    Unjoined,
};
use serde::Serialize;

use super::verdict::FrameForm;
use super::{BlindForm, FaultForm, arguments, known, name, sentence};
use crate::charset::Charset;

/// The name and version of this form.
pub const SCHEMA: &str = "fdscope/threads/1";

/// The object for some processes, on one line with a line end.
pub fn threads(reports: &[ThreadReport], command: &str, machine: &str, taken_at_ns: u64) -> String {
    let form = ThreadsForm {
        schema: SCHEMA,
        fdscope: env!("CARGO_PKG_VERSION"),
        command: sentence(command),
        machine: sentence(machine),
        taken_at_ns,
        processes: reports.iter().map(ProcessForm::of).collect(),
    };
    let mut text = serde_json::to_string(&form).expect("every key is a string and no value fails");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct ThreadsForm {
    schema: &'static str,
    fdscope: &'static str,
    command: String,
    machine: String,
    taken_at_ns: u64,
    processes: Vec<ProcessForm>,
}

#[derive(Serialize)]
struct ProcessForm {
    pid: u32,
    start_ticks: u64,
    comm: String,
    exe: Option<String>,
    cmdline: Vec<String>,
    uid: u32,
    interval_ns: Option<u64>,
    change: Option<ChangeForm>,
    groups: Vec<GroupForm>,
    threads: Vec<ThreadForm>,
    unjoined: Vec<UnjoinedForm>,
    unjoined_began_in: Vec<BeganForm>,
    limits: Vec<LimitForm>,
    cannot_see: Vec<BlindForm>,
    faults: Vec<FaultForm>,
}

impl ProcessForm {
    fn of(report: &ThreadReport) -> Self {
        let process = &report.process;
        ProcessForm {
            pid: process.id.pid.0,
            start_ticks: process.id.start_ticks,
            comm: name(&process.comm),
            exe: known(&process.exe),
            cmdline: arguments(process.cmdline.bytes()),
            uid: process.uid,
            interval_ns: report.interval_ns,
            change: report.change.map(ChangeForm::of),
            groups: report.groups.iter().map(GroupForm::of).collect(),
            threads: report.threads.iter().map(ThreadForm::of).collect(),
            unjoined: report.unjoined.iter().map(UnjoinedForm::of).collect(),
            unjoined_began_in: report.unjoined_in.iter().map(BeganForm::of).collect(),
            limits: report.limits.iter().map(LimitForm::of).collect(),
            cannot_see: report.blind.iter().map(BlindForm::of).collect(),
            faults: report.faults.iter().map(FaultForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct ChangeForm {
    started: u64,
    ended: u64,
}

impl ChangeForm {
    fn of(change: Change) -> Self {
        ChangeForm { started: change.started, ended: change.ended }
    }
}

#[derive(Serialize)]
struct CountForm {
    word: String,
    count: u64,
}

#[derive(Serialize)]
struct GroupForm {
    pattern: String,
    began_in: Option<String>,
    count: u64,
    change: Option<ChangeForm>,
    states: Vec<CountForm>,
    calls: Vec<CountForm>,
    wait_channels: Vec<CountForm>,
    cpu_ns: u64,
    cpu_cores: Option<f64>,
    oldest_ns: Option<u64>,
    youngest_ns: Option<u64>,
    loopers: u64,
    epolls: u64,
    eventfds: u64,
    other_registered: u64,
    first_tid: u32,
    stacks: Vec<StackForm>,
}

impl GroupForm {
    fn of(group: &ThreadGroup) -> Self {
        let state = |(letter, count): &(u8, u64)| CountForm { word: state(*letter), count: *count };
        let doing = |(word, count): &(String, u64)| CountForm { word: word.clone(), count: *count };
        GroupForm {
            pattern: name(&group.pattern),
            began_in: group.entry.as_deref().map(|entry| Charset::Utf8.symbol(entry)),
            count: group.count,
            change: group.change.map(ChangeForm::of),
            states: group.states.iter().map(state).collect(),
            calls: group.doing.iter().map(doing).collect(),
            wait_channels: group
                .wait_channels
                .iter()
                .map(|(channel, count)| CountForm { word: name(channel), count: *count })
                .collect(),
            cpu_ns: group.cpu_ns,
            cpu_cores: group.cpu_cores,
            oldest_ns: group.oldest_ns,
            youngest_ns: group.youngest_ns,
            loopers: group.loopers,
            epolls: group.epolls,
            eventfds: group.eventfds,
            other_registered: group.others,
            first_tid: group.first.0,
            stacks: group.stacks.iter().map(|(s, count)| StackForm::of(s, Some(*count))).collect(),
        }
    }
}

#[derive(Serialize)]
struct StackForm {
    count: Option<u64>,
    taken: &'static str,
    truncated: bool,
    at: Option<usize>,
    frames: Vec<FrameForm>,
}

impl StackForm {
    fn of(stack: &ThreadStack, count: Option<u64>) -> Self {
        StackForm {
            count,
            taken: match stack.taken {
                Taken::Read => "read",
                Taken::Stopped => "stopped",
            },
            truncated: stack.truncated,
            at: stack.at,
            frames: stack.frames.iter().map(FrameForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct TargetForm {
    fd: u32,
    name: Option<String>,
}

#[derive(Serialize)]
struct WaitForm {
    epoll_fd: u32,
    registered: u64,
    targets: Vec<TargetForm>,
}

#[derive(Serialize)]
struct CallForm {
    number: u64,
    name: Option<&'static str>,
    args: [u64; 6],
    fd: Option<u32>,
    fd_name: Option<String>,
}

#[derive(Serialize)]
struct ThreadForm {
    tid: u32,
    comm: String,
    pattern: String,
    state: String,
    start_ticks: u64,
    age_ns: Option<u64>,
    cpu_ns: u64,
    cpu_cores: Option<f64>,
    is_new: Option<bool>,
    began_in: Option<String>,
    doing: &'static str,
    call: Option<CallForm>,
    wait_channel: Option<String>,
    waits_on: Option<WaitForm>,
    kernel_stack: Option<Vec<String>>,
    stack: Option<StackForm>,
}

impl ThreadForm {
    fn of(thread: &ThreadEntry) -> Self {
        let (doing, call) = match &thread.doing {
            Doing::Hidden => ("hidden", None),
            Doing::Running => ("running", None),
            Doing::Outside => ("outside", None),
            Doing::Call(call) => ("call", Some(call)),
        };
        let call = call.map(|call| CallForm {
            number: call.number,
            name: call.name,
            args: call.args,
            fd: call.on.as_ref().map(|(fd, _)| fd.0),
            fd_name: call.on.as_ref().map(|(_, link)| name(link)),
        });
        let waits_on = thread.waits_on.as_ref().map(|set| WaitForm {
            epoll_fd: set.epoll.0,
            registered: set.registered,
            targets: set
                .targets
                .iter()
                .map(|(fd, link)| TargetForm { fd: fd.0, name: known(link) })
                .collect(),
        });
        ThreadForm {
            tid: thread.tid.0,
            comm: name(&thread.comm),
            pattern: name(&thread.pattern),
            state: state(thread.state),
            start_ticks: thread.start_ticks,
            age_ns: thread.age_ns,
            cpu_ns: thread.cpu_ns,
            cpu_cores: thread.cpu_cores,
            is_new: thread.is_new,
            began_in: thread.began_in().map(|entry| Charset::Utf8.symbol(&entry)),
            doing,
            call,
            wait_channel: thread.wait_channel.as_ref().map(name),
            waits_on,
            kernel_stack: thread.kernel_stack.as_ref().map(|s| s.iter().map(name).collect()),
            stack: thread.stack.as_ref().map(|stack| StackForm::of(stack, None)),
        }
    }
}

#[derive(Serialize)]
struct UnjoinedForm {
    stack_bytes: u64,
    count: u64,
    mapped_bytes: u64,
    exact: bool,
    grown: Option<i64>,
}

impl UnjoinedForm {
    fn of(row: &Unjoined) -> Self {
        let Unjoined { stack_bytes, count, exact, grown } = *row;
        let mapped_bytes = count.saturating_mul(stack_bytes);
        UnjoinedForm { stack_bytes, count, mapped_bytes, exact, grown }
    }
}

#[derive(Serialize)]
struct BeganForm {
    count: u64,
    frame: FrameForm,
}

impl BeganForm {
    fn of((start, count): &(Frame, u64)) -> Self {
        BeganForm { count: *count, frame: FrameForm::of(start) }
    }
}

#[derive(Serialize)]
struct LimitForm {
    name: &'static str,
    value: Option<u64>,
    used: u64,
    per_s: Option<f64>,
    reached_in_s: Option<f64>,
}

impl LimitForm {
    fn of(row: &ThreadLimit) -> Self {
        LimitForm {
            name: row.limit.name.word(),
            value: (row.limit.value != u64::MAX).then_some(row.limit.value),
            used: row.limit.used,
            per_s: row.per_s,
            reached_in_s: row.reached_in_s,
        }
    }
}

/// The kernel's letter.
fn state(letter: u8) -> String {
    fdscope_model::name::escape(&[letter])
}

//! The JSON of `fdscope PID|NAME --json`: `"schema": "fdscope/card/1"`.

use fdscope_model::card::{Card, CardGroup, CardHandle, Inherited};
use fdscope_model::process::GroupCount;
use serde::Serialize;

use super::{FaultForm, LimitForm, arguments, known, name, sentence};
use crate::card::Beside;

/// The name and version of this form.
pub const SCHEMA: &str = "fdscope/card/1";

/// The object, on one line with a line end.
pub fn card(card: &Card, beside: &Beside, machine: &str) -> String {
    let form = CardForm::of(card, beside, machine);
    let mut text = serde_json::to_string(&form).expect("every key is a string and no value fails");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct CardForm {
    schema: &'static str,
    fdscope: &'static str,
    machine: String,
    taken_at_ns: u64,
    pid: u32,
    start_ticks: u64,
    age_ns: Option<u64>,
    parent: u32,
    parent_comm: Option<String>,
    uid: u32,
    user: Option<String>,
    comm: String,
    exe: Option<String>,
    cmdline: Vec<String>,
    state: String,
    cgroup: Option<String>,
    unit: Option<String>,
    container: Option<String>,
    namespaces_apart: Vec<&'static str>,
    open: Option<u64>,
    threads: u64,
    groups: Vec<GroupForm>,
    oldest: Vec<HandleForm>,
    newest: Vec<HandleForm>,
    inherited: Option<InheritedForm>,
    others: Vec<OtherForm>,
    limits: Vec<LimitForm>,
    signs: Vec<String>,
    next: Option<String>,
    faults: Vec<FaultForm>,
}

impl CardForm {
    fn of(card: &Card, beside: &Beside, machine: &str) -> Self {
        let process = &card.process;
        CardForm {
            schema: SCHEMA,
            fdscope: env!("CARGO_PKG_VERSION"),
            machine: sentence(machine),
            taken_at_ns: beside.now_ns,
            pid: process.id.pid.0,
            start_ticks: process.id.start_ticks,
            age_ns: card.age_ns,
            parent: process.parent.0,
            parent_comm: known(&card.parent_comm),
            uid: process.uid,
            user: beside.user.as_ref().map(name),
            comm: name(&process.comm),
            exe: known(&process.exe),
            cmdline: arguments(process.cmdline.bytes()),
            state: char::from(card.state).to_string(),
            cgroup: known(&card.cgroup),
            unit: card.unit.as_ref().map(name),
            container: card.container.as_ref().map(name),
            namespaces_apart: card.namespaces.iter().map(|class| class.word()).collect(),
            open: card.descriptors,
            threads: card.threads,
            groups: card.groups.iter().map(GroupForm::of).collect(),
            oldest: card.oldest.iter().map(HandleForm::of).collect(),
            newest: card.newest.iter().map(HandleForm::of).collect(),
            inherited: card.inherited.map(InheritedForm::of),
            others: card.others.iter().map(OtherForm::of).collect(),
            limits: card.limits.iter().map(LimitForm::of).collect(),
            signs: beside.signs.iter().map(|sign| sentence(sign)).collect(),
            next: beside.next.as_ref().map(|(command, _)| command.clone()),
            faults: card.faults.iter().map(FaultForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct GroupForm {
    kind: &'static str,
    state: Option<&'static str>,
    pattern: String,
    count: u64,
    lowest_fd: u32,
    highest_fd: u32,
    deleted: bool,
    held_bytes: u64,
}

impl GroupForm {
    fn of(group: &CardGroup) -> Self {
        GroupForm {
            kind: group.kind.word(),
            state: group.state.map(|state| state.word()),
            pattern: name(&group.pattern),
            count: group.count,
            lowest_fd: group.lowest.0,
            highest_fd: group.highest.0,
            deleted: group.deleted,
            held_bytes: group.held_bytes,
        }
    }
}

#[derive(Serialize)]
struct HandleForm {
    fd: u32,
    kind: &'static str,
    state: Option<&'static str>,
    name: Option<String>,
}

impl HandleForm {
    fn of(handle: &CardHandle) -> Self {
        HandleForm {
            fd: handle.fd.0,
            kind: handle.kind.word(),
            state: handle.state.map(|state| state.word()),
            name: known(&handle.name),
        }
    }
}

#[derive(Serialize)]
struct InheritedForm {
    looked_at: u64,
    without_cloexec: u64,
}

impl InheritedForm {
    fn of(seen: Inherited) -> Self {
        InheritedForm { looked_at: seen.looked_at, without_cloexec: seen.inherited }
    }
}

#[derive(Serialize)]
struct OtherForm {
    kind: &'static str,
    pattern: String,
    count: u64,
}

impl OtherForm {
    fn of(group: &GroupCount) -> Self {
        let pattern = name(&group.group);
        OtherForm { kind: group.kind.word(), pattern, count: group.count }
    }
}

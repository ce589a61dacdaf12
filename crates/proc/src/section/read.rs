//! The reader of each section.

use std::collections::BTreeMap;

use fdscope_model::process::GroupCount;
use fdscope_model::section::{Row, Unit};
use fdscope_model::thread::{Doing, ThreadEntry};
use fdscope_model::{HandleKind, LimitName, NamespaceClass, Pid};

use crate::error::ProcError;
use crate::parse::fields::{
    Counts, Field, STAT, STATM, behind_comm, parse_all_limits, parse_fields, parse_pairs,
};
use crate::parse::{parse_cgroup, parse_cmdline, parse_map, parse_stat};
use crate::pattern::pattern;
use crate::root::{PidDir, ProcRoot};
use crate::threads::{CallTable, Depth, ThreadReader};

type Rows = Result<Vec<Row>, ProcError>;

pub(super) fn cmdline(_: &ProcRoot, dir: &PidDir) -> Rows {
    let bytes = dir.read("cmdline", "read cmdline")?;
    let row = |(index, value): (usize, &[u8])| Row::new(index.to_string().as_str(), value);
    Ok(parse_cmdline(&bytes).into_iter().enumerate().map(row).collect())
}

pub(super) fn cwd(_: &ProcRoot, dir: &PidDir) -> Rows {
    let row = |word: &str| match dir.read_link(word, "read link cwd or root") {
        // The other can be told all the same.
        Err(ProcError::Process { cause, .. }) => {
            Ok(Row::new(word, "").with(Unit::None, format!("not told: {cause}").as_str()))
        }
        link => Ok(Row::new(word, link?)),
    };
    Ok(vec![row("cwd")?, row("root")?])
}

pub(super) fn exe(_: &ProcRoot, dir: &PidDir) -> Rows {
    Ok(vec![Row::new("exe", dir.read_link("exe", "read link exe")?)])
}

pub(super) fn environ(_: &ProcRoot, dir: &PidDir) -> Rows {
    let bytes = dir.read("environ", "read environ")?;
    let row = |entry: &[u8]| {
        let equals = entry.iter().position(|&b| b == b'=').unwrap_or(entry.len());
        Row::new(&entry[..equals], entry.get(equals + 1..).unwrap_or_default())
    };
    Ok(parse_cmdline(&bytes).into_iter().map(row).collect())
}

pub(super) fn fd(root: &ProcRoot, dir: &PidDir) -> Rows {
    let card = root.card(dir.pid())?;
    if let (true, Some(_)) = (card.groups.is_empty(), card.faults.first()) {
        return Err(ProcError::NotPermitted { pid: dir.pid(), operation: "list descriptors" });
    }
    let row = |group: &fdscope_model::card::CardGroup| {
        let state = group.state.map(|state| format!(" {}", state.word())).unwrap_or_default();
        let what = format!("{}{state}", group.kind.word());
        let text = [what.as_bytes(), b"  ", group.pattern.bytes()].concat();
        Row::new(group.count.to_string().as_str(), text)
    };
    Ok(card.groups.iter().map(row).collect())
}

pub(super) fn limits(_: &ProcRoot, dir: &PidDir) -> Rows {
    let bytes = dir.read("limits", "read limits")?;
    let mut rows = Vec::new();
    parse_all_limits(&bytes, |name, [soft, hard, unit]| {
        let meaning = [b"hard ", hard, b" ", unit].concat();
        let unit = if unit == b"bytes" { Unit::Bytes } else { Unit::None };
        rows.push(Row::new(name, soft).with(unit, meaning.trim_ascii()));
    });
    Ok(rows)
}

pub(super) fn maps(_: &ProcRoot, dir: &PidDir) -> Rows {
    let mut groups: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
    let path = format!("{}maps", dir.living_place()?);
    dir.read_lines(&path, "read maps", &mut |line| {
        let Some(map) = parse_map(line) else { return };
        let place = match map.path {
            b"" => b"anonymous".to_vec(),
            path if path.starts_with(b"[") => path.to_vec(),
            path => pattern(HandleKind::Mapping, &path.into()).bytes().to_vec(),
        };
        let key = [place.as_slice(), b"  ", map.protection.to_string().as_bytes()].concat();
        let group = groups.entry(key).or_default();
        *group = (group.0 + 1, group.1.saturating_add(map.size()));
    })?;
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (count, bytes))| std::cmp::Reverse((*count, *bytes)));
    let row = |(key, (count, bytes)): (Vec<u8>, (u64, u64))| {
        let size = bytes.to_string();
        Row::new(count.to_string().as_str(), size.as_str()).with(Unit::Bytes, key)
    };
    Ok(groups.into_iter().map(row).collect())
}

/// From this many members on a group of mappings is worth a look.
const MANY: u64 = 16;

/// What is mapped so often, in one sort, that it may be growing: no verdict, which wants two looks and `fdscope leak`.
pub(super) fn candidates(root: &ProcRoot, dir: &PidDir) -> Rows {
    let sample = root.sample(dir.pid())?;
    let all = sample.limits.iter().find(|limit| limit.name == LimitName::MaxMapCount);
    let row = |count: u64, what: &[u8], why: &str| {
        Row::new(count.to_string().as_str(), what).with(Unit::None, why)
    };
    let mut rows = Vec::new();
    rows.extend(all.map(|limit| {
        let per_cent = limit.used * 100 / limit.value.max(1);
        let why = format!("{per_cent} % of vm.max_map_count, {}", limit.value);
        row(limit.used, b"all mappings", &why)
    }));
    let mut groups: Vec<_> =
        sample.groups.iter().filter_map(|group| Some((group, why(group)?))).collect();
    groups.sort_by_key(|(group, _)| std::cmp::Reverse(group.count));
    rows.extend(groups.iter().map(|(group, why)| row(group.count, group.group.bytes(), why)));
    Ok(rows)
}

/// Why a group may be growing; `None` for what load makes grow, and for few.
fn why(group: &GroupCount) -> Option<&'static str> {
    let name = group.group.bytes();
    let by_load: &[&[u8]] = &[b"malloc arenas", b"JIT code", b"reserved", b"other mappings", b"["];
    match group.kind {
        HandleKind::UnjoinedThread => Some("exited threads that nobody joined keep their stacks"),
        HandleKind::Mapping if by_load.iter().any(|start| name.starts_with(start)) => None,
        HandleKind::Mapping if group.count < MANY => None,
        HandleKind::Mapping if name.starts_with(b"anonymous") => {
            Some("of one size: mapped again and again?")
        }
        HandleKind::Mapping => Some("of one file name: mapped again and again?"),
        _ => None,
    }
}

fn of_field(field: Field, value: &[u8]) -> Row {
    let unit = match field.1 {
        Counts::Plain => Unit::None,
        Counts::Ticks => Unit::Ticks(rustix::param::clock_ticks_per_second().max(1)),
        Counts::Bytes => Unit::Bytes,
        Counts::Pages => Unit::Pages(rustix::param::page_size() as u64),
        Counts::Address => Unit::Address,
    };
    Row::new(field.0, value).with(unit, field.2)
}

pub(super) fn stat(_: &ProcRoot, dir: &PidDir) -> Rows {
    let bytes = dir.read("stat", "read stat")?;
    let parsed =
        parse_stat(&bytes).map_err(|cause| ProcError::Malformed { pid: dir.pid(), cause })?;
    let pid = parsed.pid.to_string();
    let mut rows = vec![Row::new("pid", pid.as_str()), Row::new("comm", parsed.comm)];
    parse_fields(behind_comm(&bytes), STAT, |field, value| rows.push(of_field(field, value)));
    Ok(rows)
}

pub(super) fn statm(_: &ProcRoot, dir: &PidDir) -> Rows {
    let bytes = dir.read("statm", "read statm")?;
    let mut rows = Vec::new();
    parse_fields(&bytes, STATM, |field, value| rows.push(of_field(field, value)));
    Ok(rows)
}

pub(super) fn status(_: &ProcRoot, dir: &PidDir) -> Rows {
    let bytes = dir.read("status", "read status")?;
    let mut rows = Vec::new();
    parse_pairs(&bytes, |key, value| rows.push(Row::new(key, value)));
    Ok(rows)
}

pub(super) fn io(_: &ProcRoot, dir: &PidDir) -> Rows {
    let bytes = dir.read("io", "read io")?;
    let mut rows = Vec::new();
    parse_pairs(&bytes, |key, value| {
        let unit = if key.starts_with(b"sysc") { Unit::None } else { Unit::Bytes };
        rows.push(Row::new(key, value).with(unit, io_meaning(key)));
    });
    Ok(rows)
}

fn io_meaning(key: &[u8]) -> &'static str {
    match key {
        b"rchar" => "read by read(2) and its kin, from anywhere",
        b"wchar" => "written by write(2) and its kin, to anywhere",
        b"syscr" => "reads",
        b"syscw" => "writes",
        b"read_bytes" => "fetched from storage",
        b"write_bytes" => "sent to storage",
        b"cancelled_write_bytes" => "never sent, because the file was cut or deleted",
        _ => "",
    }
}

pub(super) fn cgroup(_: &ProcRoot, dir: &PidDir) -> Rows {
    let bytes = dir.read("cgroup", "read cgroup")?;
    let row = |entry: &crate::parse::CgroupEntry<'_>| match entry.is_unified() {
        true => Row::new("unified (v2)", entry.path),
        false => Row::new(entry.controllers, entry.path),
    };
    Ok(parse_cgroup(&bytes).iter().map(row).collect())
}

pub(super) fn namespaces(root: &ProcRoot, dir: &PidDir) -> Rows {
    let own = root.pid_dir(Pid(std::process::id()))?;
    let mut rows = Vec::new();
    for class in NamespaceClass::ALL {
        let path = format!("ns/{}", class.word());
        // Kernels are built without some classes.
        let link = match dir.read_link(&path, "read link of a namespace") {
            Err(error) if error.is_gone() => continue,
            link => link?,
        };
        let same = own.read_link(&path, "read link of a namespace").is_ok_and(|own| own == link);
        let meaning = if same { "fdscope's own, too" } else { "not fdscope's" };
        rows.push(Row::new(class.word(), link).with(Unit::None, meaning));
    }
    Ok(rows)
}

pub(super) fn oom(_: &ProcRoot, dir: &PidDir) -> Rows {
    let row = |file: &str, meaning: &str| {
        let bytes = dir.read(file, "read oom_score")?;
        Ok(Row::new(file, bytes.trim_ascii()).with(Unit::None, meaning))
    };
    Ok(vec![
        row("oom_score", "the process with the highest is killed first; 0 to 2,000")?,
        row("oom_score_adj", "added by the administrator; -1,000 for never, up to 1,000")?,
    ])
}

pub(super) fn threads(root: &ProcRoot, dir: &PidDir, calls: CallTable) -> Rows {
    let reading = ThreadReader::new(root.clone(), calls).read(dir.pid(), Depth::Calls)?;
    let row = |thread: &ThreadEntry| {
        let what = [state_of(thread), doing_of(thread), place_of(thread)];
        let what: Vec<Vec<u8>> = what.into_iter().filter(|part| !part.is_empty()).collect();
        Row::new(thread.tid.to_string().as_str(), thread.comm.clone())
            .with(Unit::None, what.join(&b", "[..]))
    };
    Ok(reading.threads.iter().map(row).collect())
}

fn state_of(thread: &ThreadEntry) -> Vec<u8> {
    vec![thread.state]
}

/// The call that a thread is in: `epoll_wait on 5 anon_inode:[eventpoll]`.
fn doing_of(thread: &ThreadEntry) -> Vec<u8> {
    let call = match &thread.doing {
        Doing::Hidden => return b"its call may not be read".to_vec(),
        Doing::Running => return b"running".to_vec(),
        Doing::Outside => return b"in no call".to_vec(),
        Doing::Call(call) => call,
    };
    let mut text = match call.name {
        Some(name) => name.as_bytes().to_vec(),
        None => format!("call {}", call.number).into_bytes(),
    };
    if let Some((fd, name)) = &call.on {
        text.extend_from_slice(format!(" on {fd} ").as_bytes());
        text.extend_from_slice(name.bytes());
    }
    text
}

fn place_of(thread: &ThreadEntry) -> Vec<u8> {
    let place = thread.wait_channel.as_ref().filter(|place| !place.is_empty());
    place.map_or_else(Vec::new, |place| [b"at ", place.bytes()].concat())
}

//! What is held at one moment: of a recording, or of processes as they are.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use anyhow::Result;
use fdscope_analyze::LiveOther;
use fdscope_bpf::TableReader;
use fdscope_bpf::load::KernelTypes;
use fdscope_model::diff::{Count, Held, Moment, Origin};
use fdscope_model::{
    Association, FdNumber, FileId, Handle, HandleKey, HandleKind, InodeId, Monotonic, Name, Pid,
    Process, SnapshotSource, SourceName, StackId, Symbolized, Symbolizer, TableId,
};
use fdscope_proc::{Detail, ProcRoot, pattern};
use fdscope_sys::clock::{monotonic_now, wall_now_ns};

use crate::ending::{Ending, Failure};
use crate::live::replay::Replay;
use crate::machine;
use crate::target;

/// The moment that a replay has reached.
pub fn of_replay(replay: &mut Replay, label: &str) -> Moment {
    let mut stacks = Stacks::default();
    let mut held = Vec::new();
    let by_bpf = replay.source() == Some(SourceName::Bpf);
    for pid in replay.ledger.pids() {
        let process = replay.process(pid);
        for handle in replay.ledger.live(pid) {
            let called = replay.names.descriptor(pid, handle.fd);
            let inode = handle.inode.or_else(|| replay.names.inode(pid, handle.fd));
            let stack = handle.stack.filter(|_| handle.birth_seen);
            let row = Row { key: handle.key, kind: handle.kind, name: called, process: &process };
            held.push(Held {
                file: handle.file.filter(|_| by_bpf),
                inode,
                born: handle.born,
                birth_seen: handle.birth_seen,
                stack: stack.map(|stack| stacks.of(stack, &mut replay.stacks)),
                ..row.held()
            });
        }
        for other in replay.ledger.live_others(pid) {
            let LiveOther { key, kind, born, birth_seen, stack } = other;
            let name = match key {
                HandleKey::Thread(tid) => replay.names.thread(pid, tid),
                _ => None,
            };
            let stack = stack.map(|stack| stacks.of(stack, &mut replay.stacks));
            let row = Row { key, kind, name, process: &process }.held();
            held.push(Held { born, birth_seen, stack, ..row });
        }
    }
    Moment {
        label: label.to_owned(),
        origin: Origin::Recording,
        boot: replay.opening.boot.clone(),
        begun: replay.opening.begun,
        at: replay.now,
        wall_ns: replay.wall_ns(replay.now),
        lost: replay.ledger.lost(),
        held,
        counts: counts(replay),
        unknown: replay
            .lacks()
            .into_iter()
            .map(|blind| format!("{label}: {}", blind.why))
            .collect(),
    }
}

/// Stacks by number: many handles share one.
#[derive(Default)]
struct Stacks(HashMap<StackId, Rc<Symbolized>>);

impl Stacks {
    fn of(&mut self, stack: StackId, names: &mut dyn Symbolizer) -> Rc<Symbolized> {
        Rc::clone(self.0.entry(stack).or_insert_with(|| Rc::new(names.symbolize(stack))))
    }
}

/// What every handle has.
struct Row<'a> {
    key: HandleKey,
    kind: HandleKind,
    name: Option<Name>,
    process: &'a Process,
}

impl Row<'_> {
    fn held(self) -> Held {
        let name = self.name.unwrap_or_default();
        Held {
            process: self.process.id,
            comm: self.process.comm.clone(),
            key: self.key,
            kind: self.kind,
            file: None,
            inode: None,
            born: Monotonic(0),
            birth_seen: false,
            pattern: pattern(self.kind, &name),
            peer: peer(self.kind, &name),
            name,
            stack: None,
        }
    }
}

/// The other end, of a text like `tcp 10.0.0.1:80->10.0.0.2:4242 ESTABLISHED`.
fn peer(kind: HandleKind, name: &Name) -> Option<Name> {
    let text = str::from_utf8(name.bytes()).ok().filter(|_| kind == HandleKind::Socket)?;
    let (_, peer) = text.split(' ').nth(1)?.split_once("->")?;
    Some(Name::from(peer))
}

fn counts(replay: &Replay) -> Vec<Count> {
    let mut counts = Vec::new();
    for (pid, sample) in replay.samples() {
        let process = replay.process(pid).id;
        counts.extend(sample.groups.iter().map(|group| Count {
            process,
            kind: group.kind,
            group: group.group.clone(),
            count: group.count,
        }));
    }
    counts
}

/// Processes as they are.
///
/// # Errors
/// If there is none of that name, or its table may not be read.
pub fn of_now(proc: &ProcRoot, typed: &str) -> Result<Moment> {
    let processes = target::find(proc, &[typed.to_owned()])?;
    let mut files = TableFiles::open();
    let mut held = Vec::new();
    let at = monotonic_now();
    for process in &processes {
        let pid = process.id.pid;
        let mut snapshot = match proc.descriptors(pid, Detail::Full) {
            Ok(snapshot) => snapshot,
            Err(error) if error.is_gone() => continue,
            Err(error) => {
                let ending =
                    if error.is_not_permitted() { Ending::NotPermitted } else { Ending::Failed };
                let what = format!("process {pid} ({}) cannot be read: {error}", process.comm);
                let typed = machine::typed_command();
                return Err(Failure::new(ending, what).cure(format!("run: sudo {typed}")).into());
            }
        };
        name_sockets(proc, pid, &mut snapshot.handles);
        let known = files.of(pid);
        for handle in snapshot.handles {
            let Association::Fd(fd) = handle.via else { continue };
            let (file, inode) = known.get(&fd).copied().unwrap_or_default();
            let key = HandleKey::Descriptor(TableId(0), fd);
            let inode = inode.or(handle.inode);
            let row = Row { key, kind: handle.kind, name: Some(handle.name), process };
            held.push(Held { file, inode, born: at, ..row.held() });
        }
    }
    let not_asked = "now: threads, timers and watches are not compared, descriptors are";
    Ok(Moment {
        label: typed.to_owned(),
        origin: Origin::Now,
        boot: machine::boot(),
        begun: at,
        at,
        wall_ns: wall_now_ns(),
        lost: 0,
        held,
        counts: Vec::new(),
        unknown: vec![not_asked.to_owned()],
    })
}

/// Puts what is at its ends in place of a socket's link, which says nothing.
fn name_sockets(proc: &ProcRoot, pid: Pid, handles: &mut [Handle]) {
    let inode = |handle: &Handle| socket_inode(&handle.name);
    let wanted: BTreeSet<u64> = handles.iter().filter_map(inode).collect();
    if wanted.is_empty() {
        return;
    }
    let found = proc.endpoints(pid, &wanted).unwrap_or_default();
    for handle in handles {
        let Some(number) = socket_inode(&handle.name) else { continue };
        handle.inode.get_or_insert(InodeId { inode: number, ..InodeId::default() });
        if let Some(endpoint) = found.get(&number) {
            handle.name = endpoint.text();
        }
    }
}

/// The inode that the link of a socket names.
pub fn socket_inode(link: &Name) -> Option<u64> {
    let text = str::from_utf8(link.bytes()).ok()?;
    text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Open file descriptions by the kernel's own identity, where eBPF is permitted.
struct TableFiles(Option<TableReader>);

impl TableFiles {
    fn open() -> Self {
        let types = KernelTypes::read().ok();
        TableFiles(types.and_then(|types| TableReader::open(&types).ok()))
    }

    fn of(&mut self, pid: Pid) -> HashMap<FdNumber, (Option<FileId>, Option<InodeId>)> {
        let read = self.0.as_mut().and_then(|reader| reader.snapshot(pid).ok());
        let handles = read.map(|snapshot| snapshot.handles).unwrap_or_default();
        let row = |handle: Handle| match handle.via {
            Association::Fd(fd) => Some((fd, (handle.file, handle.inode))),
            _ => None,
        };
        handles.into_iter().filter_map(row).collect()
    }
}

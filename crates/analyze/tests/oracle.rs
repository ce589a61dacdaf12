//! The ledger against a naive kernel: random programs open, dup, close, fork, unshare, exec and exit; the ledger folds
//! the events and must hold the same tables. With events missed, one quiet comparison makes them equal.

use std::collections::BTreeMap;

use fdscope_analyze::{Ledger, LedgerOptions};
use fdscope_model::event::{Acquire, AcquireCause, Body, Event, Release, ReleaseCause, Slot};
use fdscope_model::{
    Association, FdNumber, FileId, Handle, HandleKey, HandleKind, InodeId, Monotonic, Name, Pid,
    ProcessId, Snapshot, StackId, TableId, Tid, Trace,
};
use proptest::prelude::*;

/// A descriptor as the kernel has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Descriptor {
    file: u64,
    cloexec: bool,
}

/// The kernel, naively: tables by number, processes by the table they use.
#[derive(Clone, Debug, Default)]
struct Kernel {
    tables: BTreeMap<u64, BTreeMap<u32, Descriptor>>,
    processes: BTreeMap<u32, u64>,
    files: u64,
    next_pid: u32,
    next_table: u64,
    now: u64,
}

/// One step of a program. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open {
        process: u8,
        cloexec: bool,
    },
    Dup {
        process: u8,
        fd: u8,
    },
    DupOver {
        process: u8,
        fd: u8,
        to: u8,
    },
    Close {
        process: u8,
        fd: u8,
    },
    /// A close whose number another thread takes before it is traced.
    ReusedClose {
        process: u8,
        fd: u8,
        order: u8,
    },
    Fork {
        process: u8,
        shares: bool,
    },
    Unshare {
        process: u8,
    },
    Exec {
        process: u8,
    },
    Exit {
        process: u8,
    },
    CloseOnExec {
        process: u8,
        fd: u8,
        on: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (p, f) = (any::<u8>(), any::<u8>());
    prop_oneof![
        6 => (p, any::<bool>()).prop_map(|(process, cloexec)| Step::Open { process, cloexec }),
        2 => (p, f).prop_map(|(process, fd)| Step::Dup { process, fd }),
        2 => (p, f, 0u8..12).prop_map(|(process, fd, to)| Step::DupOver { process, fd, to }),
        4 => (p, f).prop_map(|(process, fd)| Step::Close { process, fd }),
        3 => (p, f, 0u8..3).prop_map(|(process, fd, order)| Step::ReusedClose { process, fd, order }),
        1 => (p, any::<bool>()).prop_map(|(process, shares)| Step::Fork { process, shares }),
        1 => p.prop_map(|process| Step::Unshare { process }),
        1 => p.prop_map(|process| Step::Exec { process }),
        1 => p.prop_map(|process| Step::Exit { process }),
        1 => (p, f, any::<bool>()).prop_map(|(process, fd, on)| Step::CloseOnExec { process, fd, on }),
    ]
}

/// The kernel's events for the ledger: body with the process it happened in.
type Told = Vec<(u32, Body<'static>)>;

impl Kernel {
    fn new() -> Self {
        let mut kernel = Kernel { next_pid: 11, next_table: 1, ..Kernel::default() };
        kernel.tables.insert(0, BTreeMap::new());
        kernel.processes.insert(10, 0);
        kernel
    }

    fn process(&self, choice: u8) -> (u32, u64) {
        let index = usize::from(choice) % self.processes.len();
        self.processes.iter().nth(index).map(|(&pid, &table)| (pid, table)).expect("never empty")
    }

    fn fd(&self, table: u64, choice: u8) -> Option<u32> {
        let fds = &self.tables[&table];
        fds.keys().nth(usize::from(choice) % fds.len().max(1)).copied()
    }

    fn free(&self, table: u64) -> u32 {
        (3..).find(|fd| !self.tables[&table].contains_key(fd)).expect("some number is free")
    }

    fn install(
        &mut self,
        table: u64,
        fd: u32,
        file: u64,
        cloexec: bool,
        cause: AcquireCause,
    ) -> Body<'static> {
        self.tables.get_mut(&table).expect("exists").insert(fd, Descriptor { file, cloexec });
        acquire(table, fd, file, cloexec, cause)
    }

    fn open(&mut self, table: u64, fd: u32, cloexec: bool) -> Body<'static> {
        self.files += 1;
        self.install(table, fd, self.files, cloexec, AcquireCause::Call("openat"))
    }

    fn step(&mut self, step: Step) -> Told {
        self.now += 1000;
        match step {
            Step::Open { process, cloexec } => {
                let (pid, table) = self.process(process);
                let fd = self.free(table);
                vec![(pid, self.open(table, fd, cloexec))]
            }
            Step::Dup { process, fd } => {
                let (pid, table) = self.process(process);
                let Some(from) = self.fd(table, fd) else { return vec![] };
                let (to, file) = (self.free(table), self.tables[&table][&from].file);
                let cause = AcquireCause::Dup("dup", FdNumber(from));
                vec![(pid, self.install(table, to, file, false, cause))]
            }
            Step::DupOver { process, fd, to } => {
                let (pid, table) = self.process(process);
                let (Some(from), to) = (self.fd(table, fd), 3 + u32::from(to)) else {
                    return vec![];
                };
                let file = self.tables[&table][&from].file;
                let cause = AcquireCause::Dup("dup2", FdNumber(from));
                if from == to {
                    let cloexec = self.tables[&table][&from].cloexec;
                    return vec![(pid, acquire(table, to, file, cloexec, cause))];
                }
                vec![(pid, self.install(table, to, file, false, cause))]
            }
            Step::Close { process, fd } => {
                let (pid, table) = self.process(process);
                let Some(fd) = self.fd(table, fd) else { return vec![] };
                self.tables.get_mut(&table).expect("exists").remove(&fd);
                vec![(pid, release(table, fd, Slot::Empty))]
            }
            Step::ReusedClose { process, fd, order } => self.reused_close(process, fd, order),
            Step::Fork { process, shares } => self.fork(process, shares),
            Step::Unshare { process } => self.unshare(process),
            Step::Exec { process } => self.exec(process),
            Step::Exit { process } => self.exit(process),
            Step::CloseOnExec { process, fd, on } => {
                let (pid, table) = self.process(process);
                let Some(fd) = self.fd(table, fd) else { return vec![] };
                let fds = self.tables.get_mut(&table).expect("exists");
                fds.get_mut(&fd).expect("chosen among them").cloexec = on;
                vec![(pid, Body::CloseOnExec { key: key(table, fd), on })]
            }
        }
    }

    fn reused_close(&mut self, process: u8, fd: u8, order: u8) -> Told {
        let (pid, table) = self.process(process);
        let Some(fd) = self.fd(table, fd) else { return vec![] };
        let old = self.tables[&table][&fd].file;
        let shared =
            self.tables.values().flat_map(BTreeMap::values).filter(|d| d.file == old).count() > 1;
        // The successor may get the very address of the description that died, if nobody else holds it.
        let same_address = order == 2 && !shared;
        let opened = match same_address {
            true => self.install(table, fd, old, true, AcquireCause::Call("openat")),
            false => self.open(table, fd, true),
        };
        let closed = release(table, fd, Slot::Holds(FileId(self.tables[&table][&fd].file)));
        match order {
            0 => vec![(pid, closed), (pid, opened)],
            1 => vec![(pid, opened), (pid, closed)],
            _ => vec![(pid, closed), (pid, opened)],
        }
    }

    fn fork(&mut self, process: u8, shares: bool) -> Told {
        if self.processes.len() >= 6 {
            return vec![];
        }
        let (pid, parent_table) = self.process(process);
        let child = self.next_pid;
        self.next_pid += 1;
        let child_table = if shares { parent_table } else { self.copy(parent_table) };
        self.processes.insert(child, child_table);
        let body = Body::Fork {
            child: Pid(child),
            child_table: TableId(child_table),
            parent_table: TableId(parent_table),
            trace: Trace::None,
        };
        vec![(pid, body)]
    }

    fn copy(&mut self, table: u64) -> u64 {
        let id = self.next_table;
        self.next_table += 1;
        self.tables.insert(id, self.tables[&table].clone());
        id
    }

    fn users(&self, table: u64) -> usize {
        self.processes.values().filter(|&&used| used == table).count()
    }

    fn unshare(&mut self, process: u8) -> Told {
        let (pid, from) = self.process(process);
        if self.users(from) < 2 {
            return vec![];
        }
        let to = self.copy(from);
        self.processes.insert(pid, to);
        vec![(pid, Body::Unshare { from: TableId(from), to: TableId(to) })]
    }

    fn exec(&mut self, process: u8) -> Told {
        let mut told = self.unshare(process);
        let (pid, table) = self.process(process);
        self.tables.get_mut(&table).expect("exists").retain(|_, descriptor| !descriptor.cloexec);
        told.push((pid, Body::Exec { table: TableId(table), comm: "new".into() }));
        told
    }

    fn exit(&mut self, process: u8) -> Told {
        if self.processes.len() < 2 {
            return vec![];
        }
        let (pid, table) = self.process(process);
        self.processes.remove(&pid);
        if self.users(table) == 0 {
            self.tables.remove(&table);
        }
        vec![(pid, Body::Exit { table: TableId(table) })]
    }

    fn snapshot(&self, pid: u32, with_file: bool) -> Snapshot {
        let table = self.processes[&pid];
        let handle = |(&fd, descriptor): (&u32, &Descriptor)| Handle {
            owner: ProcessId { pid: Pid(pid), start_ticks: 0 },
            via: Association::Fd(FdNumber(fd)),
            kind: HandleKind::File,
            file: with_file.then_some(FileId(descriptor.file)),
            inode: Some(InodeId { inode: descriptor.file, ..InodeId::default() }),
            mode: None,
            flags: Some(if descriptor.cloexec { 0o2_000_000 } else { 0 }),
            offset: None,
            name: Name::default(),
            fault: None,
        };
        Snapshot {
            pid: Pid(pid),
            table: with_file.then_some(TableId(table)),
            begun: Monotonic(self.now + 1),
            ended: Monotonic(self.now + 2),
            handles: self.tables[&table].iter().map(handle).collect(),
            faults: vec![],
        }
    }
}

fn key(table: u64, fd: u32) -> HandleKey {
    HandleKey::Descriptor(TableId(table), FdNumber(fd))
}

fn acquire(table: u64, fd: u32, file: u64, cloexec: bool, cause: AcquireCause) -> Body<'static> {
    Body::Acquire(Acquire {
        key: key(table, fd),
        kind: HandleKind::File,
        file: Some(FileId(file)),
        inode: Some(InodeId { inode: file, ..InodeId::default() }),
        cloexec: Some(cloexec),
        cause,
        name: None,
        trace: Trace::Known(StackId((file % 5) as u32)),
    })
}

fn release(table: u64, fd: u32, slot: Slot) -> Body<'static> {
    let trace = Trace::Known(StackId(9));
    Body::Release(Release { key: key(table, fd), cause: ReleaseCause::Call("close"), slot, trace })
}

fn tell(ledger: &mut Ledger, now: u64, told: Told) {
    for (pid, body) in told {
        ledger.apply(&Event { at: Monotonic(now), pid: Pid(pid), tid: Tid(pid), body });
    }
}

/// The ledger's table of a process, as the kernel would write it.
fn table_of(ledger: &Ledger, pid: u32) -> BTreeMap<u32, Descriptor> {
    let row = |live: fdscope_analyze::LiveHandle| {
        let file = live.file.map_or(u64::MAX, |file| file.0);
        (live.fd.0, Descriptor { file, cloexec: live.cloexec.unwrap_or_default() })
    };
    ledger.live(Pid(pid)).into_iter().map(row).collect()
}

fn equal(ledger: &Ledger, kernel: &Kernel) -> Result<(), TestCaseError> {
    for (&pid, table) in &kernel.processes {
        prop_assert_eq!(&table_of(ledger, pid), &kernel.tables[table], "process {}", pid);
    }
    Ok(())
}

fn new_ledger() -> Ledger {
    Ledger::new(LedgerOptions { begun: Some(Monotonic(0)), ..LedgerOptions::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_equals_the_kernel_after_every_step(steps in prop::collection::vec(step(), 1..120)) {
        let (mut kernel, mut ledger) = (Kernel::new(), new_ledger());
        for step in steps {
            let told = kernel.step(step);
            tell(&mut ledger, kernel.now, told);
            equal(&ledger, &kernel)?;
        }
        let held: u64 = kernel.tables.values().map(|fds| fds.len() as u64).sum();
        prop_assert_eq!(ledger.summary(Monotonic(kernel.now)).open, held);
    }

    #[test]
    fn one_quiet_comparison_mends_whatever_was_missed(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.7)), 1..120),
        with_file in any::<bool>(),
    ) {
        let (mut kernel, mut ledger) = (Kernel::new(), new_ledger());
        for (step, seen) in steps {
            let told = kernel.step(step);
            // That a process was made or ended is never missed without being told of by other means.
            let is_lineage = matches!(step, Step::Fork { .. } | Step::Exit { .. } | Step::Unshare { .. } | Step::Exec { .. });
            if seen || is_lineage {
                tell(&mut ledger, kernel.now, told);
            }
        }
        let pids: Vec<u32> = kernel.processes.keys().copied().collect();
        for &pid in &pids {
            ledger.begin_reconcile(Pid(pid), Monotonic(kernel.now + 1));
            let outcome = ledger.finish_reconcile(&kernel.snapshot(pid, with_file));
            prop_assert_eq!(outcome.unsettled, 0);
        }
        for &pid in &pids {
            let table = &kernel.tables[&kernel.processes[&pid]];
            let numbers: Vec<u32> = ledger.live(Pid(pid)).iter().map(|live| live.fd.0).collect();
            prop_assert_eq!(numbers, table.keys().copied().collect::<Vec<_>>());
            for live in ledger.live(Pid(pid)) {
                prop_assert_eq!(live.inode.map(|inode| inode.inode), Some(table[&live.fd.0].file));
            }
            let again = ledger.finish_reconcile(&kernel.snapshot(pid, with_file));
            prop_assert!(again.agreed(), "{:?}", again);
        }
    }

    #[test]
    fn what_happens_during_a_comparison_is_left_alone(
        before in prop::collection::vec(step(), 1..60),
        during in prop::collection::vec(step(), 1..20),
    ) {
        let (mut kernel, mut ledger) = (Kernel::new(), new_ledger());
        for step in before {
            let told = kernel.step(step);
            tell(&mut ledger, kernel.now, told);
        }
        let watched: Vec<u32> = kernel.processes.keys().copied().collect();
        for &pid in &watched {
            ledger.begin_reconcile(Pid(pid), Monotonic(kernel.now + 1));
        }
        let snapshots: Vec<Snapshot> = watched.iter().map(|&pid| kernel.snapshot(pid, true)).collect();
        for step in during {
            let told = kernel.step(step);
            tell(&mut ledger, kernel.now, told);
        }
        for snapshot in snapshots.iter().filter(|s| kernel.processes.contains_key(&s.pid.0)) {
            let outcome = ledger.finish_reconcile(snapshot);
            prop_assert!(outcome.agreed(), "{:?}", outcome);
        }
        equal(&ledger, &kernel)?;
    }

    #[test]
    fn the_same_input_gives_the_same_judgement(steps in prop::collection::vec(step(), 1..120)) {
        let run = || {
            let (mut kernel, mut ledger) = (Kernel::new(), new_ledger());
            for &step in &steps {
                let told = kernel.step(step);
                tell(&mut ledger, kernel.now, told);
            }
            let names = fdscope_analyze::Names { handle: &|_, _| None, thread: &|_, _| None };
            format!("{:?}", ledger.judge(Monotonic(40_000_000_000), &mut Nameless, names))
        };
        prop_assert_eq!(run(), run());
    }
}

struct Nameless;

impl fdscope_model::Symbolizer for Nameless {
    fn symbolize(&mut self, _: StackId) -> fdscope_model::Symbolized {
        fdscope_model::Symbolized::default()
    }
}

//! The event sources behind one face, and the choice among them.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow};
use fdscope_bpf::load::KernelTypes;
use fdscope_bpf::{BpfSource, Stacks, Support, TableReader};
use fdscope_model::{
    Acquire, AcquireCause, Association, Blind, Body, Event, EventSource, Handle, HandleKey,
    InterpreterLayout, Memo, Pid, Progress, Sight, Snapshot, SnapshotSource, TableId, Tid, Trace,
};
use fdscope_proc::{DescriptorSource, Detail, PollSource, ProcRoot};
use fdscope_ptrace::{Follow, PtraceSource};

use crate::args::{Leak, Source, StackMode};
use crate::ending::{Ending, Failure};
use crate::live::launch::{Launched, not_run};

/// `O_CLOEXEC` in the flags of handles.
const O_CLOEXEC: u32 = 0o2_000_000;

/// An open source.
pub enum Live {
    /// eBPF, with the reader of the kernel's tables.
    Bpf(Box<BpfSource>, TableReader),
    /// ptrace.
    Ptrace(PtraceSource),
    /// Reading /proc.
    Poll(PollSource),
}

/// A source with what was lost by not having a better one, and the command it launched.
pub struct Opened {
    /// The source.
    pub live: Live,
    /// Why better sources were not used.
    pub fallbacks: Vec<Blind>,
    /// The launched command.
    pub launched: Option<Launched>,
}

/// What to open a source on.
pub struct Wanted<'a> {
    /// What was typed.
    pub leak: &'a Leak,
    /// The processes; empty for a launch.
    pub pids: &'a [Pid],
    /// A 32-bit program is among them.
    pub compat: bool,
}

impl Wanted<'_> {
    fn follows(&self) -> bool {
        self.leak.follow || self.leak.everyone || self.leak.children || !self.leak.launch.is_empty()
    }

    fn command(&self) -> Option<Command> {
        let (program, arguments) = self.leak.launch.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments);
        Some(command)
    }
}

/// Opens the source that was asked for, or the best that is permitted.
///
/// # Errors
/// If it, or any, cannot be had: a [`Failure`] with its exit code where more privilege would help.
pub fn open(proc: &ProcRoot, wanted: &Wanted<'_>) -> Result<Opened> {
    let sources: &[Source] = match wanted.leak.source {
        // Stopping every process of a user is nothing to do unasked.
        Source::Auto if wanted.leak.everyone => &[Source::Bpf, Source::Poll],
        Source::Auto => &[Source::Bpf, Source::Ptrace, Source::Poll],
        Source::Bpf => &[Source::Bpf],
        Source::Ptrace => &[Source::Ptrace],
        Source::Poll => &[Source::Poll],
    };
    let mut fallbacks = Vec::new();
    let mut last = anyhow!("no source");
    for source in sources {
        match open_one(*source, proc, wanted).map_err(with_ending) {
            Ok((live, launched)) => return Ok(Opened { live, fallbacks, launched }),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                if let Some(blind) = fallback(*source, &error) {
                    fallbacks.push(blind);
                }
                last = error;
            }
        }
    }
    Err(last)
}

/// The sources' own errors, with the exit codes that belong to them.
fn with_ending(error: anyhow::Error) -> anyhow::Error {
    use fdscope_ptrace::Error as Ptrace;
    let ending = match (error.downcast_ref(), error.downcast_ref()) {
        (Some(Ptrace::Launch { program, cause }), _) => return not_run(program, cause).into(),
        (Some(Ptrace::NoSuchProcess { .. }), _) => Ending::TargetGone,
        (Some(Ptrace::AlreadyTraced { .. } | Ptrace::NotPermitted { .. }), _) => {
            Ending::NotPermitted
        }
        (_, Some(fdscope_bpf::BpfError::NotPermitted(_))) => Ending::NotPermitted,
        _ => return error,
    };
    Failure::new(ending, format!("{error:#}")).into()
}

/// A command that cannot be run, or a target that is gone, fails whatever the source.
fn is_final(error: &anyhow::Error) -> bool {
    let ending = error.downcast_ref::<Failure>().map(|failure| failure.ending);
    ending.is_some_and(|ending| ending != Ending::NotPermitted)
}

/// What is lost by going on without this source.
fn fallback(source: Source, error: &anyhow::Error) -> Option<Blind> {
    let (what, cure) = match source {
        Source::Bpf => (
            "what eBPF would show at less cost",
            "run with sudo, or give fdscope CAP_BPF and CAP_PERFMON",
        ),
        Source::Ptrace => (
            "stacks, and handles that live shorter than the interval",
            "run as the target's user or with sudo",
        ),
        Source::Auto | Source::Poll => return None,
    };
    // The failure's own cures are for those who asked for this source; here one cure is enough.
    let why =
        error.downcast_ref::<Failure>().map_or_else(|| format!("{error:#}"), |f| f.what.clone());
    Some(Blind { what: what.to_owned(), why, cure: Some(cure.to_owned()) })
}

fn open_one(
    source: Source,
    proc: &ProcRoot,
    wanted: &Wanted<'_>,
) -> Result<(Live, Option<Launched>)> {
    match source {
        Source::Bpf | Source::Auto => open_bpf(wanted),
        Source::Ptrace => open_ptrace(wanted),
        Source::Poll => open_poll(proc, wanted),
    }
}

fn open_bpf(wanted: &Wanted<'_>) -> Result<(Live, Option<Launched>)> {
    if let Support::Missing(reason) = Support::probe() {
        return Err(Failure::new(Ending::NotPermitted, format!("eBPF cannot be used: {reason}"))
            .cure("run with sudo, or: sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep \"$(command -v fdscope)\"")
            .cure("without it: --source ptrace, for your own processes")
            .into());
    }
    let types = KernelTypes::read()?;
    let options = fdscope_bpf::Options {
        ring_bytes: wanted.leak.ring,
        stacks: match wanted.leak.stacks {
            StackMode::Dwarf => Stacks::Copied,
            StackMode::Fp => Stacks::FramePointers,
            StackMode::Off => Stacks::Off,
        },
        follow: wanted.follows(),
        compat: wanted.compat,
    };
    let reader = TableReader::open(&types)?;
    let mut source = BpfSource::open(&types, options)?;
    let launched = wanted.command().map(Launched::pause).transpose()?;
    let launched_pid = launched.as_ref().map(Launched::pid);
    for pid in wanted.pids.iter().copied().chain(launched_pid) {
        source.watch(pid)?;
    }
    Ok((Live::Bpf(Box::new(source), reader), launched))
}

fn open_ptrace(wanted: &Wanted<'_>) -> Result<(Live, Option<Launched>)> {
    let options = fdscope_ptrace::Options {
        follow: if wanted.follows() { Follow::Children } else { Follow::No },
        ..fdscope_ptrace::Options::default()
    };
    let source = match wanted.command() {
        Some(command) => PtraceSource::launch(command, options)?,
        None => PtraceSource::attach(wanted.pids, options)?,
    };
    let launched = source.launched().map(Launched::traced);
    Ok((Live::Ptrace(source), launched))
}

fn open_poll(proc: &ProcRoot, wanted: &Wanted<'_>) -> Result<(Live, Option<Launched>)> {
    let launched = wanted.command().map(Launched::pause).transpose()?;
    let launched_pid = launched.as_ref().map(Launched::pid);
    let pids: Vec<Pid> = wanted.pids.iter().copied().chain(launched_pid).collect();
    let source = PollSource::new(proc.clone(), &pids, wanted.follows(), wanted.leak.interval)?;
    Ok((Live::Poll(source), launched))
}

impl Live {
    /// What the source sees.
    pub fn sight(&self) -> &Sight {
        match self {
            Live::Bpf(source, _) => source.sight(),
            Live::Ptrace(source) => source.sight(),
            Live::Poll(source) => source.sight(),
        }
    }

    /// See [`EventSource::poll`].
    pub fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Progress> {
        Ok(match self {
            Live::Bpf(source, _) => source.poll(timeout, sink)?,
            Live::Ptrace(source) => source.poll(timeout, sink)?,
            Live::Poll(source) => source.poll(timeout, sink)?,
        })
    }

    /// See [`EventSource::stop`].
    pub fn stop(&mut self) -> Result<()> {
        match self {
            Live::Bpf(source, _) => source.stop()?,
            Live::Ptrace(source) => source.stop()?,
            Live::Poll(source) => source.stop()?,
        }
        Ok(())
    }

    /// Tells how much stack to copy at births.
    pub fn set_stack_bytes(&mut self, pid: Pid, bytes: usize) -> Result<()> {
        if let Live::Bpf(source, _) = self {
            source.set_stack_bytes(pid, u32::try_from(bytes).unwrap_or(u32::MAX / 2))?;
        }
        Ok(())
    }

    /// Has stacks known again from now on, where the source can.
    pub fn learn(&mut self, memos: &[Memo]) -> Result<()> {
        if let Live::Bpf(source, _) = self {
            memos.iter().try_for_each(|memo| source.learn(memo))?;
        }
        Ok(())
    }

    /// True if the source can walk interpreters' frames.
    pub fn walks_interpreters(&self) -> bool {
        matches!(self, Live::Bpf(..))
    }

    /// Tells how to walk the frames of a process's interpreter.
    pub fn set_interpreter(&mut self, pid: Pid, layout: &InterpreterLayout) -> Result<()> {
        if let Live::Bpf(source, _) = self {
            source.set_interpreter(pid, layout)?;
        }
        Ok(())
    }

    /// The kernel's table of a process, to hold the ledger against; `None` where the source is that table itself.
    pub fn table(&mut self, proc: &ProcRoot, pid: Pid) -> Option<Result<Snapshot>> {
        match self {
            Live::Bpf(_, reader) => Some(reader.snapshot(pid).map_err(Into::into)),
            Live::Ptrace(_) => Some(
                DescriptorSource::new(proc.clone(), Detail::Full).snapshot(pid).map_err(Into::into),
            ),
            Live::Poll(_) => None,
        }
    }

    /// Tells, as events, which descriptors there are before anything is seen to happen.
    ///
    /// # Errors
    /// If a table cannot be read. Processes that are gone by now are left out: their exit will be told.
    pub fn synthesize(
        &mut self,
        proc: &ProcRoot,
        pids: &[Pid],
        launching: bool,
        sink: &mut dyn FnMut(&Event<'_>),
    ) -> Result<()> {
        for &pid in pids {
            let detail = if launching { Detail::Full } else { Detail::Kind };
            let named = match proc.descriptors(pid, detail) {
                Ok(snapshot) => snapshot,
                Err(error) if error.is_gone() => continue,
                Err(error) => return Err(error.into()),
            };
            let Some(table) = self.table_of(pid, &named) else { continue };
            for handle in &named.handles {
                // What a launched program holds before exec, with close-on-exec set, is fdscope's own.
                let fdscopes = launching && handle.flags.is_none_or(|flags| flags & O_CLOEXEC != 0);
                if !fdscopes || !launching {
                    existing(pid, table.0, handle, &table.1, named.begun, sink);
                }
            }
        }
        Ok(())
    }

    /// The id by which the source will speak of a process's table, and its descriptions where the source knows them.
    fn table_of(&mut self, pid: Pid, named: &Snapshot) -> Option<(TableId, Vec<Handle>)> {
        match self {
            Live::Bpf(_, reader) => {
                let snapshot = reader.snapshot(pid).ok()?;
                Some((snapshot.table?, snapshot.handles))
            }
            Live::Ptrace(source) => {
                let known = source.tables().iter().find(|table| table.pid == pid)?;
                Some((known.table, named.handles.clone()))
            }
            Live::Poll(_) => None,
        }
    }
}

/// The event that says that a handle was there.
fn existing(
    pid: Pid,
    table: TableId,
    handle: &Handle,
    known: &[Handle],
    at: fdscope_model::Monotonic,
    sink: &mut dyn FnMut(&Event<'_>),
) {
    let Association::Fd(fd) = handle.via else { return };
    let place = known.binary_search_by_key(&handle.via, |other| other.via).ok();
    let row = place.and_then(|index| known.get(index)).unwrap_or(handle);
    let acquire = Acquire {
        key: HandleKey::Descriptor(table, fd),
        kind: handle.kind,
        file: row.file,
        inode: row.inode.or(handle.inode),
        cloexec: row.flags.or(handle.flags).map(|flags| flags & O_CLOEXEC != 0),
        cause: AcquireCause::Existing,
        name: Some(handle.name.clone()),
        trace: Trace::None,
    };
    sink(&Event { at, pid, tid: Tid(0), body: Body::Acquire(acquire) });
}

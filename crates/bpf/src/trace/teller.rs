//! From records to what is told: pairing of what was copied before a call with what was copied after it, stacks,
//! losses, and who is watched.

use std::collections::{BTreeMap, HashMap, VecDeque};

use fdscope_model::{Memo, Monotonic, Pid, Registers, StackId, Tid, Trace};
use fdscope_syscall::traced::{Call, Ended, Happening, Traced};
use fdscope_syscall::{Arch, names};
use zerocopy::FromBytes;

use super::Unwinder;
use super::pieces::{Piece, Pieces, split};
use super::wire::{Told, piece_kind, told_flags, told_type};
use crate::wire::{Origin, trace_kind};

/// `siginfo_t` in bytes.
const SIGINFO_BYTES: usize = 128;

/// Makes happenings of records.
pub struct Teller {
    /// Who is watched.
    pub tasks: BTreeMap<Tid, Pid>,
    /// Of others nothing is told.
    pub only_known: bool,
    /// Of this process nothing is told before it has run its program.
    pub launching: Option<Pid>,
    /// Stacks to be known again.
    pub memos: VecDeque<Memo>,
    /// How much to copy of a process's stacks from now on.
    pub depths: Vec<(Pid, u32)>,
    /// Processes of which every thread has ended since the last look.
    pub gone: Vec<Pid>,
    /// Who made a 32-bit call since the last look.
    pub compat: Vec<Pid>,
    /// Records say how long calls had a processor.
    pub times: bool,
    unwinder: Option<Box<dyn Unwinder>>,
    depth_of: HashMap<Pid, u32>,
    /// Records of calls that were entered, until they return.
    entered: BTreeMap<Tid, Vec<u8>>,
    lost: u64,
}

impl Teller {
    /// A teller that knows nobody.
    pub fn new(unwinder: Option<Box<dyn Unwinder>>) -> Self {
        Teller {
            tasks: BTreeMap::new(),
            only_known: false,
            launching: None,
            memos: VecDeque::new(),
            depths: Vec::new(),
            gone: Vec::new(),
            compat: Vec::new(),
            times: false,
            unwinder,
            depth_of: HashMap::new(),
            entered: BTreeMap::new(),
            lost: 0,
        }
    }

    /// A thread is watched.
    pub fn adopt(&mut self, tid: Tid, pid: Pid) {
        self.tasks.insert(tid, pid);
    }

    /// Tells that calls were lost, if more were than was told.
    pub fn lose(&mut self, at: Monotonic, lost: u64, sink: &mut dyn FnMut(&Traced<'_>)) {
        let count = lost.saturating_sub(self.lost);
        if count > 0 {
            self.lost = lost;
            sink(&Traced { at, pid: Pid(0), tid: Tid(0), what: Happening::Lost { count } });
        }
    }

    /// Tells what a record says.
    pub fn tell(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&Traced<'_>)) {
        let mut pieces = Vec::with_capacity(8);
        let Some(told) = split(bytes, &mut pieces) else { return };
        let (at, pid, tid) = (Monotonic(told.at), Pid(told.pid), Tid(told.tid));
        self.lose(at, told.lost, sink);
        if self.only_known && !self.tasks.contains_key(&tid) {
            return;
        }
        if told.kind == told_type::EXIT && told.flags & told_flags::COMPAT != 0 {
            self.compat.push(pid);
        }
        let mut tell = |what: Happening<'_>| sink(&Traced { at, pid, tid, what });
        match told.kind {
            told_type::ENTER => self.tell_enter(bytes, &told, &pieces, &mut tell),
            told_type::EXIT => self.tell_exit(&told, pieces, &mut tell),
            told_type::RAN => {
                self.launching.take_if(|launching| *launching == pid);
                if told.flags & told_flags::COMPAT != 0 {
                    self.compat.push(pid);
                }
                if let Some(unwinder) = &mut self.unwinder {
                    unwinder.exec(pid);
                }
            }
            _ if self.launching == Some(pid) && told.kind != told_type::ENDED => {}
            told_type::SIGNAL => {
                let mut siginfo = [0; SIGINFO_BYTES];
                for (place, byte) in siginfo.iter_mut().zip(signal_bytes(&pieces)) {
                    *place = *byte;
                }
                tell(Happening::Signal { signal: told.ret as u32, siginfo: &siginfo });
            }
            told_type::STOPPED => tell(Happening::Stopped { signal: told.ret as u32 }),
            told_type::ATTACHED => {
                let parent = self.tasks.get(&Tid(told.ret as u32)).copied();
                if let (Some(unwinder), Some(parent)) = (&mut self.unwinder, parent)
                    && parent != pid
                {
                    unwinder.fork(parent, pid);
                }
                self.tasks.insert(tid, pid);
                tell(Happening::Attached);
            }
            told_type::SUPERSEDED => self.supersede(tid, Tid(told.ret as u32), &mut tell),
            told_type::ENDED => self.end(&told, &mut tell),
            _ => {}
        }
    }

    fn tell_enter(
        &mut self,
        bytes: &[u8],
        told: &Told,
        pieces: &[Piece<'_>],
        tell: &mut dyn FnMut(Happening<'_>),
    ) {
        let (call, tid) = (call_of(told), Tid(told.tid));
        let kept = self.entered.entry(tid).or_default();
        kept.clear();
        kept.extend_from_slice(bytes);
        if self.launching == Some(Pid(told.pid)) && !is_exec(&call) {
            return;
        }
        let memory = &Pieces { pieces, absent: Some(tid) };
        tell(Happening::Enter { call, memory, ip: told.ip });
    }

    fn tell_exit(
        &mut self,
        told: &Told,
        copied: Vec<Piece<'_>>,
        tell: &mut dyn FnMut(Happening<'_>),
    ) {
        let (call, pid) = (call_of(told), Pid(told.pid));
        let ended = match u16::try_from(told.ret.wrapping_neg()) {
            _ if told.flags & told_flags::UNKNOWN != 0 => Ended::Unknown,
            Ok(errno) if (1..4096).contains(&errno) => Ended::Failed(errno),
            _ => Ended::Returned(told.ret),
        };
        if self.launching == Some(pid) && !is_exec(&call) {
            return;
        }
        let stack = self.stack(told, &copied);
        let mut pieces: Vec<Piece<'_>> = copied;
        let before = match told.flags & told_flags::HAS_ENTER {
            0 => None,
            _ => self.entered.get(&Tid(told.tid)),
        };
        // What was copied after the call comes first.
        if let Some(before) = before {
            split(before, &mut pieces);
        }
        let entered = (told.flags & told_flags::ENTERED != 0).then_some(Monotonic(told.entered));
        let (memory, ip) = (&Pieces { pieces: &pieces, absent: None }, told.ip);
        let wall = told.at.saturating_sub(told.entered);
        let system_ns = (self.times && entered.is_some()).then(|| wall.saturating_sub(told.away));
        tell(Happening::Exit { call, entered, ended, memory, ip, stack, system_ns });
    }

    fn stack(&mut self, told: &Told, pieces: &[Piece<'_>]) -> Option<StackId> {
        let unwinder = self.unwinder.as_mut()?;
        let pid = Pid(told.pid);
        if u16::from(told.trace) == trace_kind::KNOWN {
            return unwinder.unwind(pid, &Trace::Known(StackId(told.stack_id.max(0) as u32)));
        }
        let of_kind = |kind| pieces.iter().find(|piece| piece.head.kind == kind);
        let (origin, _) = Origin::read_from_prefix(of_kind(piece_kind::ORIGIN)?.bytes).ok()?;
        let bytes = of_kind(piece_kind::STACK).map_or(&[][..], |piece| piece.bytes);
        let Origin { ip, sp, fp, lr, code_since } = origin;
        let trace = Trace::Copied {
            regs: Registers { ip, sp, fp, lr },
            bytes,
            compat: told.flags & told_flags::COMPAT != 0,
            code_since: Some(Monotonic(code_since)),
        };
        let id = unwinder.unwind(pid, &trace);
        self.memos.extend(unwinder.memos());
        let wanted = unwinder.wanted_bytes(pid);
        if self.depth_of.insert(pid, wanted) != Some(wanted) {
            self.depths.push((pid, wanted));
        }
        id
    }

    fn supersede(&mut self, tid: Tid, by: Tid, tell: &mut dyn FnMut(Happening<'_>)) {
        if let Some(pid) = self.tasks.remove(&by) {
            self.tasks.insert(tid, pid);
        }
        self.entered.remove(&tid);
        if let Some(bytes) = self.entered.remove(&by) {
            self.entered.insert(tid, bytes);
        }
        tell(Happening::Superseded { by });
    }

    fn end(&mut self, told: &Told, tell: &mut dyn FnMut(Happening<'_>)) {
        let (tid, pid) = (Tid(told.tid), Pid(told.pid));
        self.tasks.remove(&tid);
        self.entered.remove(&tid);
        let (signal, core) = (told.ret as u32 & 0x7f, told.ret & 0x80 != 0);
        tell(match signal {
            0 => Happening::Exited { status: (told.ret >> 8) as u8 },
            signal => Happening::Killed { signal, core },
        });
        if !self.tasks.values().any(|of| *of == pid) {
            self.depth_of.remove(&pid);
            self.gone.push(pid);
        }
    }

    /// Forgets threads that are gone though no record said so.
    pub fn forget_the_dead(&mut self) {
        let is_there = |tid: &Tid, pid: &Pid| {
            std::fs::symlink_metadata(format!("/proc/{pid}/task/{tid}")).is_ok()
        };
        self.tasks.retain(|tid, pid| is_there(tid, pid));
    }

    /// Tells of everybody that they are watched no more.
    pub fn let_go(&mut self, at: Monotonic, sink: &mut dyn FnMut(&Traced<'_>)) {
        for (tid, pid) in std::mem::take(&mut self.tasks) {
            sink(&Traced { at, pid, tid, what: Happening::Detached });
        }
    }
}

fn signal_bytes<'a>(pieces: &[Piece<'a>]) -> &'a [u8] {
    let found = pieces.iter().find(|piece| piece.head.kind == piece_kind::SIGNAL);
    found.map_or(&[], |piece| piece.bytes)
}

fn call_of(told: &Told) -> Call {
    let is_compat = told.flags & told_flags::COMPAT != 0;
    let arch = Arch::COMPAT.filter(|_| is_compat).unwrap_or(Arch::NATIVE);
    Call { arch, number: told.number.into(), arguments: told.args }
}

fn is_exec(call: &Call) -> bool {
    matches!(names::name(call.arch, call.number), Some("execve" | "execveat"))
}

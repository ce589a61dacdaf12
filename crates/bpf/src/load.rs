//! The loader: with [`crate::iterator`] the only file that names aya.

use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{Array, HashMap, MapData, PerCpuArray, RingBuf, StackTraceMap};
use aya::programs::{Iter, ProgramError, RawTracePoint, TracePoint};
use aya::{Btf, Ebpf, EbpfLoader, Endianness};

use crate::error::BpfError;
use crate::object;
use crate::support::PidNamespace;
use crate::trace::wire::{Plan, Watched};
use crate::trim::trimmed;
use crate::wire::{Action, Interpreter, IoctlRule, MemoKey, MemoWords, Scope};

/// The kernel's description of its own types, read once.
pub struct KernelTypes(Btf);

impl KernelTypes {
    /// Reads /sys/kernel/btf/vmlinux: some 10 ms.
    ///
    /// # Errors
    /// If the kernel has none.
    pub fn read() -> Result<Self, BpfError> {
        Btf::from_sys_fs().map(KernelTypes).map_err(|error| BpfError::NoBtf(chain(&error)))
    }
}

/// What the programs are told before they are loaded.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    /// Depth of fdscope's PID namespace.
    pub pid_level: u32,
    /// Its inode.
    pub pid_namespace: u32,
    /// The raw program leaves 64-bit calls alone.
    pub compat_only: bool,
    /// Ring size in bytes, a power of two.
    pub ring_bytes: u32,
}

/// A program on a raw tracepoint: its name, and that of the tracepoint.
pub struct RawProgram {
    /// The function in `bpf/handles.bpf.c`.
    pub name: &'static str,
    /// The tracepoint.
    pub point: &'static str,
}

/// The program for tracepoints per call, and the same for kernels before 5.15: they have no helper that gives a task's
/// registers as a pointer of known type.
const CALL_EXIT: &str = "call_exit";
pub(crate) const CALL_EXIT_UNTYPED: &str = "call_exit_untyped";

/// The programs that watch handles, loaded, with their maps. Dropping this detaches all.
pub struct HandlePrograms {
    ebpf: Ebpf,
    scopes: HashMap<MapData, u32, [u8; size_of::<Scope>()]>,
    memos: HashMap<MapData, [u8; size_of::<MemoKey>()], [u8; size_of::<MemoWords>()]>,
    interpreters: HashMap<MapData, u32, [u8; 64]>,
    lost: PerCpuArray<MapData, u64>,
    stacks: StackTraceMap<MapData>,
    ring: RingBuf<MapData>,
}

impl HandlePrograms {
    /// Fits the programs to this kernel and makes their maps. No program is checked by the kernel before it is
    /// attached.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(types: &KernelTypes, constants: Constants) -> Result<Self, BpfError> {
        let compat_only = u32::from(constants.compat_only);
        let wake_at = constants.ring_bytes / 16;
        let copy_below = constants.ring_bytes / 4 * 3;
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&types.0))
            .override_global("pid_level", &constants.pid_level, true)
            .override_global("pid_namespace", &constants.pid_namespace, true)
            .override_global("compat_only", &compat_only, true)
            .override_global("wake_at", &wake_at, true)
            .override_global("copy_below", &copy_below, true)
            .map_max_entries("ring", constants.ring_bytes)
            .load(object::handles())
            .map_err(|error| refused("handles", &error))?;
        Ok(HandlePrograms {
            scopes: HashMap::try_from(take(&mut ebpf, "scopes")?).map_err(map("scopes"))?,
            memos: HashMap::try_from(take(&mut ebpf, "memos")?).map_err(map("memos"))?,
            interpreters: HashMap::try_from(take(&mut ebpf, "interpreters")?)
                .map_err(map("interpreters"))?,
            lost: PerCpuArray::try_from(take(&mut ebpf, "lost")?).map_err(map("lost"))?,
            stacks: StackTraceMap::try_from(take(&mut ebpf, "stacks")?).map_err(map("stacks"))?,
            ring: RingBuf::try_from(take(&mut ebpf, "ring")?).map_err(map("ring"))?,
            ebpf,
        })
    }

    /// Sets one action in `actions`, `compat_actions` or `ring_actions`.
    ///
    /// # Errors
    /// If the number is beyond the map.
    pub fn set_action(
        &mut self,
        name: &'static str,
        number: u32,
        action: Action,
    ) -> Result<(), BpfError> {
        let found = self.ebpf.map_mut(name).ok_or_else(|| missing(name))?;
        let mut actions: Array<_, [u8; 12]> = Array::try_from(found).map_err(map(name))?;
        let action: [u8; 12] = zerocopy::transmute!(action);
        actions.set(number, action, 0).map_err(map(name))
    }

    /// Sets one rule of the map of ioctls and socket options.
    ///
    /// # Errors
    /// If the map is full.
    pub fn set_rule(&mut self, key: u32, rule: IoctlRule) -> Result<(), BpfError> {
        let found = self.ebpf.map_mut("ioctls").ok_or_else(|| missing("ioctls"))?;
        let mut rules: HashMap<_, u32, [u8; 8]> =
            HashMap::try_from(found).map_err(map("ioctls"))?;
        let rule: [u8; 8] = zerocopy::transmute!(rule);
        rules.insert(key, rule, 0).map_err(map("ioctls"))
    }

    /// Watches a process.
    ///
    /// # Errors
    /// If the map is full.
    pub fn set_scope(&mut self, pid: u32, scope: Scope) -> Result<(), BpfError> {
        let scope: [u8; size_of::<Scope>()] = zerocopy::transmute!(scope);
        self.scopes.insert(pid, scope, 0).map_err(map("scopes"))
    }

    /// Changes how a process is watched; nothing if it is gone. What the program keeps there stays: should it see code
    /// come or go at this very moment, it will see that again at its next event.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn change_scope(&mut self, pid: u32, scope: Scope) -> Result<(), BpfError> {
        let Ok(current) = self.scopes.get(&pid, 0) else { return Ok(()) };
        let current: Scope = zerocopy::transmute!(current);
        self.set_scope(pid, scope.with_counters_of(current))
    }

    /// Has a stack known again from now on. The map drops what was not used for long.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn set_memo(&mut self, key: MemoKey, words: MemoWords) -> Result<(), BpfError> {
        let key: [u8; size_of::<MemoKey>()] = zerocopy::transmute!(key);
        let words: [u8; size_of::<MemoWords>()] = zerocopy::transmute!(words);
        self.memos.insert(key, words, 0).map_err(map("memos"))
    }

    /// Says where a process's interpreter keeps its frames; its scope says that they are to be walked.
    ///
    /// # Errors
    /// If the map is full.
    pub fn set_interpreter(&mut self, pid: u32, interpreter: Interpreter) -> Result<(), BpfError> {
        let interpreter: [u8; 64] = zerocopy::transmute!(interpreter);
        self.interpreters.insert(pid, interpreter, 0).map_err(map("interpreters"))
    }

    /// Watches a process no more.
    pub fn remove_scope(&mut self, pid: u32) {
        // The program itself removes processes that end: not finding it is no fault.
        let _already_gone = self.scopes.remove(&pid);
    }

    /// Loads a raw-tracepoint program and puts it on its point.
    ///
    /// # Errors
    /// If the kernel refuses the program or has no such point.
    pub fn attach_raw(&mut self, program: &RawProgram) -> Result<(), BpfError> {
        attach_raw(&mut self.ebpf, program)
    }

    /// Loads the program for tracepoints per call: the name of the one that this kernel takes.
    ///
    /// # Errors
    /// If the kernel refuses it, and the one for kernels before 5.15 too.
    pub fn load_call_exit(&mut self) -> Result<&'static str, BpfError> {
        let typed = load_tracepoint(&mut self.ebpf, CALL_EXIT).map(drop);
        let Err(refusal) = typed else { return Ok(CALL_EXIT) };
        match load_tracepoint(&mut self.ebpf, CALL_EXIT_UNTYPED) {
            Ok(_) => Ok(CALL_EXIT_UNTYPED),
            Err(_) => Err(refusal),
        }
    }

    /// The descriptor of a program that was loaded, to link it by.
    ///
    /// # Errors
    /// If it was not loaded.
    pub fn tracepoint(&self, name: &'static str) -> Result<BorrowedFd<'_>, BpfError> {
        let program = self.ebpf.program(name).ok_or_else(|| missing(name))?;
        let program: &TracePoint = program.try_into().map_err(|error| refused(name, &error))?;
        program.fd().map(AsFd::as_fd).map_err(|error| refused(name, &error))
    }

    /// The next record in the ring, if there is one.
    pub fn next(&mut self, sink: &mut dyn FnMut(&[u8])) -> bool {
        match self.ring.next() {
            Some(record) => {
                sink(&record);
                true
            }
            None => false,
        }
    }

    /// The ring's descriptor: readable when a program thought that waking is worth it.
    pub fn ring_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    /// Records that found no room in the ring, since loading.
    ///
    /// # Errors
    /// If the map cannot be read.
    pub fn lost(&self) -> Result<u64, BpfError> {
        let counts = self.lost.get(&0, 0).map_err(map("lost"))?;
        Ok(counts.iter().sum())
    }

    /// The return addresses of a stack id; empty if the kernel dropped it.
    pub fn addresses(&self, stack_id: i32) -> Vec<u64> {
        let found = self.stacks.get(&(stack_id as u32), 0);
        found.map_or_else(
            |_| Vec::new(),
            |trace| trace.frames().iter().map(|frame| frame.ip).collect(),
        )
    }
}

/// What the programs of trace are told before they are loaded.
#[derive(Clone, Copy, Debug)]
pub struct CallConstants {
    /// fdscope's PID namespace.
    pub namespace: PidNamespace,
    /// When calls are told as they are entered: `enum enters`.
    pub enters: u32,
    /// How long calls had a processor is told, too.
    pub times: bool,
    /// The raw programs leave 64-bit calls alone.
    pub compat_only: bool,
    /// Of strings, as many bytes are copied.
    pub text_limit: u32,
    /// Of stacks, as many bytes are copied at most; 0: none are.
    pub stack_most: u32,
    /// Ring size in bytes, a power of two.
    pub ring_bytes: u32,
}

/// The programs that tell calls, loaded, with their maps. Dropping this detaches all.
pub struct CallPrograms {
    ebpf: Ebpf,
    watched: HashMap<MapData, u32, [u8; size_of::<Watched>()]>,
    memos: HashMap<MapData, [u8; size_of::<MemoKey>()], [u8; size_of::<MemoWords>()]>,
    untold: Array<MapData, u64>,
    tasks: Array<MapData, u64>,
    ring: RingBuf<MapData>,
}

impl CallPrograms {
    /// The kernel's structures that `bpf/trace.bpf.c` names.
    pub const STRUCTURES: &[&str] = &[
        "dentry",
        "dentry_operations",
        "fdtable",
        "file",
        "files_struct",
        "fs_struct",
        "hlist_bl_node",
        "in6_addr",
        "inet_sock",
        "inode",
        "k_sigaction",
        "mm_struct",
        "mount",
        "net",
        "netlink_sock",
        "ns_common",
        "packet_sock",
        "path",
        "pid",
        "pid_namespace",
        "pt_regs",
        "qstr",
        "sched_entity",
        "sigaction",
        "signal_struct",
        "sk_buff_head",
        "sock",
        "sock_common",
        "sockaddr_un",
        "sockaddr_vm",
        "socket",
        "socket_alloc",
        "super_block",
        "task_struct",
        "tcp_sock",
        "udp_sock",
        "unix_address",
        "unix_sock",
        "upid",
        "vfsmount",
        "vsock_sock",
    ];

    /// Maps of the programs for handles, which these leave empty.
    const UNUSED: &[&str] = &["scopes", "stacks", "ioctls", "interpreters", "known_threads"];

    /// Fits the programs to this kernel and makes their maps.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(constants: &CallConstants) -> Result<Self, BpfError> {
        let structures = kernel_structures(Self::STRUCTURES, "")?.0;
        let CallConstants { namespace, text_limit, stack_most, ring_bytes, .. } = constants;
        let [times, compat_only] = [constants.times, constants.compat_only].map(u32::from);
        let (wake_at, copy_below) = (ring_bytes / 16, ring_bytes / 4 * 3);
        let full_at = ring_bytes / 16 * 15;
        let mut loader = EbpfLoader::new();
        for map in Self::UNUSED {
            loader.map_max_entries(map, 1);
        }
        if *stack_most == 0 {
            loader.map_max_entries("memos", 1);
        }
        let mut ebpf = loader
            .btf(Some(&structures))
            .override_global("pid_level", &namespace.level, true)
            .override_global("pid_namespace", &namespace.inode, true)
            .override_global("tell_enters", &constants.enters, true)
            .override_global("tell_system", &times, true)
            .override_global("compat_only", &compat_only, true)
            .override_global("text_limit", text_limit, true)
            .override_global("stack_most", stack_most, true)
            .override_global("wake_at", &wake_at, true)
            .override_global("copy_below", &copy_below, true)
            .override_global("full_at", &full_at, true)
            .map_max_entries("ring", *ring_bytes)
            .load(object::trace())
            .map_err(|error| refused("trace", &error))?;
        Ok(CallPrograms {
            watched: HashMap::try_from(take(&mut ebpf, "watched")?).map_err(map("watched"))?,
            memos: HashMap::try_from(take(&mut ebpf, "memos")?).map_err(map("memos"))?,
            untold: Array::try_from(take(&mut ebpf, "untold")?).map_err(map("untold"))?,
            tasks: Array::try_from(take(&mut ebpf, "tasks")?).map_err(map("tasks"))?,
            ring: RingBuf::try_from(take(&mut ebpf, "ring")?).map_err(map("ring"))?,
            ebpf,
        })
    }

    /// Says how a call is treated: in `plans` or `compat_plans`, by its number.
    ///
    /// # Errors
    /// If the number is beyond the map.
    pub fn set_plan(
        &mut self,
        name: &'static str,
        number: u32,
        plan: Plan,
    ) -> Result<(), BpfError> {
        let found = self.ebpf.map_mut(name).ok_or_else(|| missing(name))?;
        let mut plans: Array<_, [u8; size_of::<Plan>()]> =
            Array::try_from(found).map_err(map(name))?;
        let plan: [u8; size_of::<Plan>()] = zerocopy::transmute!(plan);
        plans.set(number, plan, 0).map_err(map(name))
    }

    /// How a process is watched; `None` if it is not.
    pub fn watched(&self, pid: u32) -> Option<Watched> {
        self.watched.get(&pid, 0).ok().map(|bytes| zerocopy::transmute!(bytes))
    }

    /// Watches a process.
    ///
    /// # Errors
    /// If the map is full.
    pub fn set_watched(&mut self, pid: u32, watched: Watched) -> Result<(), BpfError> {
        let watched: [u8; size_of::<Watched>()] = zerocopy::transmute!(watched);
        self.watched.insert(pid, watched, 0).map_err(map("watched"))
    }

    /// Says how many tasks are watched now. The programs count on from there.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn set_tasks(&mut self, count: u64) -> Result<(), BpfError> {
        self.tasks.set(0, count, 0).map_err(map("tasks"))
    }

    /// Watches a process no more.
    pub fn remove_watched(&mut self, pid: u32) {
        // The program itself removes processes that end: not finding it is no fault.
        let _already_gone = self.watched.remove(&pid);
    }

    /// Every process watched now.
    pub fn pids(&self) -> Vec<u32> {
        self.watched.keys().filter_map(Result::ok).collect()
    }

    /// Has a stack known again from now on.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn set_memo(&mut self, key: MemoKey, words: MemoWords) -> Result<(), BpfError> {
        let key: [u8; size_of::<MemoKey>()] = zerocopy::transmute!(key);
        let words: [u8; size_of::<MemoWords>()] = zerocopy::transmute!(words);
        self.memos.insert(key, words, 0).map_err(map("memos"))
    }

    /// Loads a raw-tracepoint program and puts it on its point.
    ///
    /// # Errors
    /// If the kernel refuses the program or has no such point.
    pub fn attach_raw(&mut self, program: &RawProgram) -> Result<(), BpfError> {
        attach_raw(&mut self.ebpf, program)
    }

    /// Loads a raw-tracepoint program, to be attached later: the kernel takes long to check it, and no time to attach it.
    ///
    /// # Errors
    /// If the kernel refuses the program.
    pub fn load_raw(&mut self, program: &RawProgram) -> Result<(), BpfError> {
        load_raw(&mut self.ebpf, program).map(drop)
    }

    /// Loads a program for tracepoints per call, and gives its descriptor to link it by.
    ///
    /// # Errors
    /// If the kernel refuses the program.
    pub fn load_tracepoint(&mut self, name: &'static str) -> Result<BorrowedFd<'_>, BpfError> {
        load_tracepoint(&mut self.ebpf, name)
    }

    /// The next record in the ring, if there is one.
    pub fn next(&mut self, sink: &mut dyn FnMut(&[u8])) -> bool {
        let record = self.ring.next();
        record.is_some_and(|record| {
            sink(&record);
            true
        })
    }

    /// The ring's descriptor: readable when a program thought that waking is worth it.
    pub fn ring_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    /// Calls that could not be told, since loading.
    ///
    /// # Errors
    /// If the map cannot be read.
    pub fn untold(&self) -> Result<u64, BpfError> {
        self.untold.get(&0, 0).map_err(map("untold"))
    }
}

/// The programs that tell of sockets, loaded and attached. Dropping this detaches them.
pub struct StatePrograms {
    // Holds the programs' links.
    _ebpf: Ebpf,
    ring: RingBuf<MapData>,
}

impl StatePrograms {
    /// The kernel's types that `bpf/states.bpf.c` names.
    const STRUCTURES: &[&str] = &[
        "bpf_func_id",
        "fdtable",
        "file",
        "files_struct",
        "in6_addr",
        "inet_sock",
        "inode",
        "net",
        "ns_common",
        "pid",
        "pid_namespace",
        "pt_regs",
        "sock",
        "sock_common",
        "socket",
        "socket_alloc",
        "task_struct",
        "upid",
    ];

    /// Loads the programs and puts them on their tracepoints. Senders are told since Linux 6.3; changes that no process
    /// makes if `every` is true.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(namespace: PidNamespace, every: bool) -> Result<Self, BpfError> {
        let structures = kernel_structures(Self::STRUCTURES, "")?.0;
        let every = u8::from(every);
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&structures))
            .override_global("pid_level", &namespace.level, true)
            .override_global("pid_namespace", &namespace.inode, true)
            .override_global("every_change", &every, true)
            .load(object::states())
            .map_err(|error| refused("states", &error))?;
        let ring = RingBuf::try_from(take(&mut ebpf, "ring")?).map_err(map("ring"))?;
        attach_raw(&mut ebpf, &RawProgram { name: "state_changed", point: "inet_sock_set_state" })?;
        // Older kernels do not have it: who sends is found otherwise, or not at all.
        let _older = attach_raw(&mut ebpf, &RawProgram { name: "sent", point: "sock_send_length" });
        Ok(StatePrograms { _ebpf: ebpf, ring })
    }

    /// The next record in the ring, if there is one.
    pub fn next(&mut self, sink: &mut dyn FnMut(&[u8])) -> bool {
        let record = self.ring.next();
        record.is_some_and(|record| {
            sink(&record);
            true
        })
    }
}

fn load_raw<'a>(
    ebpf: &'a mut Ebpf,
    program: &RawProgram,
) -> Result<&'a mut RawTracePoint, BpfError> {
    let found = ebpf.program_mut(program.name).ok_or_else(|| missing(program.name))?;
    let found: &mut RawTracePoint =
        found.try_into().map_err(|error| refused(program.name, &error))?;
    match found.load() {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(found),
        Err(error) => Err(refused(program.name, &error)),
    }
}

fn attach_raw(ebpf: &mut Ebpf, program: &RawProgram) -> Result<(), BpfError> {
    let found = load_raw(ebpf, program)?;
    found.attach(program.point).map_err(|error| BpfError::Attach {
        point: program.point.to_owned(),
        cause: chain(&error),
    })?;
    Ok(())
}

fn load_tracepoint<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<BorrowedFd<'a>, BpfError> {
    let found = ebpf.program_mut(name).ok_or_else(|| missing(name))?;
    let found: &mut TracePoint = found.try_into().map_err(|error| refused(name, &error))?;
    found.load().map_err(|error| refused(name, &error))?;
    found.fd().map(AsFd::as_fd).map_err(|error| refused(name, &error))
}

/// The kernel's structures of these names, and its number of a function.
pub(crate) fn kernel_structures(
    names: &[&str],
    function: &str,
) -> Result<(Btf, Option<u32>), BpfError> {
    let whole = fdscope_sys::kernel_types::KernelTypes::open()
        .map_err(|error| BpfError::NoBtf(error.to_string()))?;
    let found = trimmed(whole.bytes(), names, function)
        .ok_or_else(|| BpfError::NoBtf("it is no BTF".to_owned()))?;
    Ok((parsed(&found.types)?, found.function))
}

/// The iterator over tables, loaded.
pub struct TableIterator {
    ebpf: Ebpf,
}

impl TableIterator {
    /// Loads the iterator. `unbound`: it will not be bound to a process, and gives the rows of all.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(types: &KernelTypes, unbound: bool) -> Result<Self, BpfError> {
        const NAME: &str = "read_files";
        let namespace = PidNamespace::of_self();
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&types.0))
            .override_global("unbound", &u32::from(unbound), true)
            .override_global("pid_level", &namespace.level, true)
            .override_global("pid_namespace", &namespace.inode, true)
            .load(object::files())
            .map_err(|error| refused("files", &error))?;
        let program = ebpf.program_mut(NAME).ok_or_else(|| missing(NAME))?;
        let program: &mut Iter = program.try_into().map_err(|error| refused(NAME, &error))?;
        program.load("task_file", &types.0).map_err(|error| refused(NAME, &error))?;
        Ok(TableIterator { ebpf })
    }

    /// The program's descriptor, to link it by.
    ///
    /// # Errors
    /// Never after `new`.
    pub fn program(&self) -> Result<BorrowedFd<'_>, BpfError> {
        const NAME: &str = "read_files";
        let program = self.ebpf.program(NAME).ok_or_else(|| missing(NAME))?;
        let program: &Iter = program.try_into().map_err(|error| refused(NAME, &error))?;
        program.fd().map(AsFd::as_fd).map_err(|error| refused(NAME, &error))
    }
}

fn parsed(btf: &[u8]) -> Result<Btf, BpfError> {
    Btf::parse(btf, Endianness::default()).map_err(|error| BpfError::NoBtf(chain(&error)))
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, BpfError> {
    ebpf.take_map(name).ok_or_else(|| missing(name))
}

pub(crate) fn missing(name: &'static str) -> BpfError {
    BpfError::Load { program: name, cause: "not in the object".to_owned() }
}

pub(crate) fn map<E: std::error::Error>(name: &'static str) -> impl Fn(E) -> BpfError {
    move |error| BpfError::Map { map: name, cause: chain(&error) }
}

pub(crate) fn refused(program: &'static str, error: &dyn std::error::Error) -> BpfError {
    let cause = chain(error);
    // "unknown func bpf_task_pt_regs#175", and where the name is not known either, "invalid func unknown#175".
    if cause.contains(" func ") && (cause.contains("#175") || cause.contains("#158")) {
        let cause = "this kernel is older than 5.15 (it has no bpf_task_pt_regs)".to_owned();
        return BpfError::Load { program, cause };
    }
    if cause.contains("(os error 1)") || cause.contains("(os error 13)") {
        return BpfError::NotPermitted(format!("loading {program}: {cause}"));
    }
    BpfError::Load { program, cause }
}

/// An error with its sources on one line; the verifier's log is cut to its last words.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = source.source();
    }
    let line = text.replace(['\n', '\r'], " ");
    let most = 400;
    match line.char_indices().nth_back(most) {
        Some((at, _)) => format!("…{}", &line[at..]),
        None => line,
    }
}

//! From records to events: one function per record type, driven by the table of calls.

use fdscope_model::event::Slot;
use fdscope_model::handle::O_PATH;
use fdscope_model::interpreter::MOST_INTERPRETER_FRAMES;
use fdscope_model::{
    Acquire, AcquireCause, Body, DeviceId, Event, Fail, FdNumber, FileId, HandleKey, HandleKind,
    InodeId, InterpreterFrame, Monotonic, Name, Pid, Release, ReleaseCause, TableId, Tid, Trace,
    kind,
};
use fdscope_syscall::handles::CALLS;
use fdscope_syscall::ring::{OPERATIONS, RingEffect};
use fdscope_syscall::{Effect, HandleCall, When};
use zerocopy::FromBytes;

use crate::wire::{self, O_CLOEXEC, Origin, Record, WalkedFrame, record_type, trace_kind};

const EBADF: i64 = 9;
const ENFILE: i64 = 23;
const EMFILE: i64 = 24;

/// What came behind a record.
#[derive(Clone, Copy, Default, Debug)]
pub struct Brought<'a> {
    /// Where unwinding starts.
    pub origin: Origin,
    /// The stack's bytes.
    pub bytes: &'a [u8],
    /// The interpreter's frames.
    pub frames: &'a [InterpreterFrame],
}

/// A record and what came behind it; `None` if the bytes are too short to be one. `frames` is where the interpreter's
/// frames are put.
pub fn split<'a>(
    bytes: &'a [u8],
    frames: &'a mut Vec<InterpreterFrame>,
) -> Option<(Record, Brought<'a>)> {
    frames.clear();
    let (record, mut rest) = Record::read_from_prefix(bytes).ok()?;
    let mut origin = Origin::default();
    if matches!(record.trace, trace_kind::COPIED | trace_kind::LAYERED) {
        (origin, rest) = Origin::read_from_prefix(rest).ok()?;
    }
    if matches!(record.trace, trace_kind::LAYERED | trace_kind::LAYERED_KNOWN) {
        let (walked, stack) =
            <[WalkedFrame; MOST_INTERPRETER_FRAMES]>::read_from_prefix(rest).ok()?;
        frames.extend(walked.into_iter().take(record.frames.into()).map(InterpreterFrame::from));
        rest = stack;
    }
    let length = (record.stack_bytes as usize).min(rest.len());
    Some((record, Brought { origin, bytes: &rest[..length], frames }))
}

/// Calls `tell` with each event of a record, in order. `trace` is the stack that goes with it.
pub fn decode<'a>(record: &Record, trace: Trace<'a>, tell: &mut dyn FnMut(Event<'a>)) {
    let mut tell = |body| tell(event(record, body));
    match record.kind {
        record_type::CALL => {
            if let Some(call) = CALLS.get(usize::from(record.call)) {
                decode_call(record, call, trace, &mut tell);
            }
        }
        record_type::RING => decode_ring(record, trace, &mut tell),
        record_type::FORK => decode_fork(record, trace, &mut tell),
        record_type::THREAD => tell(Body::Acquire(Acquire {
            trace,
            ..born(HandleKey::Thread(Tid(record.slots[0].fd as u32)), HandleKind::Thread, "clone")
        })),
        record_type::UNTHREAD => tell(Body::Release(Release {
            key: HandleKey::Thread(Tid(record.tid)),
            cause: ReleaseCause::Exit,
            slot: Slot::NotRead,
            trace: Trace::None,
        })),
        record_type::EXEC => {
            tell(Body::Exec { table: TableId(record.table), comm: comm(record) });
            tell(Body::Reconcile { reason: "execve" });
        }
        record_type::EXIT => tell(Body::Exit { table: TableId(record.table) }),
        record_type::RESCAN => tell(Body::Reconcile { reason: call_name(record) }),
        _ => {}
    }
}

fn event<'a>(record: &Record, body: Body<'a>) -> Event<'a> {
    Event { at: Monotonic(record.at), pid: Pid(record.pid), tid: Tid(record.tid), body }
}

fn call_name(record: &Record) -> &'static str {
    CALLS.get(usize::from(record.call)).map_or("io_uring", |call| call.name)
}

/// The first 16 bytes of the slots of an exec record are the new name.
fn comm(record: &Record) -> Name {
    let [file, inode] = [record.slots[0].file, record.slots[0].inode].map(u64::to_ne_bytes);
    let bytes = [file, inode].concat();
    Name::from(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn decode_call<'a>(
    record: &Record,
    call: &'static HandleCall,
    trace: Trace<'a>,
    tell: &mut dyn FnMut(Body<'a>),
) {
    let errno = record.ret.wrapping_neg();
    if matches!(errno, EBADF | EMFILE | ENFILE) {
        return tell(Body::Fail(Fail {
            call: call.name,
            errno: errno as i32,
            fd: argument_fd(record, call),
            table: TableId(record.table),
            trace,
        }));
    }
    let first = record.args[0] as u32;
    let made = record.ret as u32;
    match call.effect {
        Effect::Close => tell(closed(record, ReleaseCause::Call(call.name), trace)),
        Effect::Returns { when, .. } if !makes_one(when, record) => {}
        Effect::Dup => acquired(record, call.kind, duplicate(call, first), trace, tell),
        Effect::DupOnto { .. } if made == first => {}
        Effect::DupOnto { .. } => {
            acquired(record, call.kind, duplicate(call, first), trace, tell);
        }
        Effect::Fcntl if record.args[1] as u32 == F_SETFD => tell(Body::CloseOnExec {
            key: HandleKey::Descriptor(TableId(record.table), FdNumber(first)),
            on: record.args[2] & 1 != 0,
        }),
        Effect::Fcntl => acquired(record, call.kind, duplicate(call, first), trace, tell),
        Effect::Clone | Effect::Clone3 => {
            acquired(record, HandleKind::PidFd, AcquireCause::Call(call.name), trace, tell);
        }
        Effect::Ioctl => {
            let kind = fdscope_syscall::ioctls::ioctl(record.args[1] as u32).map(|row| row.kind);
            let kind = kind.unwrap_or(HandleKind::UnknownDescriptor);
            acquired(record, kind, AcquireCause::Call(call.name), trace, tell);
        }
        Effect::Unshare => {
            if record.args[0] & fdscope_syscall::outcome::CLONE_FILES != 0 {
                tell(Body::Reconcile { reason: "unshare" });
            }
        }
        Effect::TimerCreate | Effect::TimerDelete => decode_timer(record, call, trace, tell),
        Effect::AddWatch | Effect::RemoveWatch => decode_watch(record, call, trace, tell),
        Effect::Wait | Effect::WaitId => decode_wait(record, call, tell),
        _ => acquired(record, call.kind, AcquireCause::Call(call.name), trace, tell),
    }
}

const F_SETFD: u32 = 2;

fn duplicate(call: &HandleCall, of: u32) -> AcquireCause {
    AcquireCause::Dup(call.name, FdNumber(of))
}

/// Whether this use of the call makes a descriptor, as far as its first three arguments tell. For the rest the slot
/// decides: nothing is acquired where the table holds nothing.
fn makes_one(when: When, record: &Record) -> bool {
    let argument = |index: u8| record.args.get(usize::from(index)).map(|value| *value as u32);
    match when {
        When::Always | When::UnlessAt { .. } => true,
        When::Is(index, value) => argument(index).is_none_or(|found| found == value),
        When::OneOf(index, values) => argument(index).is_none_or(|found| values.contains(&found)),
        When::Flag(index, mask) => argument(index).is_none_or(|found| found & mask != 0),
    }
}

fn argument_fd(record: &Record, call: &HandleCall) -> Option<FdNumber> {
    let takes_none =
        matches!(call.name, "open" | "creat" | "socket" | "socketpair" | "pipe" | "pipe2");
    let first = record.args[0] as u32;
    (!takes_none && first <= i32::MAX as u32).then_some(FdNumber(first))
}

/// An acquire per slot that the table really holds.
fn acquired<'a>(
    record: &Record,
    kind: HandleKind,
    cause: AcquireCause,
    trace: Trace<'a>,
    tell: &mut dyn FnMut(Body<'a>),
) {
    for slot in record.slots.iter().filter(|slot| slot.fd >= 0 && slot.file != 0) {
        let kind = match kind {
            HandleKind::UnknownDescriptor => kind_of(slot),
            known => known,
        };
        tell(Body::Acquire(Acquire {
            key: HandleKey::Descriptor(TableId(record.table), FdNumber(slot.fd as u32)),
            kind,
            file: Some(FileId(slot.file)),
            inode: Some(inode_of(slot)),
            cloexec: Some(slot.flags & O_CLOEXEC != 0),
            cause,
            name: None,
            trace,
        }));
    }
}

/// File systems of the kernel's own whose files are of one kind: the low half of their magic numbers
/// (include/uapi/linux/magic.h).
const INTERNAL: &[(u32, HandleKind)] = &[
    (0x5045, HandleKind::Pipe),
    (0x434b, HandleKind::Socket),
    (0x6673, HandleKind::Namespace),
    (0x4446, HandleKind::PidFd),
    (0x1cd1, HandleKind::Terminal),
    (0x0202, HandleKind::MessageQueue),
    (0x4142, HandleKind::DmaBuf),
    // Anonymous inodes stay unknown until someone reads their link; they look like regular files since Linux 6.17.
    (0x1934, HandleKind::UnknownDescriptor),
];

/// The kind of what a slot holds.
pub fn kind_of(slot: &wire::Slot) -> HandleKind {
    if slot.flags & O_PATH != 0 {
        return HandleKind::Path;
    }
    let internal = INTERNAL.iter().find(|(magic, _)| *magic == slot.mode >> 16);
    internal.map_or_else(|| kind::classify(slot.mode & 0xffff, b""), |&(_, kind)| kind)
}

fn inode_of(slot: &wire::Slot) -> InodeId {
    InodeId { device: DeviceId(slot.device), inode: slot.inode }
}

fn closed<'a>(record: &Record, cause: ReleaseCause, trace: Trace<'a>) -> Body<'a> {
    let slot = record.slots[0];
    Body::Release(Release {
        key: HandleKey::Descriptor(TableId(record.table), FdNumber(slot.fd.max(0) as u32)),
        cause,
        slot: if slot.file == 0 { Slot::Empty } else { Slot::Holds(FileId(slot.file)) },
        trace,
    })
}

fn born<'a>(key: HandleKey, kind: HandleKind, call: &'static str) -> Acquire<'a> {
    Acquire {
        key,
        kind,
        file: None,
        inode: None,
        cloexec: None,
        cause: AcquireCause::Call(call),
        name: None,
        trace: Trace::None,
    }
}

fn decode_ring<'a>(record: &Record, trace: Trace<'a>, tell: &mut dyn FnMut(Body<'a>)) {
    let Some(operation) = OPERATIONS.get(usize::from(record.call)) else { return };
    match operation.effect {
        RingEffect::Close if record.ret == -EBADF => tell(Body::Fail(Fail {
            call: operation.name,
            errno: EBADF as i32,
            fd: u32::try_from(record.slots[0].fd).ok().map(FdNumber),
            table: TableId(record.table),
            trace,
        })),
        RingEffect::Close => tell(closed(record, ReleaseCause::Ring(operation.name), trace)),
        RingEffect::Returns | RingEffect::Install => {
            acquired(record, operation.kind, AcquireCause::Ring(operation.name), trace, tell);
        }
        _ if record.ret >= 0 => tell(Body::Reconcile { reason: operation.name }),
        _ => {}
    }
}

fn decode_fork<'a>(record: &Record, trace: Trace<'a>, tell: &mut dyn FnMut(Body<'a>)) {
    let child = Pid(record.slots[0].fd as u32);
    let key = HandleKey::Child(Pid(record.pid), child);
    tell(Body::Acquire(Acquire { trace, ..born(key, HandleKind::Child, "fork") }));
    let followed = record.args[0] != 0;
    if followed {
        tell(Body::Fork {
            child,
            child_table: TableId(record.slots[0].file),
            parent_table: TableId(record.table),
            trace,
        });
    }
}

fn decode_timer<'a>(
    record: &Record,
    call: &HandleCall,
    trace: Trace<'a>,
    tell: &mut dyn FnMut(Body<'a>),
) {
    let key = HandleKey::Timer(Pid(record.pid), record.args[0] as u32);
    tell(match call.effect {
        Effect::TimerCreate => {
            Body::Acquire(Acquire { trace, ..born(key, HandleKind::Timer, "timer_create") })
        }
        _ => plain_release(key, call.name, trace),
    });
}

fn decode_watch<'a>(
    record: &Record,
    call: &HandleCall,
    trace: Trace<'a>,
    tell: &mut dyn FnMut(Body<'a>),
) {
    let table = TableId(record.table);
    let inotify = FdNumber(record.args[0] as u32);
    tell(match call.effect {
        Effect::AddWatch => {
            let key = HandleKey::Watch(table, inotify, record.ret as u32);
            Body::Acquire(Acquire { trace, ..born(key, HandleKind::Watch, "inotify_add_watch") })
        }
        _ => {
            plain_release(HandleKey::Watch(table, inotify, record.args[1] as u32), call.name, trace)
        }
    });
}

/// A child is gone once it was waited for. With WUNTRACED and the like wait4's status would have to be looked at; the
/// next sample of zombies corrects what is left out here. Of waitid the program tells only children that were reaped.
fn decode_wait<'a>(record: &Record, call: &HandleCall, tell: &mut dyn FnMut(Body<'a>)) {
    const WUNTRACED_WCONTINUED: u64 = 2 | 8;
    let child = match call.effect {
        Effect::Wait if record.args[2] & WUNTRACED_WCONTINUED == 0 => record.ret,
        Effect::WaitId if record.ret == 0 => record.args[1] as i64,
        _ => 0,
    };
    if child > 0 {
        let key = HandleKey::Child(Pid(record.pid), Pid(child as u32));
        tell(plain_release(key, call.name, Trace::None));
    }
}

fn plain_release<'a>(key: HandleKey, call: &'static str, trace: Trace<'a>) -> Body<'a> {
    Body::Release(Release { key, cause: ReleaseCause::Call(call), slot: Slot::NotRead, trace })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every event of a record, without its stack.
    fn events(record: &Record) -> Vec<Event<'static>> {
        let mut events = Vec::new();
        decode(record, Trace::None, &mut |event| events.push(event));
        events
    }

    fn row(name: &str) -> u16 {
        let found = CALLS.iter().position(|call| call.name == name);
        found.expect("a call of the table") as u16
    }

    fn slot(fd: i32, file: u64) -> wire::Slot {
        wire::Slot { fd, file, mode: 0o100_644, ..wire::Slot::default() }
    }

    fn record(name: &str, ret: i64, args: [u64; 3], slots: [wire::Slot; 2]) -> Record {
        let (pid, tid, table) = (7, 8, 9);
        let kind = record_type::CALL;
        Record { kind, call: row(name), ret, args, slots, pid, tid, table, ..Record::default() }
    }

    const NO_SLOT: wire::Slot =
        wire::Slot { file: 0, inode: 0, device: 0, mode: 0, flags: 0, fd: -1 };

    #[test]
    fn an_open_is_an_acquire_of_what_the_table_holds() {
        let events = events(&record("openat", 3, [0; 3], [slot(3, 0xf00), NO_SLOT]));
        let [Event { body: Body::Acquire(acquire), .. }] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(acquire.key, HandleKey::Descriptor(TableId(9), FdNumber(3)));
        assert_eq!(acquire.file, Some(FileId(0xf00)));
        assert_eq!(acquire.kind, HandleKind::File);
    }

    #[test]
    fn an_open_already_closed_again_is_nothing() {
        assert_eq!(events(&record("openat", 3, [0; 3], [slot(3, 0), NO_SLOT])), []);
    }

    #[test]
    fn dup2_onto_itself_is_nothing() {
        assert_eq!(events(&record("dup2", 3, [3, 3, 0], [slot(3, 1), NO_SLOT])), []);
    }

    #[test]
    fn bpf_commands_that_return_no_descriptor_are_nothing() {
        let lookup = 1;
        assert_eq!(events(&record("bpf", 0, [lookup, 0, 0], [slot(0, 1), NO_SLOT])), []);
    }

    #[test]
    fn a_close_says_what_the_number_holds_now() {
        let check = |file, expected| {
            let events = events(&record("close", 0, [3, 0, 0], [slot(3, file), NO_SLOT]));
            let [Event { body: Body::Release(release), .. }] = events.as_slice() else {
                panic!("{events:?}")
            };
            assert_eq!(release.slot, expected);
        };
        check(0, Slot::Empty);
        check(5, Slot::Holds(FileId(5)));
    }

    #[test]
    fn a_close_of_nothing_is_a_failure() {
        let events = events(&record("close", -EBADF, [3, 0, 0], [NO_SLOT, NO_SLOT]));
        let [Event { body: Body::Fail(fail), .. }] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!((fail.call, fail.errno, fail.fd), ("close", 9, Some(FdNumber(3))));
    }

    #[test]
    fn kinds_come_from_the_file_system() {
        let check = |mode, expected| {
            assert_eq!(kind_of(&wire::Slot { mode, ..wire::Slot::default() }), expected);
        };
        check(0x5045 << 16 | 0o010_600, HandleKind::Pipe);
        check(0x6673 << 16 | 0o100_444, HandleKind::Namespace);
        check(0x1934 << 16 | 0o100_600, HandleKind::UnknownDescriptor);
        check(0xef53 << 16 | 0o100_644, HandleKind::File);
        check(0xef53 << 16 | 0o010_644, HandleKind::Fifo);
    }

    /// Records come from the kernel, but a decoder that trusts them would crash on a bug of ours.
    #[test]
    fn any_record_is_decoded_without_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let mut bytes = [0; size_of::<Record>() + 2048];
            for chunk in bytes.chunks_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Half of the words are the edges of their range.
                let word = match state & 7 {
                    0 => 0,
                    1 => u64::MAX,
                    2 => i64::MIN as u64,
                    3 => state & 0xf,
                    _ => state,
                };
                chunk.copy_from_slice(&word.to_ne_bytes()[..chunk.len()]);
            }
            let mut frames = Vec::new();
            let (mut record, _) = split(&bytes, &mut frames).expect("long enough");
            record.kind %= 12;
            record.call %= CALLS.len() as u16 + 4;
            events(&record);
        }
    }
}

//! The serialized form of everything that is not an event: processes, samples, tables, stacks, faults, sights.
//!
//! Enums of the model that have no members are numbers of the tables here, never of their declarations: a kind that is
//! put between two others there changes nothing in a file.

use fdscope_model::process::{GroupCount, Sample};
use fdscope_model::{
    Association, Blind, Fault, Frame, Handle, HandleKind, Limit, LimitName, NamespaceClass,
    Process, ProcessId, Sight, Snapshot, SourceName, Symbol, Symbolized,
};

use crate::bytes::{Get, In, Out, Put, form_enum, form_struct};
use crate::error::Malformed;
use crate::record::{Closing, Net, Opening, Thinned};

/// Kinds, sources, limits and namespaces by their numbers in files. Rows are added at the end only.
macro_rules! table {
    ($name:ident: $($variant:ident)*) => {
        impl Put for $name {
            fn put(&self, out: &mut Out) {
                const ROWS: &[$name] = &[$($name::$variant),*];
                let place = ROWS.iter().position(|row| row == self);
                out.number(place.expect("the compiler checks that every variant has a row") as u64);
            }
        }
        impl Get for $name {
            fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
                const ROWS: &[$name] = &[$($name::$variant),*];
                let place = usize::get(from)?;
                ROWS.get(place).copied().ok_or(Malformed::Unknown(stringify!($name)))
            }
        }
        const _: () = {
            /// Does not compile while a variant lacks a row.
            #[allow(dead_code, reason = "only its compilation matters")]
            fn complete(value: $name) {
                match value {
                    $($name::$variant => {})*
                }
            }
        };
    };
}

table!(HandleKind: File Directory Path CharDevice Terminal BlockDevice Pipe Fifo Socket EventFd TimerFd SignalFd Epoll
    Inotify Fanotify Memfd UserFaultFd PerfEvent Bpf IoUring PidFd MessageQueue Mount Landlock SeccompListener DmaBuf
    Namespace OtherDescriptor UnknownDescriptor Thread UnjoinedThread Child Zombie Mapping Timer Watch Registration);
table!(LimitName: Nofile NrOpen FileMax Nproc ThreadsMax PidMax CgroupPids MaxMapCount Sigpending InotifyWatches
    InotifyInstances EpollWatches Memlock);
table!(SourceName: Bpf Ptrace Poll Recording);
table!(NamespaceClass: Cgroup Ipc Mnt Net Pid Time User Uts);

form_enum! { Association Association, Association {
    0 Fd { 0: fd }
    1 Cwd {}
    2 Root {}
    3 Exe {}
    4 Mapping { 0: address }
    5 Namespace { 0: class }
    6 RingSlot { 0: fd, 1: slot }
    7 InFlight { 0: fd }
} }

form_struct! {
    ProcessId { pid, start_ticks }
    Process { id, parent, comm, cmdline, uid, exe }
    Fault { pid, fd, operation, cause }
    Handle { owner, via, kind, file, inode, mode, flags, offset, name, fault }
    Snapshot { pid, table, begun, ended, handles, faults }
    GroupCount { kind, group, count, fresh }
    Limit { name, value, used }
    Sample { at, pid, groups, limits, descriptors, threads }
    Symbol { function, file, line, inlined }
    Frame { symbol, module, build_id, offset, plumbing }
    Symbolized { frames, at }
    Blind { what, why, cure }
    Sight { source, how, blind }
    Opening { fdscope, machine, command, boot, taken_at_ns, begun }
    Closing { judged, taken_at_ns }
    Thinned { from, to, pairs, samples }
    Net { at, sockstat, sockstat6, losses, limits, page }
}

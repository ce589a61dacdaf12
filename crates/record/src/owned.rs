//! Records that outlive what they were told by: stacks known by number, everything else copied.

use fdscope_model::{Acquire, Body, Event, Fail, Release, Trace};

use crate::record::Record;

/// A record of its own.
pub fn owned(record: &Record<'_>) -> Record<'static> {
    match record {
        Record::Event(event) => {
            let Event { at, pid, tid, ref body } = *event;
            Record::Event(Event { at, pid, tid, body: owned_body(body) })
        }
        Record::Opening(opening) => Record::Opening(opening.clone()),
        Record::Process(process) => Record::Process(process.clone()),
        Record::Sample(sample) => Record::Sample(sample.clone()),
        Record::Learnt(pid, key, kind) => Record::Learnt(*pid, *key, *kind),
        Record::Comparing(pid, at) => Record::Comparing(*pid, *at),
        Record::Compared(snapshot) => Record::Compared(snapshot.clone()),
        Record::Stack(stack, names) => Record::Stack(*stack, names.clone()),
        Record::Descriptor(pid, fd, born, name) => {
            Record::Descriptor(*pid, *fd, *born, name.clone())
        }
        Record::Thread(pid, tid, name) => Record::Thread(*pid, *tid, name.clone()),
        Record::Fault(fault) => Record::Fault(fault.clone()),
        Record::Sight(sight) => Record::Sight(sight.clone()),
        Record::Thinned(thinned) => Record::Thinned(*thinned),
        Record::Full(at) => Record::Full(*at),
        Record::Closing(closing) => Record::Closing(*closing),
        Record::Folded(folded) => Record::Folded(folded.clone()),
        Record::Net(net) => Record::Net(net.clone()),
    }
}

fn owned_body(body: &Body<'_>) -> Body<'static> {
    match body {
        Body::Acquire(acquire) => {
            let Acquire { key, kind, file, inode, cloexec, cause, name, trace } = acquire;
            Body::Acquire(Acquire {
                key: *key,
                kind: *kind,
                file: *file,
                inode: *inode,
                cloexec: *cloexec,
                cause: *cause,
                name: name.clone(),
                trace: owned_trace(trace),
            })
        }
        Body::Release(Release { key, cause, slot, trace }) => Body::Release(Release {
            key: *key,
            cause: *cause,
            slot: *slot,
            trace: owned_trace(trace),
        }),
        Body::Fail(Fail { call, errno, fd, table, trace }) => Body::Fail(Fail {
            call,
            errno: *errno,
            fd: *fd,
            table: *table,
            trace: owned_trace(trace),
        }),
        Body::CloseOnExec { key, on } => Body::CloseOnExec { key: *key, on: *on },
        Body::Fork { child, child_table, parent_table, trace } => Body::Fork {
            child: *child,
            child_table: *child_table,
            parent_table: *parent_table,
            trace: owned_trace(trace),
        },
        Body::Unshare { from, to } => Body::Unshare { from: *from, to: *to },
        Body::Exec { table, comm } => Body::Exec { table: *table, comm: comm.clone() },
        Body::Exit { table } => Body::Exit { table: *table },
        Body::Lost { count } => Body::Lost { count: *count },
        Body::Reconcile { reason } => Body::Reconcile { reason },
    }
}

/// As in the file: stacks that are not known by number are none.
pub(crate) fn owned_trace(trace: &Trace<'_>) -> Trace<'static> {
    match trace {
        Trace::Skipped => Trace::Skipped,
        Trace::Known(stack) => Trace::Known(*stack),
        _ => Trace::None,
    }
}

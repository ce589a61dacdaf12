//! The serialized form of events.

use fdscope_model::event::Slot;
use fdscope_model::{
    Acquire, AcquireCause, Body, Event, Fail, FileId, Folded, HandleKey, HandleKind, InodeId, Name,
    Release, ReleaseCause, Trace,
};

use crate::bytes::{Get, In, Out, Put, form_enum, form_struct};
use crate::error::Malformed;

form_struct! {
    InodeId { device, inode }
    Folded { from, born, to, pid, table, kind, cause, birth, release, death, lived, longest_ns }
}

form_enum! { HandleKey HandleKey, HandleKey {
    0 Descriptor { 0: table, 1: fd }
    1 Thread { 0: tid }
    2 Child { 0: parent, 1: child }
    3 Timer { 0: pid, 1: number }
    4 Watch { 0: table, 1: fd, 2: number }
    5 Registration { 0: table, 1: epoll, 2: fd }
    6 Mapping { 0: pid, 1: address }
} }

form_enum! { AcquireCause AcquireCause, AcquireCause {
    0 Call { 0: call }
    1 Dup { 0: call, 1: fd }
    2 Ring { 0: operation }
    3 Existing {}
    4 Inherited {}
    5 Found {}
} }

form_enum! { ReleaseCause ReleaseCause, ReleaseCause {
    0 Call { 0: call }
    1 DupOver {}
    2 Ring { 0: operation }
    3 Exec {}
    4 Exit {}
    5 Vanished {}
} }

form_enum! { Slot Slot, Slot {
    0 NotRead {}
    1 Empty {}
    2 Holds { 0: file }
} }

form_enum! { Body Body<'_>, Body<'static> {
    0 Acquire { 0: acquire }
    1 Release { 0: release }
    2 Fail { 0: fail }
    3 CloseOnExec { key: key, on: on }
    4 Fork { child: child, child_table: child_table, parent_table: parent_table, trace: trace }
    5 Unshare { from: old, to: new }
    6 Exec { table: table, comm: comm }
    7 Exit { table: table }
    8 Lost { count: count }
    9 Reconcile { reason: reason }
} }

/// Stacks are written once they are known; what else there may be counts as none, as it does for the ledger.
impl Put for Trace<'_> {
    fn put(&self, out: &mut Out) {
        match self {
            Trace::Skipped => out.number(1),
            Trace::Known(id) => out.number(u64::from(id.0) + 2),
            _ => out.number(0),
        }
    }
}

impl Get for Trace<'static> {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        match from.number()? {
            0 => Ok(Trace::None),
            1 => Ok(Trace::Skipped),
            id => {
                let id = u32::try_from(id - 2).map_err(|_| Malformed::Range)?;
                Ok(Trace::Known(fdscope_model::StackId(id)))
            }
        }
    }
}

impl Put for Acquire<'_> {
    fn put(&self, out: &mut Out) {
        let Acquire { key, kind, file, inode, cloexec, cause, name, trace } = self;
        key.put(out);
        kind.put(out);
        file.put(out);
        inode.put(out);
        cloexec.put(out);
        cause.put(out);
        name.put(out);
        trace.put(out);
    }
}

impl Get for Acquire<'static> {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        Ok(Acquire {
            key: HandleKey::get(from)?,
            kind: HandleKind::get(from)?,
            file: Option::<FileId>::get(from)?,
            inode: Option::<InodeId>::get(from)?,
            cloexec: Option::<bool>::get(from)?,
            cause: AcquireCause::get(from)?,
            name: Option::<Name>::get(from)?,
            trace: Trace::get(from)?,
        })
    }
}

impl Put for Release<'_> {
    fn put(&self, out: &mut Out) {
        let Release { key, cause, slot, trace } = self;
        key.put(out);
        cause.put(out);
        slot.put(out);
        trace.put(out);
    }
}

impl Get for Release<'static> {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        Ok(Release {
            key: Get::get(from)?,
            cause: Get::get(from)?,
            slot: Get::get(from)?,
            trace: Get::get(from)?,
        })
    }
}

impl Put for Fail<'_> {
    fn put(&self, out: &mut Out) {
        let Fail { call, errno, fd, table, trace } = self;
        call.put(out);
        errno.put(out);
        fd.put(out);
        table.put(out);
        trace.put(out);
    }
}

impl Get for Fail<'static> {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        Ok(Fail {
            call: Get::get(from)?,
            errno: Get::get(from)?,
            fd: Get::get(from)?,
            table: Get::get(from)?,
            trace: Get::get(from)?,
        })
    }
}

impl Put for Event<'_> {
    fn put(&self, out: &mut Out) {
        let Event { at, pid, tid, body } = self;
        at.put(out);
        pid.put(out);
        tid.put(out);
        body.put(out);
    }
}

impl Get for Event<'static> {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        Ok(Event {
            at: Get::get(from)?,
            pid: Get::get(from)?,
            tid: Get::get(from)?,
            body: Get::get(from)?,
        })
    }
}

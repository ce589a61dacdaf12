//! Threads and processes that begin, run another program, and end.

use fdscope_model::{
    Acquire, AcquireCause, Body, FdNumber, HandleKey, HandleKind, Pid, Release, ReleaseCause,
    TableId, Tid, Trace, event::Slot,
};
use fdscope_sys::ptrace::Status;
use fdscope_sys::ptrace::event_message;
use fdscope_syscall::outcome::{CLONE_FILES, CLONE_THREAD};

use crate::calls::Of;
use crate::look;
use crate::options::Follow;
use crate::source::Ending;
use crate::tasks::{Call, Phase};
use crate::tracer::{Next, Tracer, carry_out};
use crate::witness::Saw;

impl Tracer {
    /// clone, fork or vfork in `parent` made a thread or process, which stops by itself before its first instruction.
    pub fn born(&mut self, parent: Tid) {
        let Ok(child) = event_message(parent).map(|number| Tid(number as u32)) else { return };
        let Some(task) = self.tasks.get(parent) else { return };
        let call = task.call.as_ref().and_then(|call| call.known);
        let flags = call.and_then(|call| call.clone_flags(&Of(parent)));
        // A birth whose call was not seen entering (it was blocked in it when seized) is told by its outcome.
        let flags = flags.unwrap_or_else(|| match look::is_thread_of(child, task.pid) {
            true => CLONE_THREAD | CLONE_FILES,
            false => 0,
        });
        let name = call.map_or("clone", |call| call.call.name);
        let (pid, from) = (task.pid, task.table);
        let table = if flags & CLONE_FILES != 0 { from } else { self.tasks.new_table() };
        if flags & CLONE_THREAD != 0 {
            self.thread_born(parent, child, table, name);
        } else {
            self.process_born(parent, child, table, name);
        }
        self.send(Some(parent));
        if flags & CLONE_THREAD != 0 && table != from {
            self.tell(child, pid, Body::Unshare { from, to: table });
            self.send(None);
        }
        if let Some(stop) = self.early.remove(&child) {
            self.handle(child, Status::Stopped(stop));
        }
    }

    fn thread_born(&mut self, parent: Tid, child: Tid, table: TableId, name: &'static str) {
        let Some(pid) = self.tasks.get(parent).map(|task| task.pid) else { return };
        self.tasks.add(child, pid, table, Phase::Traced);
        self.tell(parent, pid, made(HandleKey::Thread(child), HandleKind::Thread, name));
    }

    fn process_born(&mut self, parent: Tid, child: Tid, table: TableId, name: &'static str) {
        let child_pid = Pid(child.0);
        let Some(task) = self.tasks.get_mut(parent) else { return };
        let (pid, parent_table) = (task.pid, task.table);
        if let Some(call) = &mut task.call {
            call.child = Some(child_pid);
        }
        let key = HandleKey::Child(pid, child_pid);
        self.tell(parent, pid, made(key, HandleKind::Child, name));
        if self.options.follow == Follow::No {
            self.leaving.insert(child);
            return;
        }
        self.tasks.add(child, child_pid, table, Phase::Traced);
        self.copy_mappings(pid, child_pid);
        let body =
            Body::Fork { child: child_pid, child_table: table, parent_table, trace: Trace::None };
        self.tell(parent, pid, body);
    }

    /// exec succeeded in the process whose number is now `tid`'s, whichever of its threads called it.
    pub fn exec(&mut self, tid: Tid) {
        let former = event_message(tid).map_or(tid, |number| Tid(number as u32));
        let pid = Pid(tid.0);
        let Some((caller_pid, table)) = self.tasks.get(former).map(|task| (task.pid, task.table))
        else {
            return;
        };
        if caller_pid != pid || self.leaving.contains(&tid) {
            return;
        }
        let others: Vec<Tid> = self.tasks.process(pid).map_or_else(Vec::new, |process| {
            process.threads.iter().copied().filter(|other| *other != former).collect()
        });
        for other in others {
            self.end_thread(other, ReleaseCause::Exec);
        }
        if former != tid {
            // Add before removing, so that the process and its children stay known.
            self.tasks.add(tid, pid, table, Phase::Traced);
            self.end_thread(former, ReleaseCause::Exec);
        }
        self.mappings.remove(&pid);
        let launching = self.launching == Some(pid);
        let table = self.unshare(tid, !launching);
        if let Some(task) = self.tasks.get_mut(tid) {
            // Its exec has yet to return.
            task.call = Some(Call::default());
        }
        if !launching {
            self.tell(tid, pid, Body::Exec { table, comm: look::comm(tid) });
        }
        self.send(None);
    }

    /// Gives a thread a table of its own if others use its present one; says which it uses now.
    pub fn unshare(&mut self, tid: Tid, tell: bool) -> TableId {
        let Some((pid, from)) = self.tasks.get(tid).map(|task| (task.pid, task.table)) else {
            return TableId::default();
        };
        if self.tasks.users(from) < 2 {
            return from;
        }
        let to = self.tasks.new_table();
        self.tasks.move_to(tid, to);
        if tell {
            self.tell(tid, pid, Body::Unshare { from, to });
        }
        to
    }

    /// A thread is gone, and with the last one its process.
    pub fn died(&mut self, tid: Tid, ending: Ending) {
        self.early.remove(&tid);
        self.leaving.remove(&tid);
        if let Some(how) = self.targets.get_mut(&Pid(tid.0)) {
            *how = Some(ending);
        }
        if self.witness.is_some() {
            self.note(tid, Saw::from(ending));
            self.tasks.remove(tid);
        } else {
            self.end_thread(tid, ReleaseCause::Exit);
            self.send(None);
        }
        self.adopt_orphans(tid);
    }

    fn end_thread(&mut self, tid: Tid, cause: ReleaseCause) {
        let Some(task) = self.tasks.get_mut(tid) else { return };
        let (pid, table) = (task.pid, task.table);
        let call = task.call.take();
        for fd in call.iter().flat_map(|call| &call.ending) {
            self.closing.remove(&(table, *fd));
        }
        let is_last = self.tasks.process(pid).is_some_and(|process| process.threads.len() == 1);
        if tid.0 != pid.0 {
            let key = HandleKey::Thread(tid);
            let body = Release { key, cause, slot: Slot::NotRead, trace: Trace::None };
            self.tell(tid, pid, Body::Release(body));
        }
        // Nothing frees these numbers but the thread's own end: it stood in exit, with a table of its own.
        let closed =
            call.filter(|call| call.known.is_none()).map_or_else(Vec::new, |call| call.ending);
        for fd in closed {
            let key = HandleKey::Descriptor(table, FdNumber(fd));
            let body = Release { key, cause, slot: Slot::NotRead, trace: Trace::None };
            self.tell(tid, pid, Body::Release(body));
        }
        if is_last && cause == ReleaseCause::Exit {
            self.tell(tid, pid, Body::Exit { table });
            self.mappings.remove(&pid);
        }
        self.tasks.remove(tid);
    }

    /// Children that stopped before their parent could report them, when the parent was killed before it did.
    fn adopt_orphans(&mut self, parent: Tid) {
        let orphans: Vec<Tid> = self.early.keys().copied().collect();
        for tid in orphans {
            let group = look::status_number(tid, "Tgid");
            let is_process = group == Some(tid.0);
            if !is_process && group.is_some_and(|group| self.tasks.process(Pid(group)).is_some()) {
                continue;
            }
            let told_parent = look::status_number(tid, "PPid");
            let parent_lives = told_parent
                .is_some_and(|pid| pid != parent.0 && self.tasks.process(Pid(pid)).is_some());
            if !parent_lives && let Some(stop) = self.early.remove(&tid) {
                self.adopt_orphan(tid, is_process, stop);
            }
        }
    }

    fn adopt_orphan(&mut self, tid: Tid, is_process: bool, stop: fdscope_sys::ptrace::Stop) {
        if !is_process || self.options.follow == Follow::No {
            return carry_out(tid, Next::Leave(0));
        }
        let table = self.tasks.new_table();
        self.tasks.add(tid, Pid(tid.0), table, Phase::Traced);
        if self.witness.is_some() {
            self.note(tid, Saw::Attached);
        } else {
            self.tell(tid, Pid(tid.0), Body::Reconcile { reason: "its parent was killed in fork" });
            self.send(None);
        }
        self.handle(tid, Status::Stopped(stop));
    }
}

/// A birth by a system call of something that is not a descriptor.
pub fn made(key: HandleKey, kind: HandleKind, name: &'static str) -> Body<'static> {
    Body::Acquire(Acquire {
        key,
        kind,
        file: None,
        inode: None,
        cloexec: None,
        cause: AcquireCause::Call(name),
        name: None,
        trace: Trace::None,
    })
}

/// A death by a system call.
pub fn ended(key: HandleKey, name: &'static str) -> Body<'static> {
    let cause = ReleaseCause::Call(name);
    Body::Release(Release { key, cause, slot: Slot::NotRead, trace: Trace::None })
}

//! Facts about finished calls, told as events: descriptors made and closed in the kernel's order, and the rest.

use fdscope_model::event::Slot;
use fdscope_model::{
    Acquire, AcquireCause, Body, FdNumber, HandleKey, HandleKind, Pid, Release, ReleaseCause,
    TableId, Tid, Trace,
};
use fdscope_syscall::{Invocation, Outcome};

use crate::births::{ended, made};
use crate::look;
use crate::tracer::Tracer;

/// Which thread an event is about, and the table it uses.
#[derive(Clone, Copy)]
pub struct Actor {
    /// The thread.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// Its table.
    pub table: TableId,
}

impl Actor {
    fn descriptor(self, fd: u32) -> HandleKey {
        HandleKey::Descriptor(self.table, FdNumber(fd))
    }
}

impl Tracer {
    /// Tells one fact. Splits by what it is about: descriptors here, the rest below.
    pub fn came_about(
        &mut self,
        actor: &mut Actor,
        invocation: &Invocation,
        ending: &[u32],
        outcome: Outcome,
    ) {
        let name = invocation.call.name;
        match outcome {
            Outcome::Made { fd, kind, cloexec, of } => {
                let cause = match of {
                    Some(of) => AcquireCause::Dup(name, FdNumber(of)),
                    None => AcquireCause::Call(name),
                };
                self.descriptor_made(*actor, fd, kind, cloexec, cause);
            }
            Outcome::Closed(_) | Outcome::ClosedRange(..) => {
                for &fd in ending {
                    self.descriptor_closed(*actor, fd, ReleaseCause::Call(name));
                }
            }
            Outcome::Replaced(fd) if ending.contains(&fd) => {
                self.released(*actor, fd, ReleaseCause::DupOver);
            }
            Outcome::FlaggedRange(first, last) => {
                for fd in look::open_between(actor.tid, first, last) {
                    let key = actor.descriptor(fd);
                    self.tell(actor.tid, actor.pid, Body::CloseOnExec { key, on: true });
                }
            }
            Outcome::Flagged(fd, on) => {
                let key = actor.descriptor(fd);
                self.tell(actor.tid, actor.pid, Body::CloseOnExec { key, on });
            }
            Outcome::Unshared => actor.table = self.unshare(actor.tid, true),
            _ => self.other_came_about(*actor, name, outcome),
        }
    }

    fn descriptor_made(
        &mut self,
        actor: Actor,
        fd: u32,
        kind: HandleKind,
        cloexec: Option<bool>,
        cause: AcquireCause,
    ) {
        self.tell_close_in_flight(actor, fd);
        let seen = match kind {
            HandleKind::UnknownDescriptor => look::descriptor(actor.tid, fd),
            _ => None,
        };
        let (kind, name) = seen.map_or((kind, None), |seen| (seen.kind, Some(seen.name)));
        let key = actor.descriptor(fd);
        let body = Acquire {
            key,
            kind,
            file: None,
            inode: None,
            cloexec,
            cause,
            name,
            trace: Trace::None,
        };
        self.tell(actor.tid, actor.pid, Body::Acquire(body));
    }

    /// A number just given out, while another thread's close of it has not returned yet: that close has done its work,
    /// so it is told first. Without this the order would be that of the stops, not that of the kernel.
    fn tell_close_in_flight(&mut self, actor: Actor, fd: u32) {
        let Some(closer) = self.closing.remove(&(actor.table, fd)) else { return };
        let Some(task) = self.tasks.get_mut(closer).filter(|_| closer != actor.tid) else { return };
        let Some(call) = &mut task.call else { return };
        call.ending.retain(|ending| *ending != fd);
        let name = call.known.map_or("close", |invocation| invocation.call.name);
        let closer = Actor { tid: closer, pid: task.pid, table: actor.table };
        let before = std::mem::take(&mut self.events);
        self.released(closer, fd, ReleaseCause::Call(name));
        self.send(self.wants_stack().then_some(closer.tid));
        self.events = before;
    }

    fn descriptor_closed(&mut self, actor: Actor, fd: u32, cause: ReleaseCause) {
        self.closing.remove(&(actor.table, fd));
        self.released(actor, fd, cause);
    }

    fn released(&mut self, actor: Actor, fd: u32, cause: ReleaseCause) {
        for epoll in self.registered.remove(&(actor.table, fd)).unwrap_or_default() {
            let key = HandleKey::Registration(actor.table, FdNumber(epoll), FdNumber(fd));
            let body = Release { key, cause, slot: Slot::NotRead, trace: Trace::None };
            self.tell(actor.tid, actor.pid, Body::Release(body));
        }
        let key = actor.descriptor(fd);
        let body = Release { key, cause, slot: Slot::NotRead, trace: Trace::None };
        self.tell(actor.tid, actor.pid, Body::Release(body));
    }

    /// Facts about handles that are not descriptors.
    fn other_came_about(&mut self, actor: Actor, name: &'static str, outcome: Outcome) {
        let Actor { tid, pid, table } = actor;
        let watch = |fd, watch| HandleKey::Watch(table, FdNumber(fd), watch);
        let registration =
            |epoll, fd| HandleKey::Registration(table, FdNumber(epoll), FdNumber(fd));
        let body = match outcome {
            Outcome::TimerMade(id) => made(HandleKey::Timer(pid, id), HandleKind::Timer, name),
            Outcome::TimerEnded(id) => ended(HandleKey::Timer(pid, id), name),
            Outcome::Watched(fd, id) => made(watch(fd, id), HandleKind::Watch, name),
            Outcome::Unwatched(fd, id) => ended(watch(fd, id), name),
            Outcome::Registered(epoll, fd) => {
                self.registered.entry((table, fd)).or_default().push(epoll);
                made(registration(epoll, fd), HandleKind::Registration, name)
            }
            Outcome::Unregistered(epoll, fd) => {
                if let Some(epolls) = self.registered.get_mut(&(table, fd)) {
                    epolls.retain(|with| *with != epoll);
                }
                ended(registration(epoll, fd), name)
            }
            Outcome::Reaped(child) => {
                let process = self.tasks.process_mut(pid);
                let known = process.and_then(|process| process.children.remove(&child));
                ended(HandleKey::Child(pid, known.unwrap_or(Pid(child))), name)
            }
            Outcome::Mapped(start, length) => return self.mapped(tid, pid, start, length, name),
            Outcome::Unmapped(start, length) => {
                return self.unmapped(tid, pid, start, length, name);
            }
            _ => return,
        };
        self.tell(tid, pid, body);
    }
}

//! The queue from the tracer thread to the caller: events, and the stacks they carry in one growing block.
//!
//! The tracer does not wait here: a target must not stand still because the caller is slow. When the block is full,
//! stacks are left out ([`Trace::Skipped`]); when the events are too many as well, they are counted as lost. The one
//! exception is a process about to end, see [`Queue::await_delivery`].
//!
//! The caller is woken when something comes after silence, and then waits a moment for more, so that a busy target
//! costs about a hundred wake-ups a second instead of one per event.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use fdscope_model::{Body, Event, Registers, Trace};
use fdscope_sys::clock::monotonic_now;

/// Bytes of stacks held for a caller who does not poll.
const STACK_LIMIT: usize = 8 << 20;
/// Events held for a caller who does not poll: about 100 MiB.
const EVENT_LIMIT: usize = 1 << 19;
/// How long a process about to end is held for the caller to look at it.
const FAREWELL: Duration = Duration::from_millis(50);
/// How long a woken caller waits for more before it looks.
const LINGER: Duration = Duration::from_millis(10);

/// The stack of an event, as copied at the stop.
#[derive(Clone, Copy)]
pub struct Copied<'a> {
    /// Registers at the system call.
    pub regs: Registers,
    /// True for a 32-bit task.
    pub compat: bool,
    /// Memory from `regs.sp`.
    pub bytes: &'a [u8],
}

/// Where the stack of a queued event is.
#[derive(Clone, Copy)]
enum Kept {
    None,
    Skipped,
    At { regs: Registers, compat: bool, start: usize, end: usize },
}

#[derive(Default)]
struct Batch {
    events: Vec<(Event<'static>, Kept)>,
    stacks: Vec<u8>,
    /// Events left out at the end of this batch, and the first of them.
    lost: u64,
    lost_like: Option<Event<'static>>,
}

#[derive(Default)]
struct State {
    batch: Batch,
    /// The batch delivered last, emptied: its memory is used again, since fresh pages cost as much as a copy.
    spare: Batch,
    closed: bool,
    waiting: bool,
    /// The tracer waits for what is queued to be delivered.
    hurry: bool,
    /// The caller has taken a batch and is still at it.
    delivering: bool,
}

/// The queue. One tracer pushes, one caller delivers.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    delivered: Condvar,
}

impl Queue {
    /// Adds events that share a stack: those of one stop. Their own `trace` fields are ignored.
    pub fn push(&self, events: &mut Vec<Event<'static>>, stack: Option<Copied<'_>>) {
        let mut state = self.lock();
        let kept = stack.map_or(Kept::None, |stack| state.batch.keep(stack));
        for event in events.drain(..) {
            state.batch.add(event, kept);
        }
        self.announce(state);
    }

    /// Waits until all that was pushed is delivered, 50 ms at most.
    ///
    /// The addresses in a process's stacks can be named only by its mappings, and these are gone when it is.
    pub fn await_delivery(&self) {
        let mut state = self.lock();
        if state.batch.events.is_empty() && !state.delivering {
            return;
        }
        state.hurry = true;
        state.waiting = false;
        self.changed.notify_one();
        let busy = |state: &mut State| {
            !state.closed && (state.delivering || !state.batch.events.is_empty())
        };
        let mut state = match self.delivered.wait_timeout_while(state, FAREWELL, busy) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
        state.hurry = false;
    }

    /// Says that nothing will come any more.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.announce(state);
    }

    /// Delivers what there is, waiting at most `timeout` for something; says whether more may come.
    pub fn deliver(&self, timeout: Duration, sink: &mut dyn FnMut(&Event<'_>)) -> bool {
        let mut state = self.await_something(timeout);
        let spare = std::mem::take(&mut state.spare);
        let mut batch = std::mem::replace(&mut state.batch, spare);
        let open = !state.closed;
        state.delivering = true;
        drop(state);
        let mut events = std::mem::take(&mut batch.events);
        for (event, kept) in events.drain(..) {
            sink(&batch.with_stack(event, kept));
        }
        if let Some(event) = batch.lost_like.take() {
            sink(&Event { body: Body::Lost { count: batch.lost }, ..event });
        }
        batch.stacks.clear();
        let mut state = self.lock();
        state.spare = Batch { events, stacks: batch.stacks, ..Batch::default() };
        state.delivering = false;
        self.delivered.notify_all();
        open
    }

    fn await_something(&self, timeout: Duration) -> MutexGuard<'_, State> {
        let begun = monotonic_now();
        let mut state = self.lock();
        if state.batch.events.is_empty() && !state.closed {
            state.waiting = true;
            let idle = |state: &mut State| state.waiting && !state.closed;
            state = self.wait(state, timeout, idle);
            state.waiting = false;
            let passed = Duration::from_nanos(monotonic_now().since_ns(begun));
            let left = timeout.saturating_sub(passed).min(LINGER);
            let idle =
                |state: &mut State| !state.closed && !state.hurry && !state.batch.is_half_full();
            state = self.wait(state, left, idle);
        }
        state
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Duration,
        while_true: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        match self.changed.wait_timeout_while(state, timeout, while_true) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    fn announce(&self, mut state: MutexGuard<'_, State>) {
        if state.waiting || state.closed || state.batch.is_half_full() {
            state.waiting = false;
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Batch {
    fn is_half_full(&self) -> bool {
        self.stacks.len() > STACK_LIMIT / 2 || self.events.len() > EVENT_LIMIT / 2
    }

    fn keep(&mut self, stack: Copied<'_>) -> Kept {
        if self.stacks.len() + stack.bytes.len() > STACK_LIMIT {
            return Kept::Skipped;
        }
        let start = self.stacks.len();
        self.stacks.extend_from_slice(stack.bytes);
        Kept::At { regs: stack.regs, compat: stack.compat, start, end: self.stacks.len() }
    }

    fn add(&mut self, event: Event<'static>, kept: Kept) {
        if self.events.len() < EVENT_LIMIT {
            return self.events.push((event, kept));
        }
        self.lost += 1;
        self.lost_like.get_or_insert(event);
    }

    fn with_stack<'a>(&'a self, event: Event<'a>, kept: Kept) -> Event<'a> {
        let mut event = event;
        let found = match kept {
            Kept::None => Trace::None,
            Kept::Skipped => Trace::Skipped,
            Kept::At { regs, compat, start, end } => {
                Trace::Copied { regs, bytes: &self.stacks[start..end], compat, code_since: None }
            }
        };
        match &mut event.body {
            Body::Acquire(acquire) => acquire.trace = found,
            Body::Release(release) => release.trace = found,
            Body::Fail(fail) => fail.trace = found,
            Body::Fork { trace, .. } => *trace = found,
            _ => {}
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use fdscope_model::{Acquire, AcquireCause, HandleKey, HandleKind, Monotonic, Pid, Tid};

    use super::*;

    fn birth(number: u32) -> Event<'static> {
        let body = Body::Acquire(Acquire {
            key: HandleKey::Timer(Pid(1), number),
            kind: HandleKind::Timer,
            file: None,
            inode: None,
            cloexec: None,
            cause: AcquireCause::Existing,
            name: None,
            trace: Trace::None,
        });
        Event { at: Monotonic(number.into()), pid: Pid(1), tid: Tid(1), body }
    }

    fn stack(bytes: &[u8]) -> Copied<'_> {
        Copied {
            regs: Registers { ip: bytes.len() as u64, ..Registers::default() },
            compat: false,
            bytes,
        }
    }

    /// What is delivered: the length of each event's stack, -1 for skipped, and how many were lost.
    fn delivered(queue: &Queue) -> (Vec<i64>, u64) {
        let (mut lengths, mut lost) = (Vec::new(), 0);
        queue.deliver(Duration::ZERO, &mut |event| match &event.body {
            Body::Acquire(acquire) => lengths.push(match acquire.trace {
                Trace::Copied { regs, bytes, .. } => {
                    assert_eq!(regs.ip, bytes.len() as u64);
                    bytes.len() as i64
                }
                Trace::Skipped => -1,
                _ => 0,
            }),
            Body::Lost { count } => lost += count,
            _ => panic!("only births and losses were pushed"),
        });
        (lengths, lost)
    }

    #[test]
    fn events_come_in_order_each_with_its_stack() {
        let queue = Queue::default();
        for round in 0..3 {
            queue.push(&mut vec![birth(1), birth(2)], Some(stack(&[7; 100])));
            queue.push(&mut vec![birth(3)], None);
            queue.push(&mut vec![birth(4)], Some(stack(&vec![8; 50 + round])));
            assert_eq!(delivered(&queue), (vec![100, 100, 0, 50 + round as i64], 0));
        }
        assert_eq!(delivered(&queue), (vec![], 0));
    }

    #[test]
    fn a_caller_who_does_not_poll_gets_skipped_stacks_then_a_count_of_the_lost() {
        let queue = Queue::default();
        let stacks = STACK_LIMIT / 1024;
        for number in 0..EVENT_LIMIT + 10 {
            queue.push(&mut vec![birth(number as u32)], Some(stack(&[7; 1024])));
        }
        let (lengths, lost) = delivered(&queue);
        assert_eq!((lengths.len(), lost), (EVENT_LIMIT, 10));
        assert_eq!(lengths.iter().filter(|length| **length == 1024).count(), stacks);
        assert!(lengths[stacks..].iter().all(|length| *length == -1));
        queue.push(&mut vec![birth(1)], Some(stack(&[7; 100])));
        assert_eq!(delivered(&queue), (vec![100], 0));
    }

    #[test]
    fn a_waiting_caller_is_woken_and_an_end_is_told() {
        let queue = Queue::default();
        std::thread::scope(|scope| {
            let caller = scope.spawn(|| {
                let mut count = 0;
                while queue.deliver(Duration::from_secs(60), &mut |_| count += 1) {}
                count
            });
            for number in 0..100 {
                queue.push(&mut vec![birth(number)], None);
            }
            queue.close();
            assert_eq!(caller.join().expect("the caller ends"), 100);
        });
    }
}

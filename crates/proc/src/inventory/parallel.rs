//! Many processes at once: read by several threads, handed over in order, never all in memory.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use fdscope_model::Pid;

/// Rows that may wait to be handed over before threads stop reading ahead: some 4 MB.
const MOST_WAITING: usize = 8192;

/// More threads than this get into each other's way in the kernel.
const MOST_THREADS: usize = 8;

/// Calls `work` for each process on several threads, and `sink` with the results, in the order of `pids`, on this one.
///
/// `weight` is the number of rows of a result. While more than [`MOST_WAITING`] wait for their turn, only the process
/// whose turn is next is begun.
pub(super) fn in_order<T: Send, W: FnMut(Pid) -> T + Send>(
    pids: &[Pid],
    make: impl Fn() -> W,
    weight: fn(&T) -> usize,
    sink: &mut dyn FnMut(Pid, T),
) {
    let threads = available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS).min(pids.len());
    if threads <= 1 {
        let mut work = make();
        pids.iter().for_each(|&pid| sink(pid, work(pid)));
        return;
    }
    let desk = Desk { state: Mutex::new(State::new(pids.len())), changed: Condvar::new() };
    std::thread::scope(|scope| {
        let _unwinding = Unwinding(&desk);
        for _ in 0..threads {
            let (mut work, desk) = (make(), &desk);
            scope.spawn(move || {
                let _unwinding = Unwinding(desk);
                while let Some(index) = desk.claim() {
                    let result = work(pids[index]);
                    let weight = weight(&result);
                    desk.put(index, weight, result);
                }
            });
        }
        for &pid in pids {
            match desk.take() {
                Some(result) => sink(pid, result),
                None => return,
            }
        }
    });
}

/// A panic in one thread ends the others, which would wait for it for ever; the scope passes it on.
struct Unwinding<'a, T>(&'a Desk<T>);

impl<T> Drop for Unwinding<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().broken = true;
            self.0.changed.notify_all();
        }
    }
}

/// Where results wait for their turn.
struct Desk<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// How many processes there are.
    count: usize,
    /// The next to be begun.
    next: usize,
    /// The one whose turn it is.
    due: usize,
    waiting: BTreeMap<usize, (usize, T)>,
    weight: usize,
    /// True once a thread broke off.
    broken: bool,
}

impl<T> State<T> {
    fn new(count: usize) -> Self {
        State { count, next: 0, due: 0, waiting: BTreeMap::new(), weight: 0, broken: false }
    }
}

impl<T> Desk<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next process to read; `None` once there is none.
    fn claim(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.broken || state.next >= state.count {
                return None;
            }
            if state.weight <= MOST_WAITING || state.next == state.due {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.wait(state);
        }
    }

    fn put(&self, index: usize, weight: usize, result: T) {
        let mut state = self.lock();
        state.weight += weight;
        state.waiting.insert(index, (weight, result));
        self.changed.notify_all();
    }

    /// The result whose turn it is; `None` if its thread broke off.
    fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            let due = state.due;
            if let Some((weight, result)) = state.waiting.remove(&due) {
                state.due += 1;
                state.weight -= weight;
                self.changed.notify_all();
                return Some(result);
            }
            if state.broken {
                return None;
            }
            state = self.wait(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_each_once() {
        let pids: Vec<Pid> = (0..500).rev().map(Pid).collect();
        let mut seen = Vec::new();
        // Heavy results make threads wait for their turn.
        in_order(&pids, || |pid: Pid| pid.0 as usize * 100, |n| *n, &mut |pid, weight| {
            assert_eq!(weight, pid.0 as usize * 100);
            seen.push(pid);
        });
        assert_eq!(seen, pids);
        in_order(&[], || |_| 0, |n| *n, &mut |_, _: usize| panic!("nothing to hand over"));
    }

    #[test]
    fn a_panic_on_either_side_is_passed_on_and_nobody_waits_for_ever() {
        let pids: Vec<Pid> = (0..64).map(Pid).collect();
        let run = |broken_work: bool| {
            std::panic::catch_unwind(|| {
                let work = || move |pid: Pid| assert!(!broken_work || pid.0 != 20);
                in_order(&pids, work, |()| 10_000, &mut |pid, ()| {
                    assert!(broken_work || pid.0 != 30);
                });
            })
        };
        assert!(run(true).is_err());
        assert!(run(false).is_err());
    }
}

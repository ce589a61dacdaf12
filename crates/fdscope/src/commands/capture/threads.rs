//! [`Threads`]: which thread sent by which socket, as eBPF told when that was another one than before.
//!
//! A sending is told when it is done, and so after its packets; a change of threads says when the other one sent last, and
//! packets of before that are the other one's.

use std::sync::Arc;

use fdscope_bpf::states::Change;
use fdscope_model::SocketState;
use fdscope_model::hash::FastMap;

/// More sockets are not remembered.
const MOST: usize = 1 << 16;

/// A thread that sends.
#[derive(PartialEq, Eq, Debug)]
pub struct Thread {
    /// It is its process's first one.
    pub is_first: bool,
    /// `thread 815 (worker)`.
    pub text: String,
}

/// Who sends by a socket.
struct Sender {
    tid: u32,
    thread: Arc<Thread>,
    since_ns: u64,
    /// Who did before.
    before: Option<Arc<Thread>>,
}

/// The threads by the inodes of the sockets.
#[derive(Default)]
pub struct Threads(FastMap<u64, Sender>);

impl Threads {
    /// Takes notice of what a process did.
    pub fn learn(&mut self, change: &Change) {
        let since_ns = match change.state {
            // It sends, or it connected.
            None | Some(SocketState::Established) => change.since.0,
            // It closes: what goes out now is from it.
            Some(SocketState::FinWait1 | SocketState::LastAck) => change.at.0,
            Some(_) => return,
        };
        if change.inode == 0 {
            return;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let before = self.0.get(&change.inode);
        if before.is_some_and(|before| before.tid == change.tid.0) {
            return;
        }
        let before = before.map(|before| Arc::clone(&before.thread));
        let text = format!("thread {} ({})", change.tid, change.thread);
        let thread = Arc::new(Thread { is_first: change.tid.0 == change.pid.0, text });
        self.0.insert(change.inode, Sender { tid: change.tid.0, thread, since_ns, before });
    }

    /// Who sent by a socket at a moment.
    pub fn of(&self, inode: u64, at_ns: u64) -> Option<Arc<Thread>> {
        let sender = self.0.get(&inode)?;
        if at_ns > sender.since_ns {
            Some(Arc::clone(&sender.thread))
        } else {
            sender.before.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Threads;
    use fdscope_bpf::states::Change;
    use fdscope_model::{Monotonic, Name, Pid, SocketState, Tid};
    use std::net::SocketAddr;

    fn change(tid: u32, since: u64, at: u64, state: Option<SocketState>) -> Change {
        Change {
            at: Monotonic(at),
            since: Monotonic(since),
            inode: 7,
            pid: Pid(1),
            tid: Tid(tid),
            comm: Name::from("p"),
            thread: Name::from("t"),
            fd: None,
            is_udp: false,
            local: SocketAddr::from(([127, 0, 0, 1], 1)),
            peer: None,
            before: None,
            state,
        }
    }

    #[test]
    fn a_packet_is_of_the_thread_that_sent_when_it_went() {
        let mut threads = Threads::default();
        let check = |threads: &Threads, at: u64, expected: Option<&str>| {
            let told = threads.of(7, at);
            assert_eq!(told.as_ref().map(|thread| thread.text.as_str()), expected, "at {at}");
        };
        check(&threads, 5, None);
        threads.learn(&change(1, 0, 10, None));
        check(&threads, 5, Some("thread 1 (t)"));
        assert!(threads.of(7, 5).expect("known").is_first);
        threads.learn(&change(2, 30, 50, None));
        check(&threads, 30, Some("thread 1 (t)"));
        check(&threads, 40, Some("thread 2 (t)"));
        // The end is told before it goes out.
        threads.learn(&change(3, 0, 60, Some(SocketState::FinWait1)));
        check(&threads, 55, Some("thread 2 (t)"));
        check(&threads, 61, Some("thread 3 (t)"));
        threads.learn(&change(4, 0, 70, Some(SocketState::Listen)));
        check(&threads, 80, Some("thread 3 (t)"));
        assert!(threads.of(8, 80).is_none());
    }
}

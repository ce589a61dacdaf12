//! What is wrong with the sockets of a machine: a fold over all of them, a rule each, with evidence and cure.
//!
//! Pure: what the kernel's settings are is told by the caller. A rule that needs a figure nobody read is silent.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fdscope_model::inventory::End;
use fdscope_model::{Address, Name, Pid, Socket, SocketFinding, SocketState, Unheld};

/// A second, ns.
const SECOND: u64 = 1_000_000_000;
/// So many connections of one process in CLOSE_WAIT are a pile.
const CLOSE_WAIT: u64 = 10;
/// So many connections that nobody holds and that still wait for their peers are worth a word.
const ORPHANS: u64 = 100;
/// So many half-open connections at one port are worth a word.
const HALF_OPEN: u64 = 100;
/// So many connection attempts of one process without an answer are worth a word.
const ATTEMPTS: u64 = 10;
/// So many idle connections without keepalive, or with one peer, are worth a word.
const THOUSAND: u64 = 1000;
/// A connection without traffic for so long is idle.
const IDLE_NS: u64 = 600 * SECOND;
/// What was received so long ago and is not read is stuck.
const UNREAD_NS: u64 = 60 * SECOND;
/// What went unanswered so often is stuck.
const UNANSWERED: u32 = 3;
/// Timers of sock_diag: retransmission, keepalive, probes of a closed window.
const RETRANSMISSION: u8 = 1;
const KEEPALIVE: u8 = 2;
const WINDOW_PROBE: u8 = 4;

/// A socket with who has to do with it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The socket.
    pub socket: &'a Socket,
    /// Every descriptor that is it.
    pub owners: &'a [End],
    /// Why there is none.
    pub unheld: Option<Unheld>,
}

/// The kernel's settings that decide what is many; `None` where they could not be read.
#[derive(Clone, Copy, Default, Debug)]
pub struct SocketLimits {
    /// The first and the last port for outgoing connections (`ip_local_port_range`).
    pub ports: Option<(u16, u16)>,
    /// `tcp_max_orphans`.
    pub orphans: Option<u64>,
}

/// Sockets of one process in one plight.
#[derive(Clone, Default, Debug)]
struct Pile {
    count: u64,
    comm: Name,
    descriptors: Vec<u32>,
    peers: BTreeMap<String, u64>,
    bytes: u64,
    oldest_ns: Option<u64>,
}

impl Pile {
    fn add(&mut self, seen: Seen<'_>, end: &End) {
        self.count += 1;
        self.comm = end.comm.clone();
        if self.descriptors.len() < 5 {
            self.descriptors.push(end.fd.0);
        }
        if let Some(Address::Inet(peer)) = seen.socket.peer {
            *self.peers.entry(peer.to_string()).or_default() += 1;
        }
        self.oldest_ns = self.oldest_ns.max(idle_ns(seen.socket));
    }

    fn descriptors(&self) -> String {
        let numbers: Vec<String> = self.descriptors.iter().map(u32::to_string).collect();
        let more = self.count - numbers.len() as u64;
        let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("descriptors {}{tail}", numbers.join(", "))
    }

    fn evidence(&self) -> Vec<String> {
        let mut evidence = vec![self.descriptors()];
        if let Some((peer, count)) = self.peers.iter().max_by_key(|(_, count)| **count) {
            evidence.push(format!("most towards {peer}: {count}"));
        }
        if let Some(oldest) = self.oldest_ns {
            evidence.push(format!("the longest without traffic for {} s", oldest / SECOND));
        }
        evidence
    }
}

/// By process.
type Piles = BTreeMap<Pid, Pile>;

/// What was seen so far.
#[derive(Clone, Default, Debug)]
pub struct SocketTally {
    close_wait: Piles,
    unread: Piles,
    unsent: Piles,
    attempts: Piles,
    no_keepalive: Piles,
    established: BTreeMap<Pid, (Name, u64, BTreeMap<IpAddr, u64>)>,
    full: Vec<SocketFinding>,
    orphans: BTreeMap<&'static str, u64>,
    half_open: BTreeMap<String, u64>,
    time_wait: BTreeMap<(Option<u64>, IpAddr, String), u64>,
    limits: SocketLimits,
}

impl SocketTally {
    /// Nothing seen yet.
    pub fn new(limits: SocketLimits) -> Self {
        SocketTally { limits, ..SocketTally::default() }
    }

    /// Takes a socket into account.
    pub fn note(&mut self, seen: Seen<'_>) {
        let (Some(state), Some(Address::Inet(local))) = (seen.socket.state, &seen.socket.local)
        else {
            return;
        };
        if !seen.socket.protocol.bytes().starts_with(b"TCP") {
            return;
        }
        match (seen.unheld, state) {
            (Some(Unheld::TimeWait), _) => self.note_time_wait(seen.socket),
            (Some(Unheld::HalfOpen), _) => {
                *self.half_open.entry(local.to_string()).or_default() += 1;
            }
            (Some(Unheld::Orphan), state) => *self.orphans.entry(state.word()).or_default() += 1,
            (None, SocketState::Listen) => self.note_listener(seen, &local.to_string()),
            // Several descriptors may be one socket: the first one's process stands for all.
            (None, _) => {
                if let Some(end) = seen.owners.first() {
                    self.note_held(seen, state, end);
                }
            }
            _ => {}
        }
    }

    fn note_time_wait(&mut self, socket: &Socket) {
        let (Some(Address::Inet(local)), Some(Address::Inet(peer))) = (&socket.local, &socket.peer)
        else {
            return;
        };
        let is_outgoing =
            self.limits.ports.is_some_and(|(first, last)| (first..=last).contains(&local.port()));
        if is_outgoing {
            let key = (socket.namespace, local.ip(), peer.to_string());
            *self.time_wait.entry(key).or_default() += 1;
        }
    }

    fn note_listener(&mut self, seen: Seen<'_>, local: &str) {
        let (Some(waiting), Some(most)) = (seen.socket.receive_queue, seen.socket.send_queue)
        else {
            return;
        };
        let Some(end) = seen.owners.first().filter(|_| waiting > 0 && waiting >= most) else {
            return;
        };
        self.full.push(SocketFinding {
            rule: "backlog-full",
            pid: Some(end.pid),
            count: waiting,
            what: format!(
                "{}/{} does not accept: {waiting} connections wait at {local}, whose backlog is {most}",
                end.pid, end.comm
            ),
            evidence: vec![format!("descriptor {} listens", end.fd)],
            cure: "call accept(2) more often, and only then raise the backlog of listen(2) and net.core.somaxconn; \
                   ListenOverflows in --summary counts what was refused"
                .to_owned(),
        });
    }

    fn note_held(&mut self, seen: Seen<'_>, state: SocketState, end: &End) {
        use SocketState::{CloseWait, Established, SynSent};
        let socket = seen.socket;
        let timer = socket.timer;
        let add = |piles: &mut Piles| piles.entry(end.pid).or_default().add(seen, end);
        match state {
            CloseWait => add(&mut self.close_wait),
            SynSent if timer.is_some_and(|timer| timer.retries > 0) => add(&mut self.attempts),
            _ => {}
        }
        if !matches!(state, Established | CloseWait) {
            return;
        }
        let bytes = |queue: Option<u64>| queue.unwrap_or(0);
        let unread_for = socket.last_received_ns.filter(|_| bytes(socket.receive_queue) > 0);
        if unread_for.is_some_and(|ns| ns >= UNREAD_NS) {
            add(&mut self.unread);
            self.unread.entry(end.pid).or_default().bytes += bytes(socket.receive_queue);
        }
        let is_unanswered = timer.is_some_and(|timer| {
            matches!(timer.class, RETRANSMISSION | WINDOW_PROBE) && timer.retries >= UNANSWERED
        });
        if is_unanswered && bytes(socket.send_queue) > 0 {
            add(&mut self.unsent);
            self.unsent.entry(end.pid).or_default().bytes += bytes(socket.send_queue);
        }
        let Some(Address::Inet(peer)) = &socket.peer else { return };
        if state == Established {
            let (comm, count, peers) = self.established.entry(end.pid).or_default();
            *comm = end.comm.clone();
            *count += 1;
            *peers.entry(peer.ip()).or_default() += 1;
            let is_idle = idle_ns(socket).is_some_and(|ns| ns >= IDLE_NS);
            if is_idle && timer.is_none_or(|timer| timer.class != KEEPALIVE) {
                add(&mut self.no_keepalive);
            }
        }
    }

    /// What is wrong: processes first, then what nobody holds.
    pub fn findings(&self) -> Vec<SocketFinding> {
        let mut found = Vec::new();
        for rule in RULES {
            let piles = (rule.piles)(self).iter().filter(|(_, pile)| pile.count >= rule.least);
            found.extend(piles.map(|(pid, pile)| SocketFinding {
                rule: rule.word,
                pid: Some(*pid),
                count: pile.count,
                what: format!("{pid}/{} {}", pile.comm, (rule.what)(pile)),
                evidence: pile.evidence(),
                cure: rule.cure.replace("PID", &pid.to_string()),
            }));
        }
        found.extend(self.full.iter().cloned());
        found.extend(self.established.iter().filter_map(|(pid, row)| one_peer(*pid, row)));
        found.extend(self.time_wait.iter().filter_map(|(key, count)| self.ports(key, *count)));
        found.extend(self.orphaned());
        found.extend(self.half_open.iter().filter_map(|(local, count)| half_open(local, *count)));
        found
    }

    fn ports(&self, key: &(Option<u64>, IpAddr, String), count: u64) -> Option<SocketFinding> {
        let (first, last) = self.limits.ports?;
        let range = u64::from(last.saturating_sub(first)) + 1;
        let (_, local, peer) = key;
        (count * 2 >= range).then(|| SocketFinding {
            rule: "time-wait",
            pid: None,
            count,
            what: format!(
                "{count} of the {range} ports from {local} towards {peer} are in TIME_WAIT: new connections will fail \
                 with EADDRNOTAVAIL when all are"
            ),
            evidence: vec![format!("ip_local_port_range is {first} to {last}")],
            cure: "keep connections and use them again; or let the peer close first, or raise ip_local_port_range"
                .to_owned(),
        })
    }

    fn orphaned(&self) -> Option<SocketFinding> {
        let count: u64 = self.orphans.values().sum();
        let near = self.limits.orphans.is_some_and(|most| most > 0 && count * 2 >= most);
        if count < ORPHANS && !(near && count > 0) {
            return None;
        }
        let states = self.orphans.iter().map(|(state, count)| format!("{count} {state}"));
        let mut evidence = vec![states.collect::<Vec<_>>().join(", ")];
        evidence.extend(self.limits.orphans.map(|most| format!("tcp_max_orphans is {most}")));
        Some(SocketFinding {
            rule: "orphans",
            pid: None,
            count,
            what: format!(
                "{count} connections were closed by their processes and wait for peers that do not close or acknowledge"
            ),
            evidence,
            cure: "look at the peers; tcp_fin_timeout bounds FIN_WAIT2, tcp_orphan_retries what is not acknowledged; \
                   above tcp_max_orphans the kernel resets"
                .to_owned(),
        })
    }
}

/// A rule about the sockets of one process in one plight.
struct Rule {
    word: &'static str,
    least: u64,
    piles: fn(&SocketTally) -> &Piles,
    what: fn(&Pile) -> String,
    cure: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        word: "close-wait",
        least: CLOSE_WAIT,
        piles: |tally| &tally.close_wait,
        what: |pile| {
            format!("holds {} connections in CLOSE_WAIT: the peers closed, it did not", pile.count)
        },
        cure: "close(2) the descriptor when reading gives 0; fdscope leak PID names the lines that opened them",
    },
    Rule {
        word: "unread",
        least: 1,
        piles: |tally| &tally.unread,
        what: |pile| {
            let (count, bytes) = (pile.count, pile.bytes);
            format!("does not read: {bytes} bytes wait in {count} connections for over a minute")
        },
        cure: "see what its threads do instead: fdscope threads PID",
    },
    Rule {
        word: "unsent",
        least: 1,
        piles: |tally| &tally.unsent,
        what: |pile| {
            let (count, bytes) = (pile.count, pile.bytes);
            format!("sends to peers that do not take it: {bytes} bytes in {count} connections")
        },
        cure: "the peer reads too slowly or is gone; TCP_USER_TIMEOUT ends the wait",
    },
    Rule {
        word: "unanswered",
        least: ATTEMPTS,
        piles: |tally| &tally.attempts,
        what: |pile| format!("waits for {} connections that nobody answers", pile.count),
        cure: "a firewall drops or the peer's backlog is full; connect with a time limit, and fewer at once",
    },
    Rule {
        word: "no-keepalive",
        least: THOUSAND,
        piles: |tally| &tally.no_keepalive,
        what: |pile| {
            format!(
                "holds {} connections idle for over ten minutes without keepalive: a peer that vanishes is never noticed",
                pile.count
            )
        },
        cure: "set SO_KEEPALIVE, or a time limit of its own",
    },
];

fn one_peer(pid: Pid, row: &(Name, u64, BTreeMap<IpAddr, u64>)) -> Option<SocketFinding> {
    let (comm, all, peers) = row;
    let (peer, count) = peers.iter().max_by_key(|(_, count)| **count)?;
    (*all >= THOUSAND && count * 10 >= all * 8 && peers.len() > 1).then(|| SocketFinding {
        rule: "one-peer",
        pid: Some(pid),
        count: *count,
        what: format!("{pid}/{comm} has {count} of its {all} connections with {peer}"),
        evidence: vec![format!("{} peers in all", peers.len())],
        cure:
            "a pool without bound there, or a client that never closes: limit connections per peer"
                .to_owned(),
    })
}

fn half_open(local: &str, count: u64) -> Option<SocketFinding> {
    (count >= HALF_OPEN).then(|| SocketFinding {
        rule: "half-open",
        pid: None,
        count,
        what: format!("{count} clients of {local} asked to connect and do not go on"),
        evidence: vec!["they are in SYN_RECV, and no process holds them".to_owned()],
        cure: "a SYN flood, or answers that do not arrive; tcp_syncookies keeps the port reachable"
            .to_owned(),
    })
}

/// Since traffic, either way.
fn idle_ns(socket: &Socket) -> Option<u64> {
    [socket.last_sent_ns, socket.last_received_ns].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::{FdNumber, SocketTimer};

    fn end(fd: u32) -> End {
        End { pid: Pid(7), comm: "app".into(), fd: FdNumber(fd), access: None }
    }

    fn tcp(state: SocketState, peer: &str) -> Socket {
        Socket {
            protocol: "TCP".into(),
            state: Some(state),
            local: Some(Address::Inet("10.0.0.1:40000".parse().expect("address"))),
            peer: peer.parse().ok().map(Address::Inet),
            ..Socket::unknown(0)
        }
    }

    /// The rules that so many such sockets break.
    fn check(count: u32, socket: &Socket, unheld: Option<Unheld>, expected: &[(&str, u64)]) {
        let limits = SocketLimits { ports: Some((40_000, 40_099)), orphans: Some(4096) };
        let mut tally = SocketTally::new(limits);
        for fd in 0..count {
            let owners = [end(fd)];
            let owners = if unheld.is_some() { &[][..] } else { &owners[..] };
            tally.note(Seen { socket, owners, unheld });
        }
        let found = tally.findings();
        let rules: Vec<(&str, u64)> = found.iter().map(|f| (f.rule, f.count)).collect();
        assert_eq!(rules, expected, "{found:?}");
        assert!(found.iter().all(|f| !f.cure.is_empty() && !f.evidence.is_empty()));
    }

    #[test]
    fn connections_that_our_side_never_closed_are_a_pile() {
        let socket = tcp(SocketState::CloseWait, "10.0.0.2:443");
        check(9, &socket, None, &[]);
        check(12, &socket, None, &[("close-wait", 12)]);
        check(12, &socket, Some(Unheld::AcceptQueue(0)), &[]);
    }

    #[test]
    fn ports_in_time_wait_are_counted_by_peer_and_against_the_range() {
        let socket = tcp(SocketState::TimeWait, "10.0.0.2:443");
        check(49, &socket, Some(Unheld::TimeWait), &[]);
        check(50, &socket, Some(Unheld::TimeWait), &[("time-wait", 50)]);
        let served = Socket {
            local: Some(Address::Inet("10.0.0.1:80".parse().expect("address"))),
            ..socket
        };
        check(99, &served, Some(Unheld::TimeWait), &[]);
    }

    #[test]
    fn a_listener_that_does_not_accept_is_full_at_its_backlog() {
        let queue = |waiting, most| Socket {
            receive_queue: Some(waiting),
            send_queue: Some(most),
            ..tcp(SocketState::Listen, "")
        };
        check(1, &queue(0, 0), None, &[]);
        check(1, &queue(4, 5), None, &[]);
        check(1, &queue(6, 5), None, &[("backlog-full", 6)]);
    }

    #[test]
    fn queues_are_stuck_by_time_or_by_attempts() {
        let established = tcp(SocketState::Established, "10.0.0.2:443");
        let unread = |seconds: u64| Socket {
            receive_queue: Some(100),
            last_received_ns: Some(seconds * SECOND),
            ..established.clone()
        };
        check(1, &unread(59), None, &[]);
        check(2, &unread(60), None, &[("unread", 2)]);
        let unsent = |retries| Socket {
            send_queue: Some(100),
            timer: Some(SocketTimer { class: WINDOW_PROBE, remaining_ns: 1, retries }),
            ..established.clone()
        };
        check(1, &unsent(2), None, &[]);
        check(1, &unsent(3), None, &[("unsent", 1)]);
    }

    #[test]
    fn idle_connections_without_keepalive_are_told_by_the_thousand() {
        let idle = Socket {
            last_sent_ns: Some(IDLE_NS),
            last_received_ns: Some(IDLE_NS * 2),
            ..tcp(SocketState::Established, "10.0.0.2:443")
        };
        check(999, &idle, None, &[]);
        check(1000, &idle, None, &[("no-keepalive", 1000)]);
        let timer = Some(SocketTimer { class: KEEPALIVE, remaining_ns: 1, retries: 0 });
        check(1000, &Socket { timer, ..idle }, None, &[]);
    }

    #[test]
    fn what_nobody_holds_is_counted() {
        let orphan = tcp(SocketState::FinWait2, "10.0.0.2:443");
        check(99, &orphan, Some(Unheld::Orphan), &[]);
        check(100, &orphan, Some(Unheld::Orphan), &[("orphans", 100)]);
        let half = tcp(SocketState::SynReceived, "10.0.0.2:443");
        check(100, &half, Some(Unheld::HalfOpen), &[("half-open", 100)]);
        let attempt = Socket {
            timer: Some(SocketTimer { class: RETRANSMISSION, remaining_ns: 1, retries: 1 }),
            ..tcp(SocketState::SynSent, "10.0.0.2:443")
        };
        check(10, &attempt, None, &[("unanswered", 10)]);
    }

    #[test]
    fn one_peer_that_owns_most_is_named() {
        let mut tally = SocketTally::new(SocketLimits::default());
        for fd in 0..1000 {
            let peer = if fd < 850 { "10.0.0.2:443" } else { "10.0.0.3:443" };
            let socket = tcp(SocketState::Established, peer);
            let owners = [end(fd)];
            tally.note(Seen { socket: &socket, owners: &owners, unheld: None });
        }
        let found = tally.findings();
        assert_eq!((found[0].rule, found[0].count), ("one-peer", 850));
    }
}

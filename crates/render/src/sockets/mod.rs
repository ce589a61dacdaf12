//! Sockets as rows: the table of columns of `fdscope sockets`.

mod age;
mod names;
mod owners;
pub mod tree;

pub use age::{By, Made};
pub use names::Names;

use std::net::SocketAddr;
use std::rc::Rc;

use fdscope_model::inventory::End;
use fdscope_model::{
    Address, Keeper, Name, Socket, SocketClass, SocketDetail, SocketMemory, SocketState, Unheld,
};

use crate::column::{Class, Column, Columns, Needs, Value, Vocabulary};
use crate::handles::json::timer_word;
use crate::handles::vocabulary::{CLASS, FAMILY, STATE, class_word, family_word};
use crate::handles::words;

/// What has to be asked of each socket beyond its ends: memory, times, retransmissions.
pub const DETAIL: Needs = Needs(1);

/// Who holds sockets, or why nobody does: a look at every descriptor of every process.
pub const OWNERS: Needs = Needs(2);

/// Who holds the other ends: every connection has to be found by its ends.
pub const PEERS: Needs = Needs(4);

/// Names of hosts and services, which may mean to wait for a name server.
pub const NAMES: Needs = Needs(8);

/// Paths of cgroups.
pub const CGROUPS: Needs = Needs(16);

/// How long a watch has seen each socket.
pub const AGES: Needs = Needs(32);

/// A socket, with who holds it.
#[derive(Clone, PartialEq, Debug)]
pub struct SocketRow {
    /// The socket.
    pub socket: Socket,
    /// Every descriptor that is it.
    pub owners: Vec<End>,
    /// Why there is none.
    pub unheld: Option<Unheld>,
    /// Who listens, whose ring or mapping it is, or where it may wait to be received.
    pub keepers: Vec<Keeper>,
    /// The names of hosts and services that were asked for.
    pub names: Option<Rc<Names>>,
    /// The path of the cgroup that made it.
    pub cgroup: Option<Rc<Name>>,
    /// What a trace knows of its birth.
    pub made: Option<Made>,
    /// How long ago a watch or a recording saw it first.
    pub seen_ns: Option<u64>,
}

impl SocketRow {
    /// A socket of which nothing else is known.
    pub fn of(socket: Socket) -> Self {
        SocketRow {
            socket,
            owners: Vec::new(),
            unheld: None,
            keepers: Vec::new(),
            names: None,
            cgroup: None,
            made: None,
            seen_ns: None,
        }
    }
}

type Row = SocketRow;

/// The columns of sockets.
pub const SOCKETS: Columns<Row> = Columns { all: &ALL, absent: &[] };

/// The columns that are shown unless others are chosen.
pub fn initial() -> Vec<&'static Column<Row>> {
    const NAMES: [&str; 7] = ["protocol", "state", "recv-q", "send-q", "local", "peer", "owner"];
    NAMES.iter().filter_map(|name| SOCKETS.get(name)).collect()
}

/// Why sockets are held by nobody, in words.
static UNHELD: Vocabulary = Vocabulary {
    all: || WHY.iter().map(|why| why.word()).collect(),
    find: |text| WHY.iter().map(|why| why.word()).find(|word| word.eq_ignore_ascii_case(text)),
};

const WHY: [Unheld; 9] = [
    Unheld::TimeWait,
    Unheld::HalfOpen,
    Unheld::AcceptQueue(0),
    Unheld::Orphan,
    Unheld::Kernel,
    Unheld::Ring,
    Unheld::Mapped,
    Unheld::InFlight,
    Unheld::NotSeen,
];

static ALL: [Column<Row>; 44] = [
    Column::new(
        "protocol",
        "PROTO",
        Class::Text,
        "the kernel's name: TCP, UDPv6 …",
        |row: &Row| Value::text(row.socket.protocol.bytes()),
    )
    .aliases(&["proto", "netid"]),
    Column::new("state", "STATE", Class::Word(&STATE), "its state", |row: &Row| {
        Value::known(row.socket.state, |state| Value::Word(state.word()))
    }),
    Column::new(
        "recv-q",
        "RECV-Q",
        Class::Size,
        "bytes not read; of a listener, connections not accepted",
        |row: &Row| Value::known(row.socket.receive_queue, Value::Size),
    )
    .key("receive_queue"),
    Column::new(
        "send-q",
        "SEND-Q",
        Class::Size,
        "bytes not acknowledged; of a listener, its backlog",
        |row: &Row| Value::known(row.socket.send_queue, Value::Size),
    )
    .key("send_queue"),
    Column::new("local", "LOCAL", Class::Address, "its own address", |row: &Row| {
        address(row.socket.local.as_ref())
    }),
    Column::new("peer", "PEER", Class::Address, "the other side's address", |row: &Row| {
        address(row.socket.peer.as_ref())
    })
    .aliases(&["remote"]),
    Column::new(
        "local-name",
        "LOCAL",
        Class::Text,
        "its own address and port by their names",
        |row: &Row| named(row, row.socket.local.as_ref()),
    )
    .key("local_name")
    .needs(NAMES),
    Column::new(
        "peer-name",
        "PEER",
        Class::Text,
        "the other side's, by their names",
        |row: &Row| named(row, row.socket.peer.as_ref()),
    )
    .aliases(&["remote-name"])
    .key("peer_name")
    .needs(NAMES),
    Column::new(
        "owner",
        "OWNER",
        Class::Text,
        "pid/name and descriptor of all who hold it",
        |row: &Row| owners::owner(row),
    )
    .key("owners")
    .needs(OWNERS)
    .json(owners::json),
    Column::new("pid", "PID", Class::Number, "processes that hold it", |row: &Row| {
        Value::List(row.owners.iter().map(|end| Value::Number(end.pid.0.into())).collect())
    })
    .key("pids")
    .needs(OWNERS),
    Column::new("comm", "COMMAND", Class::Text, "their names", |row: &Row| {
        Value::List(row.owners.iter().map(|end| Value::text(end.comm.bytes())).collect())
    })
    .aliases(&["command"])
    .key("comms")
    .needs(OWNERS),
    Column::new("fd", "FD", Class::Number, "their descriptors", |row: &Row| {
        Value::List(row.owners.iter().map(|end| Value::Number(end.fd.0.into())).collect())
    })
    .key("fds")
    .needs(OWNERS),
    Column::new(
        "unheld",
        "UNHELD",
        Class::Word(&UNHELD),
        "why no process holds it",
        |row: &Row| Value::known(row.unheld, |why| Value::Word(why.word())),
    )
    .needs(OWNERS),
    Column::new(
        "keeper",
        "KEEPER",
        Class::Text,
        "who has to accept or receive it, or keeps it without descriptor",
        |row: &Row| Value::phrase(owners::keepers(&row.keepers)),
    )
    .key("keepers")
    .needs(OWNERS)
    .json(owners::keepers_json),
    Column::new("port", "PORT", Class::Number, "either end's port", ports).key("ports"),
    Column::new("family", "FAMILY", Class::Word(&FAMILY), "address family", |row: &Row| {
        Value::Word(family_word(row.socket.family))
    }),
    Column::new("type", "TYPE", Class::Word(&CLASS), "stream, datagram …", |row: &Row| {
        Value::known(class_word(row.socket.class), Value::Word)
    }),
    Column::new(
        "inode",
        "INODE",
        Class::Number,
        "as in socket:[N]; 0 without descriptor",
        |row: &Row| Value::Number(row.socket.inode),
    ),
    Column::new("cookie", "COOKIE", Class::Number, "the kernel's own number of it", |row: &Row| {
        Value::known(row.socket.cookie, Value::Number)
    }),
    Column::new("netns", "NETNS", Class::Number, "network namespace", |row: &Row| {
        Value::known(row.socket.namespace, Value::Number)
    }),
    Column::new("uid", "UID", Class::Number, "user who made it", |row: &Row| {
        Value::known(row.socket.uid, |uid| Value::Number(uid.into()))
    }),
    Column::new("timer", "TIMER", Class::Text, "running timer, time left, retries", timer),
    Column::new(
        "keepalive",
        "KEEPALIVE",
        Class::Flag,
        "whether silent peers are probed; not known while another timer runs",
        keepalive,
    ),
    Column::new(
        "retries",
        "RETRIES",
        Class::Number,
        "how often its timer fired without an answer",
        |row: &Row| Value::known(row.socket.timer, |timer| Value::Number(timer.retries.into())),
    ),
    Column::new("peer-owner", "PEER-OWNER", Class::Text, "who holds the other end", |row: &Row| {
        Value::phrase(owners::ends(&row.socket.ends))
    })
    .key("peer_owners")
    .needs(OWNERS.and(PEERS))
    .json(owners::peers_json),
    Column::new("idle", "IDLE", Class::Duration, "since data was sent or received", |row: &Row| {
        let times = [row.socket.last_sent_ns, row.socket.last_received_ns];
        Value::known(times.into_iter().flatten().min(), Value::Duration)
    })
    .key("idle_ns")
    .needs(DETAIL),
    Column::new("sent", "LAST-SENT", Class::Duration, "since data was last sent", |row: &Row| {
        Value::known(row.socket.last_sent_ns, Value::Duration)
    })
    .key("last_sent_ns")
    .needs(DETAIL),
    Column::new(
        "received",
        "LAST-RECEIVED",
        Class::Duration,
        "since data came last",
        |row: &Row| Value::known(row.socket.last_received_ns, Value::Duration),
    )
    .key("last_received_ns")
    .needs(DETAIL),
    Column::new("retransmits", "RETRANS", Class::Number, "segments sent again", |row: &Row| {
        of_detail(row, |detail| detail.retransmits.map(u64::from), Value::Number)
    })
    .needs(DETAIL),
    Column::new("rtt", "RTT", Class::Duration, "smoothed round-trip time", |row: &Row| {
        of_detail(row, |detail| detail.round_trip_ns, Value::Duration)
    })
    .key("rtt_ns")
    .needs(DETAIL),
    Column::new("memory", "MEMORY", Class::Size, "taken by buffers, both ways", |row: &Row| {
        of_detail(row, |detail| detail.memory.map(taken), Value::Size)
    })
    .key("memory_bytes")
    .needs(DETAIL),
    Column::new(
        "receive-buffer",
        "RCVBUF",
        Class::Size,
        "room for what was received: SO_RCVBUF",
        |row: &Row| {
            of_detail(row, |detail| detail.memory.map(|m| m.receive_limit.into()), Value::Size)
        },
    )
    .key("receive_buffer_bytes")
    .needs(DETAIL),
    Column::new(
        "send-buffer",
        "SNDBUF",
        Class::Size,
        "room for what is to be sent: SO_SNDBUF",
        |row: &Row| {
            of_detail(row, |detail| detail.memory.map(|m| m.send_limit.into()), Value::Size)
        },
    )
    .key("send_buffer_bytes")
    .needs(DETAIL),
    Column::new(
        "bytes-in",
        "BYTES-IN",
        Class::Size,
        "received since the connection began",
        |row: &Row| of_detail(row, |detail| detail.received, Value::Size),
    )
    .key("received_bytes")
    .needs(DETAIL),
    Column::new(
        "bytes-out",
        "BYTES-OUT",
        Class::Size,
        "sent, and acknowledged by the peer",
        |row: &Row| of_detail(row, |detail| detail.acknowledged, Value::Size),
    )
    .key("acknowledged_bytes")
    .needs(DETAIL),
    Column::new(
        "drops",
        "DROPS",
        Class::Number,
        "packets dropped for want of room",
        |row: &Row| of_detail(row, |detail| detail.memory.map(|m| m.drops.into()), Value::Number),
    )
    .needs(DETAIL),
    Column::new(
        "cgroup",
        "CGROUP",
        Class::Number,
        "inode of the cgroup that made it",
        |row: &Row| of_detail(row, |detail| detail.cgroup, Value::Number),
    )
    .needs(DETAIL),
    Column::new(
        "cgroup-path",
        "CGROUP-PATH",
        Class::Text,
        "that cgroup's path in the hierarchy of version 2",
        |row: &Row| row.cgroup.as_ref().map_or(Value::Missing, |path| Value::text(path.bytes())),
    )
    .key("cgroup_path")
    .needs(DETAIL.and(CGROUPS)),
    Column::new(
        "container",
        "CONTAINER",
        Class::Text,
        "the container that this path names, as container engines shorten it",
        |row: &Row| row.cgroup.as_ref().map_or(Value::Missing, |path| container(path.bytes())),
    )
    .needs(DETAIL.and(CGROUPS)),
    Column::new(
        "shutdown",
        "SHUTDOWN",
        Class::Text,
        "directions that were shut down",
        |row: &Row| {
            let detail = row.socket.detail.as_ref();
            match detail.and_then(|detail| detail.shutdown) {
                Some(1) => Value::Word("receiving"),
                Some(2) => Value::Word("sending"),
                Some(3) => Value::Word("both"),
                _ => Value::Missing,
            }
        },
    ),
    Column::new(
        "age",
        "AGE",
        Class::Duration,
        "since it was made; with \u{2265}, at least so long: age-by says who knows",
        age::age,
    )
    .key("age_ns")
    .needs(DETAIL.and(AGES))
    .show(age::show_age),
    Column::new(
        "age-by",
        "AGE-BY",
        Class::Word(&age::BY),
        "birth: seen by a recording; watch, traffic: it was there then, and may be older",
        age::by,
    )
    .key("age_by")
    .needs(DETAIL.and(AGES)),
    Column::new("site", "MADE BY", Class::Text, "the code that made it (recordings)", age::made_by),
    Column::new(
        "stack",
        "STACK",
        Class::Text,
        "the functions that led there, the innermost first (recordings)",
        age::stack,
    )
    .json(age::stack_frames),
];

fn of_detail(
    row: &Row,
    get: fn(&SocketDetail) -> Option<u64>,
    make: fn(u64) -> Value<'static>,
) -> Value<'_> {
    Value::known(row.socket.detail.as_deref().and_then(get), make)
}

fn taken(memory: SocketMemory) -> u64 {
    u64::from(memory.receive) + u64::from(memory.send) + u64::from(memory.queued)
}

fn address(address: Option<&Address>) -> Value<'_> {
    match address {
        None => Value::Missing,
        Some(Address::Inet(address)) => Value::Address(*address),
        Some(Address::Unix(name)) if !name.bytes().starts_with(&[0]) => Value::text(name.bytes()),
        Some(other) => Value::Phrase(words::address(other)),
    }
}

fn ports(row: &Row) -> Value<'_> {
    let port = |address: &Option<Address>| match address {
        Some(Address::Inet(address)) => Some(Value::Number(SocketAddr::port(address).into())),
        _ => None,
    };
    Value::List([port(&row.socket.local), port(&row.socket.peer)].into_iter().flatten().collect())
}

fn timer(row: &Row) -> Value<'_> {
    Value::known(row.socket.timer, |timer| {
        let left = crate::units::duration_ns(timer.remaining_ns);
        let retries = match timer.retries {
            0 => String::new(),
            retries => format!(", {retries} unanswered"),
        };
        Value::Phrase(format!("{} in {left}{retries}", timer_word(timer.class)))
    })
}

/// An Internet address by its names, where they were asked for and are known; any other as it is.
fn named<'a>(row: &'a Row, end: Option<&'a Address>) -> Value<'a> {
    match (end, &row.names) {
        (Some(Address::Inet(end)), Some(names)) => {
            let is_udp = row.socket.class == SocketClass::Datagram;
            Value::Text(names.text(*end, is_udp).into_bytes().into())
        }
        (end, _) => address(end),
    }
}

/// A keepalive timer tells that it is on, none at all that it is off.
fn keepalive(row: &Row) -> Value<'_> {
    const KEEPALIVE: u8 = 2;
    let is_tcp = row.socket.protocol.bytes().starts_with(b"TCP");
    match (row.socket.state, row.socket.timer.map(|timer| timer.class)) {
        (_, Some(KEEPALIVE)) => Value::Flag(true),
        (Some(SocketState::Established | SocketState::CloseWait), None) if is_tcp => {
            Value::Flag(false)
        }
        _ => Value::Missing,
    }
}

/// Container engines name a cgroup after the 64 hexadecimal digits of a container, and show twelve of them.
fn container(path: &[u8]) -> Value<'_> {
    let mut parts = path.split(|byte| !byte.is_ascii_hexdigit());
    let last = parts.rfind(|part| part.len() == 64);
    last.and_then(|id| id.get(..12)).map_or(Value::Missing, Value::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_found_in_its_path() {
        let id = "0123456789abcdef".repeat(4);
        for path in [
            format!("/system.slice/docker-{id}.scope"),
            format!("/kubepods/burstable/pod1/{id}"),
            format!("/machine.slice/libpod-{id}.scope/container"),
        ] {
            assert_eq!(container(path.as_bytes()), Value::text(b"0123456789ab"), "{path}");
        }
        assert_eq!(container(b"/user.slice/user-0.slice"), Value::Missing);
    }
}

//! The columns of handles: the one table behind `-o`, filters, `--sort`, `--group-by`, JSON and `--list-columns`.

use fdscope_model::socket::Address;
use fdscope_model::{Association, DeviceId, Facts, Socket};

use super::row::HandleRow;
use super::vocabulary::{
    ACCESS, CLASS, FAMILY, KIND, STATE, VIA, access_word, class_word, family_word, via_word,
};
use super::{json, masks, needs, words};
use crate::charset::Charset;
use crate::column::{Class, Column, Columns, Needs, Value};

type Row = HandleRow;

/// The columns of handles.
pub const HANDLES: Columns<Row> = Columns {
    all: &ALL,
    absent: &[
        ("stack", "fdscope leak PID shows the stacks that opened them; of a recording, site"),
        ("tid", "descriptors belong to the process, whichever thread opened them"),
    ],
};

/// The columns that are shown unless others are chosen.
pub fn initial() -> Vec<&'static Column<Row>> {
    const NAMES: [&str; 6] = ["pid", "comm", "user", "fd", "kind", "what"];
    NAMES.iter().filter_map(|name| HANDLES.get(name)).collect()
}

/// The columns of `--json` unless others are chosen: all but those that repeat others in words, and those that need
/// the links of every process of the machine.
pub fn in_json() -> Vec<&'static Column<Row>> {
    let in_words = ["what", "pattern"];
    let cheap = |column: &&'static Column<Row>| {
        !column.needs.has(needs::ENDS) && !column.needs.has(needs::BIRTH)
    };
    HANDLES.all.iter().filter(cheap).filter(|column| !in_words.contains(&column.name)).collect()
}

const STATUS: Needs = needs::STATUS;
const SOCKETS: Needs = needs::SOCKETS;
/// Facts of every kind, and of sockets.
const TOLD: Needs = needs::FACTS.and(needs::SOCKETS);

static ALL: [Column<Row>; 55] = [
    // The process.
    Column::new("pid", "PID", Class::Number, "process", |row: &Row| {
        Value::Number(row.holder.process.id.pid.0.into())
    }),
    Column::new(
        "comm",
        "COMMAND",
        Class::Text,
        "the process's name, at most 15 bytes",
        |row: &Row| Value::text(row.holder.process.comm.bytes()),
    )
    .aliases(&["command"]),
    Column::new("user", "USER", Class::Text, "its effective user's name, else the number", user)
        .needs(needs::USER)
        .drop(2),
    Column::new("uid", "UID", Class::Number, "its effective user's number", |row: &Row| {
        Value::Number(row.holder.process.uid.into())
    }),
    Column::new("parent", "PARENT", Class::Number, "its parent process", |row: &Row| {
        Value::Number(row.holder.process.parent.0.into())
    })
    .aliases(&["ppid"]),
    Column::new("group", "GROUP", Class::Number, "its process group", |row: &Row| {
        Value::Number(row.holder.group.0.into())
    })
    .aliases(&["pgid", "pgrp"]),
    Column::new("exe", "EXE", Class::Text, "path of its executable", |row: &Row| {
        Value::text(row.holder.process.exe.bytes())
    })
    .needs(needs::COMMAND),
    Column::new("cmdline", "CMDLINE", Class::Text, "its command line", cmdline)
        .aliases(&["args"])
        .json(json::cmdline)
        .needs(needs::COMMAND),
    // How it holds the handle.
    Column::new(
        "fd",
        "FD",
        Class::Number,
        "descriptor, with r, w or u for what it may do",
        |row: &Row| Value::known(descriptor(row), Value::Number),
    )
    .needs(needs::ACCESS)
    .show(show_fd),
    Column::new(
        "via",
        "VIA",
        Class::Word(&VIA),
        "how it is held: by a descriptor, as cwd …",
        |row: &Row| Value::Word(via_word(row.entry.handle.via)),
    ),
    Column::new(
        "holder-fd",
        "BY-FD",
        Class::Number,
        "the ring or socket that holds it",
        |row: &Row| Value::known(holding(row), Value::Number),
    )
    .key("holder_fd"),
    Column::new("slot", "SLOT", Class::Number, "slot in the table of an io_uring", |row: &Row| {
        match row.entry.handle.via {
            Association::RingSlot(_, slot) => Value::Number(slot.into()),
            _ => Value::Missing,
        }
    }),
    Column::new("address", "ADDRESS", Class::Text, "where it is mapped", |row: &Row| {
        match row.entry.handle.via {
            Association::Mapping(start) => Value::Phrase(format!("{start:#x}")),
            _ => Value::Missing,
        }
    }),
    Column::new(
        "access",
        "ACCESS",
        Class::Word(&ACCESS),
        "what may be done through it",
        |row: &Row| Value::known(row.entry.access, |access| Value::Word(access_word(access))),
    )
    .needs(needs::ACCESS),
    Column::new("flags", "FLAGS", Class::Text, "open(2)'s flags in words", |row: &Row| {
        Value::known(row.entry.handle.flags, |flags| Value::Phrase(masks::open_flags(flags)))
    })
    .needs(needs::FDINFO),
    Column::new("cloexec", "CLOEXEC", Class::Flag, "closed by exec", |row: &Row| {
        Value::known(row.entry.handle.flags, |flags| Value::Flag(masks::is_cloexec(flags)))
    })
    .needs(needs::FDINFO),
    Column::new("offset", "OFFSET", Class::Size, "position in the file", |row: &Row| {
        Value::known(row.entry.handle.offset, Value::Size)
    })
    .aliases(&["pos"])
    .key("offset_bytes")
    .needs(needs::FDINFO),
    // What it is.
    Column::new(
        "kind",
        "KIND",
        Class::Word(&KIND),
        "what it is: file, socket, pipe …",
        |row: &Row| Value::Word(row.entry.handle.kind.word()),
    )
    .aliases(&["type"])
    .needs(needs::KINDS),
    Column::new(
        "name",
        "NAME",
        Class::Text,
        "the kernel's text: a path, socket:[N] …",
        |row: &Row| Value::text(row.entry.handle.name.bytes()),
    )
    .aliases(&["path"]),
    Column::new("pattern", "PATTERN", Class::Text, "the name with numbers as *", |row: &Row| {
        Value::known(row.pattern.as_ref(), |name| Value::text(name.bytes()))
    })
    .needs(needs::PATTERN),
    Column::new("what", "WHAT", Class::Text, "the name, and what its kind tells", |row: &Row| {
        Value::phrase(words::what(&row.entry))
    })
    .needs(TOLD)
    .show(show_what),
    Column::new(
        "facts",
        "FACTS",
        Class::Text,
        "what only its kind tells, in words",
        |row: &Row| Value::phrase(words::facts(&row.entry)),
    )
    .json(json::facts)
    .needs(TOLD),
    Column::new("deleted", "DELETED", Class::Flag, "the file has no name any more", |row: &Row| {
        Value::Flag(row.entry.is_deleted())
    })
    .needs(STATUS),
    Column::new("fault", "FAULT", Class::Text, "why it could not be read", |row: &Row| {
        Value::known(row.entry.handle.fault.as_ref(), |fault| {
            Value::Phrase(Charset::Utf8.sentence(&format!("{}: {}", fault.operation, fault.cause)))
        })
    }),
    // The file.
    Column::new("size", "SIZE", Class::Size, "size of the file", |row: &Row| {
        Value::known(row.entry.status.as_ref(), |status| Value::Size(status.size))
    })
    .key("size_bytes")
    .needs(STATUS),
    Column::new("allocated", "ALLOCATED", Class::Size, "what it takes on disk", |row: &Row| {
        Value::known(row.entry.status.as_ref(), |status| Value::Size(status.allocated))
    })
    .key("allocated_bytes")
    .needs(STATUS),
    Column::new("links", "LINKS", Class::Number, "names of the file", |row: &Row| {
        Value::known(row.entry.status.as_ref(), |status| Value::Number(status.links))
    })
    .aliases(&["nlink"])
    .needs(STATUS),
    Column::new(
        "mode",
        "MODE",
        Class::Text,
        "type and permissions, as ls -l has them",
        |row: &Row| {
            let mode =
                row.entry.status.as_ref().map(|status| status.mode).or(row.entry.handle.mode);
            Value::known(mode, |mode| Value::Phrase(words::mode(mode)))
        },
    )
    .needs(STATUS),
    Column::new("owner", "OWNER", Class::Number, "user number of the file's owner", |row: &Row| {
        Value::known(row.entry.status.as_ref(), |status| Value::Number(status.uid.into()))
    })
    .needs(STATUS),
    Column::new("inode", "INODE", Class::Number, "inode", |row: &Row| {
        Value::known(inode(row), |(_, inode)| Value::Number(inode))
    })
    .aliases(&["ino", "node"])
    .needs(STATUS),
    Column::new(
        "device",
        "DEVICE",
        Class::Text,
        "device of the file system, major:minor",
        |row: &Row| Value::known(inode(row), |(device, _)| Value::Phrase(words::device(device))),
    )
    .aliases(&["dev"])
    .needs(STATUS),
    Column::new("rdev", "RDEV", Class::Text, "of device nodes, the device", |row: &Row| {
        Value::known(
            row.entry.status.as_ref().and_then(|status| status.device),
            |(major, minor)| Value::Phrase(format!("{major}:{minor}")),
        )
    })
    .needs(STATUS),
    Column::new(
        "mount-id",
        "MOUNT-ID",
        Class::Number,
        "the mount it was opened through",
        |row: &Row| Value::known(row.entry.mount, |mount| Value::Number(mount.into())),
    )
    .aliases(&["mnt-id", "mntid"])
    .key("mount_id")
    .needs(needs::FDINFO),
    Column::new("locks", "LOCKS", Class::Text, "locks and leases on it", |row: &Row| {
        let locks = row.entry.locks.iter().map(words::lock);
        Value::phrase(locks.collect::<Vec<_>>().join(", "))
    })
    .json(json::locks)
    .needs(needs::LOCKS),
    // The socket.
    Column::new("family", "FAMILY", Class::Word(&FAMILY), "address family", |row: &Row| {
        row.of_socket(|socket| Value::Word(family_word(socket.family)))
    })
    .needs(SOCKETS),
    Column::new("class", "CLASS", Class::Word(&CLASS), "stream, datagram …", |row: &Row| {
        row.of_socket(|socket| Value::known(class_word(socket.class), Value::Word))
    })
    .aliases(&["socktype"])
    .needs(SOCKETS),
    Column::new(
        "protocol",
        "PROTOCOL",
        Class::Text,
        "the kernel's name: TCP, UNIX-STREAM",
        |row: &Row| row.of_socket(|socket| Value::text(socket.protocol.bytes())),
    )
    .aliases(&["proto"])
    .needs(SOCKETS),
    Column::new(
        "state",
        "STATE",
        Class::Word(&STATE),
        "established, close-wait …",
        |row: &Row| {
            row.of_socket(|socket| Value::known(socket.state, |state| Value::Word(state.word())))
        },
    )
    .needs(SOCKETS),
    Column::new("local", "LOCAL", Class::Address, "its own address", |row: &Row| {
        row.of_socket(|socket| Value::known(socket.local.as_ref(), address))
    })
    .aliases(&["laddr"])
    .needs(SOCKETS),
    Column::new("peer", "PEER", Class::Address, "the other side's address", |row: &Row| {
        row.of_socket(|socket| Value::known(socket.peer.as_ref(), address))
    })
    .aliases(&["remote", "raddr"])
    .needs(SOCKETS),
    Column::new("port", "PORT", Class::Number, "either side's port", |row: &Row| {
        let ports = row.ports().into_iter().flatten();
        Value::List(ports.map(|port| Value::Number(port.into())).collect())
    })
    .key("ports")
    .json(json::ports)
    .needs(SOCKETS),
    Column::new("local-port", "LPORT", Class::Number, "its own port", |row: &Row| {
        Value::known(row.ports()[0], |port| Value::Number(port.into()))
    })
    .aliases(&["lport", "sport"])
    .key("local_port")
    .needs(SOCKETS),
    Column::new("peer-port", "PPORT", Class::Number, "the other side's port", |row: &Row| {
        Value::known(row.ports()[1], |port| Value::Number(port.into()))
    })
    .aliases(&["pport", "dport", "rport"])
    .key("peer_port")
    .needs(SOCKETS),
    Column::new(
        "recv-q",
        "RECV-Q",
        Class::Size,
        "received and not read; of listeners, waiting",
        |row: &Row| row.of_socket(|socket| Value::known(socket.receive_queue, Value::Size)),
    )
    .aliases(&["rx"])
    .key("recv_q_bytes")
    .needs(SOCKETS),
    Column::new(
        "send-q",
        "SEND-Q",
        Class::Size,
        "sent and not acknowledged; of listeners, the backlog",
        |row: &Row| row.of_socket(|socket| Value::known(socket.send_queue, Value::Size)),
    )
    .aliases(&["tx"])
    .key("send_q_bytes")
    .needs(SOCKETS),
    Column::new("netns", "NETNS", Class::Number, "inode of its network namespace", |row: &Row| {
        row.of_socket(|socket| Value::known(socket.namespace, Value::Number))
    })
    .needs(SOCKETS),
    Column::new(
        "cookie",
        "COOKIE",
        Class::Number,
        "the kernel's own number of the socket",
        |row: &Row| row.of_socket(|socket| Value::known(socket.cookie, Value::Number)),
    )
    .needs(SOCKETS),
    Column::new("timer", "TIMER", Class::Text, "the running timer", |row: &Row| {
        row.of_socket(timer)
    })
    .json(json::timer)
    .needs(SOCKETS),
    Column::new(
        "idle",
        "IDLE",
        Class::Duration,
        "since data was last sent or received",
        |row: &Row| row.of_socket(|socket| Value::known(idle_ns(socket), Value::Duration)),
    )
    .key("idle_ns")
    .needs(SOCKETS),
    Column::new(
        "in-flight",
        "IN-FLIGHT",
        Class::Number,
        "descriptors on their way to it",
        |row: &Row| row.of_socket(|socket| Value::known(socket.in_flight, Value::Number)),
    )
    .key("in_flight")
    .needs(SOCKETS),
    Column::new(
        "socket-uid",
        "SOCKUID",
        Class::Number,
        "user number of the socket's owner",
        |row: &Row| {
            row.of_socket(|socket| Value::known(socket.uid, |uid| Value::Number(uid.into())))
        },
    )
    .key("socket_uid")
    .needs(SOCKETS),
    // The other end.
    Column::new(
        "ends",
        "ENDS",
        Class::Text,
        "who holds the other end: pid/name fd",
        |row: &Row| row.of_end(|end| Value::Phrase(words::end(end))),
    )
    .json(json::ends)
    .needs(needs::ENDS.and(TOLD)),
    Column::new("end-pid", "END-PID", Class::Number, "processes at the other end", |row: &Row| {
        row.of_end(|end| Value::Number(end.pid.0.into()))
    })
    .key("end_pids")
    .json(json::end_pids)
    .needs(needs::ENDS.and(TOLD)),
    // Its birth.
    Column::new("age", "AGE", Class::Duration, "since it was made (recordings)", |row: &Row| {
        Value::known(row.birth.as_ref(), |birth| Value::Duration(birth.age_ns))
    })
    .aliases(&["age-s"])
    .key("age_ns")
    .needs(needs::BIRTH),
    Column::new(
        "site",
        "MADE BY",
        Class::Text,
        "the code that made it (recordings)",
        |row: &Row| {
            let site = |birth: &super::Birth| birth.site.clone();
            Value::known(row.birth.as_ref().and_then(site), Value::Phrase)
        },
    )
    .needs(needs::BIRTH),
];

fn user(row: &Row) -> Value<'_> {
    match &row.holder.user {
        Some(user) => Value::text(user.bytes()),
        None => Value::Phrase(row.holder.process.uid.to_string()),
    }
}

/// Arguments with blanks between them.
fn cmdline(row: &Row) -> Value<'_> {
    let bytes = row.holder.process.cmdline.bytes();
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Value::Missing;
    }
    Value::Text(bytes.iter().map(|&byte| if byte == 0 { b' ' } else { byte }).collect())
}

fn descriptor(row: &Row) -> Option<u64> {
    match row.entry.handle.via {
        Association::Fd(fd) => Some(fd.0.into()),
        _ => None,
    }
}

fn holding(row: &Row) -> Option<u64> {
    match row.entry.handle.via {
        Association::Fd(_) => None,
        _ => row.number().map(u64::from),
    }
}

fn show_fd(row: &Row, charset: Charset, out: &mut String) {
    if let Association::Fd(fd) = row.entry.handle.via {
        Value::Number(fd.0.into()).print(charset, out);
        out.push_str(words::access_letter(row.entry.access));
        return;
    }
    out.push_str(&charset.sentence(&words::association(row.entry.handle.via, row.entry.access)));
}

/// What has nothing but its name is printed without making words of it: so are nearly all of 100,000 rows.
fn show_what(row: &Row, charset: Charset, out: &mut String) {
    match (&row.entry.facts, &row.entry.handle.fault) {
        (Facts::Nothing, None) => Value::text(row.entry.handle.name.bytes()).print(charset, out),
        _ => Value::phrase(words::what(&row.entry)).print(charset, out),
    }
}

/// Device and number of the inode, from whoever knows it.
fn inode(row: &Row) -> Option<(DeviceId, u64)> {
    let status = row.entry.status.as_ref().map(|status| status.inode);
    row.entry.handle.inode.or(status).map(|id| (id.device, id.inode))
}

fn address(address: &Address) -> Value<'_> {
    match address {
        Address::Inet(address) => Value::Address(*address),
        other => Value::Phrase(words::address(other)),
    }
}

fn timer(socket: &Socket) -> Value<'_> {
    Value::known(socket.timer, |timer| {
        let word = json::timer_word(timer.class);
        let remaining = crate::units::duration_ns(timer.remaining_ns);
        let retries = match timer.retries {
            0 => String::new(),
            retries => format!(", {} unanswered", crate::units::count(retries.into())),
        };
        Value::Phrase(format!("{word} in {remaining}{retries}"))
    })
}

fn idle_ns(socket: &Socket) -> Option<u64> {
    match (socket.last_sent_ns, socket.last_received_ns) {
        (Some(sent), Some(received)) => Some(sent.min(received)),
        (sent, received) => sent.or(received),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_keys_are_each_of_one_column() {
        let mut names: Vec<&str> = ALL.iter().flat_map(Column::names).collect();
        let mut keys: Vec<&str> = ALL.iter().map(|column| column.key).collect();
        for list in [&mut names, &mut keys] {
            let all = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), all);
        }
        assert_eq!(initial().len(), 6);
    }

    #[test]
    fn a_word_of_a_vocabulary_is_no_column_and_of_one_column_only() {
        let mut all: Vec<&str> = Vec::new();
        for column in &ALL {
            if let Class::Word(vocabulary) = column.class {
                for word in (vocabulary.all)() {
                    assert_eq!((vocabulary.find)(word), Some(word));
                    // These are columns too, and mean the column when they stand alone.
                    let both = ["fd", "exe", "path", "in-flight"].contains(&word);
                    assert_eq!(HANDLES.get(word).is_some(), both, "{word}");
                    all.push(word);
                }
            }
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_column_without_unit_in_its_key_is_no_size_and_no_time() {
        for column in &ALL {
            let unit = match column.class {
                Class::Size => "_bytes",
                Class::Duration => "_ns",
                _ => "",
            };
            assert!(column.key.ends_with(unit), "{}", column.name);
            assert!(!column.key.contains('-'), "{}", column.name);
        }
    }
}

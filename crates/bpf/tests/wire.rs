//! The Rust mirror of `bpf/wire.h` against the BTF in the committed object: every member's offset, every size.

use std::collections::BTreeMap;
use std::mem::{offset_of, size_of};

use fdscope_bpf::inventory::wire::{HeldRow, HeldSocket};
use fdscope_bpf::iterator::{InventoryIterator, ProcessIterator};
use fdscope_bpf::trace::wire::{PieceHead, Plan, Step, Told, Watched};
use fdscope_bpf::wire::{
    Action, Interpreter, IoctlRule, MemoKey, MemoWords, Origin, Record, Scope, Slot, WalkedFrame,
};
use object::{Object, ObjectSection};

/// Structures by name: size in bytes, and each member's offset in bytes.
type Structures = BTreeMap<String, (u32, BTreeMap<String, u32>)>;

const KIND_STRUCT: u32 = 4;

/// Reads the structures of a .BTF section (Documentation/bpf/btf.rst).
fn structures(btf: &[u8]) -> Structures {
    let word = |at: usize| u32::from_le_bytes(btf[at..at + 4].try_into().expect("four bytes"));
    let header = word(4) as usize;
    let types = header + word(8) as usize;
    let end = types + word(12) as usize;
    let strings = header + word(16) as usize;
    let name = |offset: u32| {
        let text = &btf[strings + offset as usize..];
        let length = text.iter().position(|byte| *byte == 0).expect("strings end in NUL");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut found = Structures::new();
    let mut at = types;
    while at < end {
        let (info, size) = (word(at + 4), word(at + 8));
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let members = at + 12;
        if kind == KIND_STRUCT {
            let member = |index: usize| {
                let row = members + index * 12;
                (name(word(row)), (word(row + 8) & 0xff_ffff) / 8)
            };
            found.insert(name(word(at)), (size, (0..count).map(member).collect()));
        }
        at = members
            + match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                KIND_STRUCT | 5 | 15 | 19 => count * 12,
                6 | 13 => count * 8,
                _ => 0,
            };
    }
    found
}

fn of_object() -> Structures {
    of(fdscope_bpf::object::handles())
}

fn of(object: &[u8]) -> Structures {
    let file = object::File::parse(object).expect("the object is ELF");
    let section = file.section_by_name(".BTF").expect("the object has BTF");
    structures(section.data().expect("uncompressed"))
}

macro_rules! mirror {
    ($found:expr, $name:literal, $mirror:ty, { $($member:literal: $field:ident),* $(,)? }) => {{
        let (size, members) = $found.get($name).unwrap_or_else(|| panic!("no struct {}", $name));
        assert_eq!(*size as usize, size_of::<$mirror>(), "size of {}", $name);
        let mirrored: BTreeMap<String, u32> =
            [$(($member.to_owned(), offset_of!($mirror, $field) as u32)),*].into();
        assert_eq!(*members, mirrored, "members of {}", $name);
    }};
}

#[test]
fn records_are_read_as_they_are_written() {
    let found = of_object();
    mirror!(found, "record", Record, {
        "at": at, "table": table, "ret": ret, "args": args, "pid": pid, "tid": tid, "type": kind, "call": call, "trace": trace, "flags": flags,
        "frames": frames, "stack_id": stack_id, "stack_bytes": stack_bytes, "slots": slots,
    });
    mirror!(found, "origin", Origin, {
        "ip": ip, "sp": sp, "fp": fp, "lr": lr, "code_since": code_since,
    });
    mirror!(found, "slot", Slot, {
        "file": file, "inode": inode, "device": device, "mode": mode, "flags": flags, "fd": fd,
    });
}

#[test]
fn what_the_loader_writes_is_read_as_written() {
    let found = of_object();
    mirror!(found, "scope", Scope, {
        "stack_bytes": stack_bytes, "death_every": death_every, "deaths": deaths, "follow": follow,
        "frame_pointers": frame_pointers, "birth_every": birth_every, "births": births,
        "interpreter": interpreter, "fresh": fresh, "unused": unused, "code_pages": code_pages,
        "code_since": code_since,
    });
    mirror!(found, "action", Action, {
        "op": op, "arg": arg, "stack": stack, "unused": unused, "mask": mask, "call": call,
        "unused2": unused2,
    });
    mirror!(found, "memo_key", MemoKey, {
        "ip": ip, "code_since": code_since, "pid": pid, "depth": depth, "nth": nth,
    });
    mirror!(found, "memo", MemoWords, {
        "relative": relative, "stack": stack, "span": span, "count": count, "at": at,
        "words": words,
    });
    mirror!(found, "ioctl_rule", IoctlRule, { "stored": stored, "offset": offset });
    assert_eq!(found["interpreter"].0 as usize, size_of::<Interpreter>());
    assert_eq!(found["interpreter_frame"].0 as usize, size_of::<WalkedFrame>());
}

#[test]
fn what_is_told_of_calls_is_read_as_it_is_written() {
    let found = of(fdscope_bpf::object::trace());
    mirror!(found, "told", Told, {
        "at": at, "entered": entered, "ip": ip, "ret": ret, "args": args, "lost": lost, "away": away, "pid": pid,
        "tid": tid, "number": number, "bytes": bytes, "stack_id": stack_id, "type": kind,
        "flags": flags, "trace": trace,
    });
    // Pieces are in no map, and so not in the BTF: the C side asserts their size.
    assert_eq!(size_of::<PieceHead>(), 16);
    mirror!(found, "step", Step, {
        "argument": argument, "what": what, "length": length, "operand": operand, "count": count,
        "text": text, "amount": amount,
    });
    mirror!(found, "plan", Plan, {
        "selected": selected, "enters": enters, "steps": steps, "stack": stack, "early": early,
        "paired": paired, "forks": forks, "unused": unused, "step": step,
    });
    mirror!(found, "watched", Watched, { "scope": scope, "thread": thread, "unused": unused });
}

#[test]
fn rows_of_the_inventory_are_read_as_they_are_written() {
    let found = of(fdscope_bpf::object::inventory());
    mirror!(found, "held_row", HeldRow, {
        "table": table, "file": file, "inode": inode, "offset": offset, "size": size, "blocks": blocks,
        "bytes": bytes, "pid": pid, "tid": tid, "fd": fd, "device": device, "magic": magic,
        "flags": flags, "access": access, "links": links, "uid": uid, "node": node, "mount": mount,
        "mode": mode, "parts": parts, "text_bytes": text_bytes, "text_error": text_error,
    });
    mirror!(found, "held_socket", HeldSocket, {
        "cookie": cookie, "peer_inode": peer_inode, "receive_queue": receive_queue,
        "send_queue": send_queue, "namespace": namespace, "interface": interface,
        "numbers": numbers, "family": family, "type": class, "protocol": protocol,
        "local_port": local_port, "peer_port": peer_port, "peer_bytes": peer_bytes,
        "state": state, "has_peer": has_peer, "shutdown": shutdown, "local": local, "peer": peer,
    });
}

/// Those that nothing is read of, or only as a part of another.
const PARTS: &[&str] = &[
    "atomic",
    "refcount",
    "possible_net",
    "kuid",
    "thread_info",
    "thread_struct",
    "signal_struct",
];

#[test]
fn records_of_sockets_have_the_layout_of_the_object() {
    use fdscope_bpf::states::Record as Change;
    let found = of(fdscope_bpf::object::states());
    mirror!(found, "socket_change", Change, {
        "at": at, "since": since, "inode": inode, "pid": pid, "tid": tid, "fd": fd, "namespace": namespace,
        "family": family, "protocol": protocol, "local_port": local_port, "peer_port": peer_port,
        "local": local, "peer": peer, "comm": comm, "thread": thread, "before": before, "after": after,
        "unused": unused,
    });
}

#[test]
fn the_kernels_structures_that_iterators_name_are_asked_for() {
    let check = |object: &[u8], asked: &[&str]| {
        let ours = ["", "held_row", "held_socket", "room"];
        for name in of(object).keys() {
            let name = name.split("___").next().unwrap_or_default();
            let is_known = asked.contains(&name);
            assert!(is_known || ours.contains(&name) || PARTS.contains(&name), "{name}");
        }
    };
    check(fdscope_bpf::object::inventory(), InventoryIterator::STRUCTURES);
    check(fdscope_bpf::object::processes(), ProcessIterator::STRUCTURES);
}

//! The table of all families, by number; and the calls that hide behind others on i386.

use std::sync::OnceLock;

use super::row::Row;
use crate::arch::Arch;
use crate::memory::Memory;
use crate::names;
use crate::traced::Call;

/// The families. A name stands in one of them only.
const FAMILIES: &[&[Row]] = &[
    super::file::ROWS,
    super::xattr::ROWS,
    super::notify::ROWS,
    super::exec::ROWS,
    super::stat::ROWS,
    super::descriptor::ROWS,
    super::fcntl::ROWS,
    super::ioctl::ROWS,
    super::poll::ROWS,
    super::network::ROWS,
    super::process::ROWS,
    super::prctl::ROWS,
    super::limits::ROWS,
    super::signal::ROWS,
    super::memory::ROWS,
    super::creds::ROWS,
    super::clock::ROWS,
    super::futex::ROWS,
    super::ipc::ROWS,
    super::mount::ROWS,
    super::uring::ROWS,
    super::system::ROWS,
];

type Index = Vec<Option<&'static Row>>;

fn index(arch: Arch) -> Index {
    let mut index = Vec::new();
    for named in names::NAMES {
        let Some(number) = named.numbers.of(arch).map(usize::from) else { continue };
        let row = FAMILIES.iter().flat_map(|rows| rows.iter()).find(|row| row.name == named.name);
        if index.len() <= number {
            index.resize(number + 1, None);
        }
        index[number] = row;
    }
    index
}

/// The row of a call by its number.
pub(crate) fn row(arch: Arch, number: u64) -> Option<&'static Row> {
    static INDEXES: OnceLock<[Index; 3]> = OnceLock::new();
    let indexes = INDEXES.get_or_init(|| Arch::ALL.map(index));
    indexes[arch as usize].get(usize::try_from(number).ok()?).copied().flatten()
}

/// The name of a call in the table of numbers.
pub(crate) fn plain_name(call: &Call) -> Option<&'static str> {
    names::name(call.arch, call.number)
}

/// The call that is meant, and its row: on i386 some calls hide behind others, or have their arguments in memory.
pub(crate) fn resolve(call: &Call, memory: &dyn Memory) -> (Call, Option<&'static Row>) {
    let hidden = match (call.arch, call.number) {
        (Arch::I386, SOCKETCALL) => behind_socketcall(call, memory),
        (Arch::I386, IPC) => behind_ipc(call, memory),
        (Arch::I386, OLD_MMAP) => in_memory(call, memory, call.arguments[0], "mmap", 6),
        (Arch::I386, OLD_SELECT) => in_memory(call, memory, call.arguments[0], "select", 5),
        _ => None,
    };
    match hidden {
        Some((call, row)) => (call, Some(row)),
        None => (*call, row(call.arch, call.number)),
    }
}

/// The argument of an i386 call that leads to the arguments proper.
pub(crate) fn leads_to_arguments(arch: Arch, number: u64) -> Option<u8> {
    match (arch, number) {
        (Arch::I386, OLD_SELECT | OLD_MMAP) => Some(0),
        (Arch::I386, SOCKETCALL) => Some(1),
        _ => None,
    }
}

const OLD_SELECT: u64 = 82;
const OLD_MMAP: u64 = 90;
const SOCKETCALL: u64 = 102;
const IPC: u64 = 117;

/// The calls behind socketcall, from 1, with the number of their arguments (linux/net.h).
const SOCKETCALLS: [(&str, usize); 20] = [
    ("socket", 3),
    ("bind", 3),
    ("connect", 3),
    ("listen", 2),
    ("accept", 3),
    ("getsockname", 3),
    ("getpeername", 3),
    ("socketpair", 4),
    ("send", 4),
    ("recv", 4),
    ("sendto", 6),
    ("recvfrom", 6),
    ("shutdown", 2),
    ("setsockopt", 5),
    ("getsockopt", 5),
    ("sendmsg", 3),
    ("recvmsg", 3),
    ("accept4", 4),
    ("recvmmsg", 5),
    ("sendmmsg", 4),
];

fn named(name: &str) -> Option<&'static Row> {
    FAMILIES.iter().flat_map(|rows| rows.iter()).find(|row| row.name == name)
}

fn in_memory(
    call: &Call,
    memory: &dyn Memory,
    address: u64,
    name: &str,
    count: usize,
) -> Option<(Call, &'static Row)> {
    let mut arguments = [0; 6];
    for (n, argument) in arguments.iter_mut().take(count).enumerate() {
        *argument = memory.u32_at((address & 0xffff_ffff) + 4 * n as u64)?.into();
    }
    Some((Call { arguments, ..*call }, named(name)?))
}

fn behind_socketcall(call: &Call, memory: &dyn Memory) -> Option<(Call, &'static Row)> {
    let at = usize::try_from(call.arguments[0]).ok()?.checked_sub(1)?;
    let (name, count) = SOCKETCALLS.get(at)?;
    in_memory(call, memory, call.arguments[1], name, *count)
}

/// ipc's arguments are those of the call behind it, in another order for some.
fn behind_ipc(call: &Call, _: &dyn Memory) -> Option<(Call, &'static Row)> {
    let [number, first, second, third, pointer, fifth] = call.arguments;
    let (name, arguments) = match number & 0xffff {
        1 => ("semop", [first, pointer, second, 0, 0, 0]),
        2 => ("semget", [first, second, third, 0, 0, 0]),
        3 => ("semctl", [first, second, third, pointer, 0, 0]),
        4 => ("semtimedop", [first, pointer, second, fifth, 0, 0]),
        11 => ("msgsnd", [first, pointer, second, third, 0, 0]),
        12 => ("msgrcv", [first, pointer, second, fifth, third, 0]),
        13 => ("msgget", [first, second, 0, 0, 0, 0]),
        14 => ("msgctl", [first, second, pointer, 0, 0, 0]),
        21 => ("shmat", [first, pointer, second, 0, 0, 0]),
        22 => ("shmdt", [pointer, 0, 0, 0, 0, 0]),
        23 => ("shmget", [first, second, third, 0, 0, 0]),
        24 => ("shmctl", [first, second, pointer, 0, 0, 0]),
        _ => return None,
    };
    Some((Call { arguments, ..*call }, named(name)?))
}

//! The iterators over descriptors and processes for people, loaded step by step: a listing must not wait for aya's loader,
//! which parses all of the kernel's types, 150,000 of them, whether it needs them or not (45 ms).

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya::maps::MapData;
use aya_obj::Object;
use aya_obj::generated::bpf_insn;
use fdscope_sys::bpf::load_iterator;

use crate::error::BpfError;
use crate::load::{chain, kernel_structures, missing, refused};
use crate::object;

/// An iterator program of the embedded objects.
struct Parts {
    object: fn() -> &'static [u8],
    /// The program in it.
    name: &'static str,
    /// The kernel's function that stands for the iterator.
    function: &'static str,
    /// The kernel's structures that the source names.
    structures: &'static [&'static str],
}

/// A loaded iterator.
struct Loaded {
    program: OwnedFd,
    /// The program's maps: the kernel keeps them while the program lives; here they only show up as ours in /proc.
    _maps: Vec<MapData>,
}

impl Parts {
    /// Fits the iterator to this kernel and loads it.
    fn load(&self) -> Result<Loaded, BpfError> {
        let name = self.name;
        let failed = |error: &dyn std::error::Error| refused(name, error);
        let (structures, function) = kernel_structures(self.structures, self.function)?;
        let function = function
            .ok_or_else(|| BpfError::NoBtf(format!("it has no function {}", self.function)))?;
        let mut object = Object::parse((self.object)()).map_err(|error| failed(&error))?;
        object.relocate_btf(&structures).map_err(|error| failed(&error))?;
        let meant = std::mem::take(&mut object.maps);
        let mut maps = Vec::new();
        for (map, meant) in &meant {
            let failed = |error| BpfError::Map { map: name, cause: chain(&error) };
            maps.push(MapData::create(untyped(meant), map, None).map_err(failed)?);
        }
        let sections: HashSet<usize> =
            object.functions.keys().map(|(section, _)| *section).collect();
        let named = meant
            .iter()
            .zip(&maps)
            .map(|((name, meant), map)| (name.as_str(), map.fd().as_fd().as_raw_fd(), meant));
        object.relocate_maps(named, &sections).map_err(|error| failed(&error))?;
        object.relocate_calls(&sections).map_err(|error| failed(&error))?;
        let entry = object.programs.get(name).ok_or_else(|| missing(name))?;
        let code = object.functions.get(&entry.function_key()).ok_or_else(|| missing(name))?;
        let code: Vec<u8> = code.instructions.iter().flat_map(encoded).collect();
        let program =
            load_iterator(&code, &entry.license, function).map_err(|error| failed(&error))?;
        Ok(Loaded { program, _maps: maps })
    }
}

/// The iterator that reads tables with names and sockets' ends, loaded.
pub struct InventoryIterator(Loaded);

impl InventoryIterator {
    /// The kernel's structures that `bpf/inventory.bpf.c` names.
    pub const STRUCTURES: &[&str] = &[
        "bpf_iter__task_file",
        "bpf_iter_meta",
        "fdtable",
        "file",
        "files_struct",
        "in6_addr",
        "inet_sock",
        "inode",
        "mount",
        "net",
        "netlink_sock",
        "ns_common",
        "packet_sock",
        "path",
        "pid",
        "pid_namespace",
        "sk_buff_head",
        "sock",
        "sock_common",
        "sockaddr_un",
        "sockaddr_vm",
        "socket",
        "socket_alloc",
        "super_block",
        "task_struct",
        "tcp_sock",
        "udp_sock",
        "unix_address",
        "unix_sock",
        "upid",
        "vfsmount",
        "vsock_sock",
    ];

    /// Fits the iterator to this kernel and loads it.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new() -> Result<Self, BpfError> {
        let parts = Parts {
            object: object::inventory,
            name: "take_inventory",
            function: "bpf_iter_task_file",
            structures: Self::STRUCTURES,
        };
        parts.load().map(InventoryIterator)
    }

    /// The program's descriptor, to link it by.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.0.program.as_fd()
    }
}

/// The iterator that looks at every process, loaded.
pub struct ProcessIterator(Loaded);

impl ProcessIterator {
    /// The kernel's structures that `bpf/processes.bpf.c` names.
    pub const STRUCTURES: &[&str] = &[
        "bpf_iter__task",
        "bpf_iter_meta",
        "cred",
        "fdtable",
        "files_struct",
        "rlimit",
        "signal_struct",
        "task_struct",
    ];

    /// Fits the iterator to this kernel and loads it.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new() -> Result<Self, BpfError> {
        let parts = Parts {
            object: object::processes,
            name: "look_at_process",
            function: "bpf_iter_task",
            structures: Self::STRUCTURES,
        };
        parts.load().map(ProcessIterator)
    }

    /// The program's descriptor, to link it by.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.0.program.as_fd()
    }
}

/// The same map, but for the types of its keys and values, which would have to be loaded first.
fn untyped(map: &aya_obj::Map) -> aya_obj::Map {
    let (key, value) = (map.key_size(), map.value_size());
    aya_obj::Map::new_from_params(map.map_type(), key, value, map.max_entries(), map.map_flags())
}

/// `struct bpf_insn` as the kernel reads it (include/uapi/linux/bpf.h).
fn encoded(instruction: &bpf_insn) -> [u8; 8] {
    let registers = instruction.dst_reg() | instruction.src_reg() << 4;
    let (offset, immediate) = (instruction.off.to_ne_bytes(), instruction.imm.to_ne_bytes());
    let [o0, o1] = offset;
    let [i0, i1, i2, i3] = immediate;
    [instruction.code, registers, o0, o1, i0, i1, i2, i3]
}

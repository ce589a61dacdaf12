//! The iterator over descriptors for people, loaded step by step: a listing must not wait for aya's loader, which parses all
//! of the kernel's types, 150,000 of them, whether it needs them or not (45 ms).

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya::maps::MapData;
use aya_obj::Object;
use aya_obj::generated::bpf_insn;
use fdscope_sys::bpf::load_iterator;

use crate::error::BpfError;
use crate::load::{chain, kernel_structures, missing, refused};
use crate::object;

/// The iterator that reads tables with names and sockets' ends, loaded.
pub struct InventoryIterator {
    program: OwnedFd,
    /// The program's maps: the kernel keeps them while the program lives; here they only show up as ours in /proc.
    _maps: Vec<MapData>,
}

impl InventoryIterator {
    const NAME: &str = "take_inventory";
    const FUNCTION: &str = "bpf_iter_task_file";

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
        let failed = |error: &dyn std::error::Error| refused(Self::NAME, error);
        let (structures, function) = kernel_structures(Self::STRUCTURES, Self::FUNCTION)?;
        let function = function
            .ok_or_else(|| BpfError::NoBtf("it has no iterator over descriptors".to_owned()))?;
        let mut object = Object::parse(object::inventory()).map_err(|error| failed(&error))?;
        object.relocate_btf(&structures).map_err(|error| failed(&error))?;
        let meant = std::mem::take(&mut object.maps);
        let mut maps = Vec::new();
        for (name, map) in &meant {
            let failed = |error| BpfError::Map { map: Self::NAME, cause: chain(&error) };
            maps.push(MapData::create(untyped(map), name, None).map_err(failed)?);
        }
        let sections: HashSet<usize> =
            object.functions.keys().map(|(section, _)| *section).collect();
        let named = meant
            .iter()
            .zip(&maps)
            .map(|((name, meant), map)| (name.as_str(), map.fd().as_fd().as_raw_fd(), meant));
        object.relocate_maps(named, &sections).map_err(|error| failed(&error))?;
        object.relocate_calls(&sections).map_err(|error| failed(&error))?;
        let entry = object.programs.get(Self::NAME).ok_or_else(|| missing(Self::NAME))?;
        let code =
            object.functions.get(&entry.function_key()).ok_or_else(|| missing(Self::NAME))?;
        let code: Vec<u8> = code.instructions.iter().flat_map(encoded).collect();
        let program =
            load_iterator(&code, &entry.license, function).map_err(|error| failed(&error))?;
        Ok(InventoryIterator { program, _maps: maps })
    }

    /// The program's descriptor, to link it by.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
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

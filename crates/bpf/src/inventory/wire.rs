//! Rows of the iterator as they are in memory: the Rust side of `bpf/held.h`, held to it by a test.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What follows the fixed part of a row: `enum held_parts`.
pub mod part {
    /// The text of the link.
    pub const PATH: u16 = 1;
    /// A [`super::HeldSocket`], then UNIX names.
    pub const SOCKET: u16 = 2;
}

/// `struct held_row`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct HeldRow {
    /// `struct files_struct`.
    pub table: u64,
    /// `struct file`.
    pub file: u64,
    /// Inode number.
    pub inode: u64,
    /// `f_pos` in bytes.
    pub offset: u64,
    /// `i_size` in bytes.
    pub size: u64,
    /// `i_blocks`, of 512 bytes.
    pub blocks: u64,
    /// Of the whole record, a multiple of 8.
    pub bytes: u32,
    /// Process, in fdscope's PID namespace.
    pub pid: u32,
    /// The thread whose table this is, in the initial PID namespace.
    pub tid: u32,
    /// The number.
    pub fd: u32,
    /// Device of the file system.
    pub device: u32,
    /// Magic number of the file system.
    pub magic: u32,
    /// `f_flags`, with `O_CLOEXEC` for the descriptor's flag.
    pub flags: u32,
    /// `f_mode`: 1 may read, 2 may write.
    pub access: u32,
    /// `i_nlink`.
    pub links: u32,
    /// `i_uid`.
    pub uid: u32,
    /// `i_rdev`.
    pub node: u32,
    /// `mnt_id`.
    pub mount: u32,
    /// `i_mode`.
    pub mode: u16,
    /// See [`part`].
    pub parts: u16,
    /// Bytes of the link's text, or of a UNIX socket's own name.
    pub text_bytes: u16,
    /// Why there is no text: a negative errno.
    pub text_error: i16,
}

/// `struct held_socket`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct HeldSocket {
    /// The kernel's own number of it.
    pub cookie: u64,
    /// UNIX: the inode of the other side, 0 if it has none.
    pub peer_inode: u64,
    /// As sock_diag counts it.
    pub receive_queue: u64,
    /// As sock_diag counts it.
    pub send_queue: u64,
    /// Inode of the network namespace.
    pub namespace: u32,
    /// Bound to, or of a packet socket.
    pub interface: u32,
    /// Netlink: own and peer's port. Vsock: own context and port, the peer's.
    pub numbers: [u32; 4],
    /// `AF_*`.
    pub family: u16,
    /// `SOCK_*`.
    pub class: u16,
    /// `IPPROTO_*`, `NETLINK_*` …
    pub protocol: u16,
    /// Packet: EtherType.
    pub local_port: u16,
    /// The other side's.
    pub peer_port: u16,
    /// Bytes of the peer's UNIX name.
    pub peer_bytes: u16,
    /// `TCP_*` state.
    pub state: u8,
    /// UNIX: connected.
    pub has_peer: u8,
    /// Directions that were shut down.
    pub shutdown: u16,
    /// IPv4: the first four.
    pub local: [u8; 16],
    /// The same of the other side.
    pub peer: [u8; 16],
}

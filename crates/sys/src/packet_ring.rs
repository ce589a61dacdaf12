//! Packet sockets with a ring that the kernel fills: AF_PACKET with TPACKET_V3 (packet(7), packet_mmap.rst).
//!
//! Blocks are handed over whole. What stands in them is bytes; `fdscope` reads the packets out of them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// One instruction of classic BPF, as `struct sock_filter` (include/uapi/linux/filter.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How far to jump if true.
    pub jump_true: u8,
    /// How far to jump if false.
    pub jump_false: u8,
    /// The operand.
    pub operand: u32,
}

#[repr(C)]
struct Program {
    count: u16,
    instructions: *const Instruction,
}

/// How packets begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// With the link header.
    Link,
    /// Behind it.
    Network,
}

/// What a socket got and lost since the last time it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Packets that passed the filter, the lost ones included.
    pub received: u32,
    /// Packets for which there was no room.
    pub dropped: u32,
}

/// Where a block's status stands, in bytes (`struct tpacket_block_desc`).
const STATUS: usize = 8;
/// The block is the reader's (`TP_STATUS_USER`).
const USER: u32 = 1;
/// `PACKET_STATISTICS` and so on (include/uapi/linux/if_packet.h).
const PACKET_STATISTICS: libc::c_int = 6;
const PACKET_ADD_MEMBERSHIP: libc::c_int = 1;
const PACKET_MR_PROMISC: u16 = 1;
const PACKET_VERSION: libc::c_int = 10;
const PACKET_RX_RING: libc::c_int = 5;
const TPACKET_V3: libc::c_int = 2;
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

#[repr(C)]
struct Request {
    block_size: u32,
    block_count: u32,
    frame_size: u32,
    frame_count: u32,
    block_timeout_ms: u32,
    private_size: u32,
    features: u32,
}

#[repr(C)]
struct Membership {
    interface: i32,
    kind: u16,
    length: u16,
    address: [u8; 8],
}

/// A packet socket with its ring.
#[derive(Debug)]
pub struct PacketRing {
    socket: OwnedFd,
    memory: *mut u8,
    block_size: usize,
    blocks: usize,
    at: usize,
}

impl PacketRing {
    /// A socket that hears nothing yet, with `blocks` of `block_size` bytes that the kernel hands over when they are
    /// full or `timeout_ms` old.
    ///
    /// # Errors
    /// `EPERM` without CAP_NET_RAW; `ENOMEM` if there is no memory for the ring.
    pub fn new(layer: Layer, block_size: u32, blocks: u32, timeout_ms: u32) -> io::Result<Self> {
        let class = if layer == Layer::Link { libc::SOCK_RAW } else { libc::SOCK_DGRAM };
        // SAFETY: socket takes no addresses.
        let number = unsafe { libc::socket(libc::AF_PACKET, class | libc::SOCK_CLOEXEC, 0) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just returned this descriptor to us, and nobody else knows its number.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        set(socket.as_fd(), libc::SOL_PACKET, PACKET_VERSION, &TPACKET_V3)?;
        let frame_size = 2048;
        let request = Request {
            block_size,
            block_count: blocks,
            frame_size,
            frame_count: block_size / frame_size * blocks,
            block_timeout_ms: timeout_ms,
            private_size: 0,
            features: 0,
        };
        set(socket.as_fd(), libc::SOL_PACKET, PACKET_RX_RING, &request)?;
        let (block_size, blocks) = (block_size as usize, blocks as usize);
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                block_size * blocks,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(PacketRing { socket, memory: memory.cast(), block_size, blocks, at: 0 })
    }

    /// Sets what packets must be; before [`PacketRing::listen`], so that none passes unfiltered.
    ///
    /// # Errors
    /// `EINVAL` for a program that the kernel does not take.
    pub fn filter(&self, instructions: &[Instruction]) -> io::Result<()> {
        let count = u16::try_from(instructions.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let program = Program { count, instructions: instructions.as_ptr() };
        set(self.socket.as_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// Begins to hear an interface; 0 is every one.
    ///
    /// # Errors
    /// `ENODEV` for one that is not there, `ENETDOWN` for one that is down.
    pub fn listen(&self, interface: i32) -> io::Result<()> {
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: interface,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address is a local of the length that is given, and bind only reads it.
        let answer =
            unsafe { libc::bind(self.socket.as_raw_fd(), (&raw const address).cast(), length) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Lets the interface take packets for others too, as long as the socket is open.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn promiscuous(&self, interface: i32) -> io::Result<()> {
        let membership =
            Membership { interface, kind: PACKET_MR_PROMISC, length: 0, address: [0; 8] };
        set(self.socket.as_fd(), libc::SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership)
    }

    /// Leaves packets out that this machine sends (since 4.20).
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn ignore_outgoing(&self) -> io::Result<()> {
        set(self.socket.as_fd(), libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1_i32)
    }

    /// What came and what was lost since the last call.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn counts(&self) -> io::Result<Counts> {
        let mut bytes = [0; 12];
        let told = crate::net::option(
            self.socket.as_fd(),
            libc::SOL_PACKET,
            PACKET_STATISTICS,
            &mut bytes,
        )?;
        let word = |at: usize| {
            told.get(at..)
                .and_then(|rest| rest.first_chunk())
                .copied()
                .map_or(0, u32::from_ne_bytes)
        };
        Ok(Counts { received: word(0), dropped: word(4) })
    }

    /// The error that the socket has, if any: an interface that went down or away.
    pub fn error(&self) -> Option<io::Error> {
        let mut bytes = [0; 4];
        let told =
            crate::net::option(self.socket.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR, &mut bytes)
                .ok()?;
        let number = told.first_chunk().copied().map_or(0, i32::from_ne_bytes);
        (number != 0).then(|| io::Error::from_raw_os_error(number))
    }

    /// The socket, to wait for.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// True if the kernel has handed over no block.
    pub fn is_empty(&self) -> bool {
        self.status().load(Ordering::Acquire) & USER == 0
    }

    /// The next block, if the kernel has handed it over; it goes back when it is dropped.
    pub fn block(&mut self) -> Option<Block<'_>> {
        if self.is_empty() { None } else { Some(Block { ring: self }) }
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: `at` is below `blocks`, so that the address is within the mapping.
        let place = unsafe { self.memory.add(self.at * self.block_size + STATUS) };
        // SAFETY: the mapping is page aligned and STATUS a multiple of 4; it lives as long as `self`, and the kernel
        // writes this word as one.
        unsafe { AtomicU32::from_ptr(place.cast()) }
    }
}

impl Drop for PacketRing {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and what borrowed from it is gone. Nothing can be done if this fails.
        let _kept = unsafe { libc::munmap(self.memory.cast(), self.block_size * self.blocks) };
    }
}

/// A block that is the reader's.
#[derive(Debug)]
pub struct Block<'a> {
    ring: &'a mut PacketRing,
}

impl Block<'_> {
    /// The block's bytes, its head included.
    pub fn bytes(&self) -> &[u8] {
        let ring = &*self.ring;
        // SAFETY: `at` is below `blocks`, so that the address is within the mapping.
        let start = unsafe { ring.memory.add(ring.at * ring.block_size) };
        // SAFETY: the whole block is mapped and the kernel does not write to it while its status says that it is ours,
        // which it does until this guard is dropped.
        unsafe { std::slice::from_raw_parts(start, ring.block_size) }
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        self.ring.status().store(0, Ordering::Release);
        self.ring.at = (self.ring.at + 1) % self.ring.blocks;
    }
}

fn set<T>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value is borrowed for the call and as long as is said; what it points to lives in the caller's frame.
    let answer = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length)
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

//! ioctl: a request by name, and what it points to for those that matter: terminals, sockets, files, and all that
//! return descriptors.

use super::args::FD;
use super::pen::{Block, Pen};
use super::row::{Argument, ended, plain, rows};
use super::tables::ioctl_name;
use super::termios;
use super::xlat::xlat;
use crate::capture::{What, When};
use crate::ioctls::{self, Place};

xlat! {
    DIRECTION "_IOC_???" { _IOC_NONE 0, _IOC_READ 2, _IOC_WRITE 1 }
    pub(crate) INTERFACE_FLAGS "IFF_???" {
        IFF_UP 1, IFF_BROADCAST 2, IFF_DEBUG 4, IFF_LOOPBACK 8, IFF_POINTOPOINT 16, IFF_NOTRAILERS 32, IFF_RUNNING 64,
        IFF_NOARP 128, IFF_PROMISC 256, IFF_ALLMULTI 512, IFF_MASTER 1024, IFF_SLAVE 2048, IFF_MULTICAST 4096,
        IFF_PORTSEL 8192, IFF_AUTOMEDIA 16384, IFF_DYNAMIC 32768, IFF_LOWER_UP 0x10000
    }
    FILE_FLAGS "FS_???" {
        FS_SECRM_FL 1, FS_UNRM_FL 2, FS_COMPR_FL 4, FS_SYNC_FL 8, FS_IMMUTABLE_FL 16, FS_APPEND_FL 32, FS_NODUMP_FL 64,
        FS_NOATIME_FL 128, FS_DIRTY_FL 256, FS_COMPRBLK_FL 512, FS_NOCOMP_FL 1024, FS_ENCRYPT_FL 2048, FS_INDEX_FL 0x1000,
        FS_IMAGIC_FL 0x2000, FS_JOURNAL_DATA_FL 0x4000, FS_NOTAIL_FL 0x8000, FS_DIRSYNC_FL 0x10000, FS_TOPDIR_FL 0x20000,
        FS_HUGE_FILE_FL 0x40000, FS_EXTENT_FL 0x80000, FS_VERITY_FL 0x100000, FS_EA_INODE_FL 0x200000,
        FS_EOFBLOCKS_FL 0x400000, FS_NOCOW_FL 0x800000, FS_DAX_FL 0x2000000, FS_INLINE_DATA_FL 0x10000000,
        FS_PROJINHERIT_FL 0x20000000, FS_CASEFOLD_FL 0x40000000, FS_RESERVED_FL 0x80000000
    }
    QUEUE "TC???FLUSH" { TCIFLUSH 0, TCOFLUSH 1, TCIOFLUSH 2 }
    FLOW "TC???" { TCOOFF 0, TCOON 1, TCIOFF 2, TCION 3 }
}

/// What a request points to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Points {
    /// It takes nothing.
    Nothing,
    /// A number in place of a pointer.
    Number,
    /// An `int` that the kernel reads.
    IntIn,
    /// An `int` that the kernel writes.
    IntOut,
    /// A process's number behind a pointer, read or written.
    Process(Way),
    Termios(Way),
    Termio(Way),
    Termios2(Way),
    WindowSize(Way),
    /// An interface's name in, the value of a kind out.
    Interface,
    /// All interfaces.
    InterfaceList,
    /// A 64-bit or pointer-sized number.
    LongOut,
    /// Flags of a file (chattr).
    FileFlags(Way),
    QueueChoice,
    FlowChoice,
    /// An open file's descriptor: FICLONE.
    FileDescriptor,
    /// Not known here: the address.
    Address,
}

/// Which way the data go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// What a request points to.
fn points(request: u32) -> Points {
    use Points::*;
    match request {
        0x5401 => Termios(Way::Out),
        0x5402..=0x5404 => Termios(Way::In),
        0x5405 => Termio(Way::Out),
        0x5406..=0x5408 => Termio(Way::In),
        0x802c_542a => Termios2(Way::Out),
        0x402c_542b..=0x402c_542d => Termios2(Way::In),
        0x5413 => WindowSize(Way::Out),
        0x5414 => WindowSize(Way::In),
        0x5409 | 0x5425 | 0x540e => Number,
        0x540a => FlowChoice,
        0x540b => QueueChoice,
        0x540f | 0x5429 => Process(Way::Out),
        0x5410 => Process(Way::In),
        0x5411
        | 0x541b
        | 0x5415
        | 0x5419
        | 0x5423
        | 0x5424
        | 0x8004_5430
        | 0x8004_5438..=0x8004_5440 => IntOut,
        0x5416..=0x5418 | 0x541a | 0x5421 | 0x5452 | 0x4004_5431 => IntIn,
        0x5450 | 0x5451 | 0x5422 | 0x540c | 0x540d | 0x541d | 0x5427 | 0x5428 => Nothing,
        0x8901 | 0x8902 => Process(Way::In),
        0x8903 | 0x8904 => Process(Way::Out),
        0x8905 | 0x4b33 | 0x4b44 => IntOut,
        0x8910
        | 0x8913..=0x8915
        | 0x8917
        | 0x8919
        | 0x891b
        | 0x891d
        | 0x8921
        | 0x8927
        | 0x8933
        | 0x8942
        | 0x8970 => Interface,
        0x8912 => InterfaceList,
        0x1261 | 0x125e | 0x125f | 0x4c01 => Nothing,
        0x1260 | 0x8008_1272 => LongOut,
        0x1268 => IntOut,
        0x4004_9409 => FileDescriptor,
        0x5441 | 0xaa00 => Number,
        0x8008_6601 => FileFlags(Way::Out),
        0x4008_6602 => FileFlags(Way::In),
        _ if made_by(request) == Some(Place::Result) && request >> 30 == 0 => Number,
        _ => Address,
    }
}

fn made_by(request: u32) -> Option<Place> {
    ioctls::ioctl(request).map(|row| row.place)
}

/// True if what is pointed to is written after the call.
fn is_output(points: Points) -> bool {
    use Points::*;
    matches!(
        points,
        IntOut
            | LongOut
            | Process(Way::Out)
            | Termios(Way::Out)
            | Termio(Way::Out)
            | Termios2(Way::Out)
            | WindowSize(Way::Out)
            | FileFlags(Way::Out)
            | InterfaceList
    )
}

const REQUEST: Argument = plain(|pen, r| {
    let request = pen.arg_u32(r);
    pen.request(request);
    let points = points(request);
    if points == Points::Nothing {
        return;
    }
    pen.text(", ");
    if points == Points::InterfaceList {
        let room = pen.memory.u32_at(pen.arg(r + 1)).unwrap_or(0);
        pen.state.saved[1] = room.into();
    }
    if points == Points::Interface {
        interface_before(pen, request, pen.arg(r + 1));
    } else if !is_output(points) {
        value(pen, points, request, r + 1);
    }
})
.also(1, When::Enter, What::Ioctl);

const AFTER: Argument = ended(|pen, r| {
    let request = pen.arg_u32(r - 1);
    let points = points(request);
    let address = pen.arg(r);
    match points {
        Points::Interface => interface_after(pen, request, address),
        _ if !is_output(points) => returned_descriptor(pen, request, address),
        _ if pen.failed() => pen.address(address),
        _ => value(pen, points, request, r),
    }
})
.glued()
.also(0, When::Exit, What::Ioctl);

/// A descriptor that the kernel left in the structure.
fn returned_descriptor(pen: &mut Pen, request: u32, address: u64) {
    let Some(Place::Struct(offset)) = made_by(request).filter(|_| !pen.failed()) else { return };
    let at = address.wrapping_add(offset.into());
    if let Some(fd) = pen.fetch(at, 4) {
        pen.text(" => {fd=");
        pen.fd(fd.i32(0) as i32);
        pen.text("}");
    }
}

fn value(pen: &mut Pen, points: Points, request: u32, r: u8) {
    let address = pen.arg(r);
    match points {
        Points::Number if request == 0x5441 => pen.hex(address),
        Points::Number => pen.signed(pen.arg_i32(r).into()),
        Points::IntIn | Points::IntOut => pen.pointed_int(address),
        Points::LongOut => {
            let size = if request == 0x1260 { pen.pointer() } else { 8 };
            pen.pointed(address, size, |pen, block| pen.unsigned(long(block, size)));
        }
        Points::Process(_) => pen.pointed(address, 4, |pen, block| pen.pid(block.i32(0) as i32)),
        Points::Termios(_) => termios::termios(pen, address, false),
        Points::Termios2(_) => termios::termios(pen, address, true),
        Points::Termio(_) => termios::termio(pen, address),
        Points::WindowSize(_) => termios::window(pen, address),
        Points::InterfaceList => interfaces(pen, address),
        Points::FileFlags(_) => {
            pen.pointed(address, 4, |pen, block| pen.flags(&FILE_FLAGS, block.u32(0)));
        }
        Points::QueueChoice => pen.choice(&QUEUE, address),
        Points::FlowChoice => pen.choice(&FLOW, address),
        Points::FileDescriptor => pen.signed(pen.arg_i32(r).into()),
        Points::Nothing | Points::Interface => {}
        Points::Address => pen.hex(address),
    }
}

fn long(block: &Block, size: usize) -> u64 {
    if size == 8 { block.u64(0) } else { block.u32(0) }
}

/// Bytes of an interface's name.
const NAME: usize = 16;

fn interface_before(pen: &mut Pen, request: u32, address: u64) {
    let Some(interface) = pen.fetch(address, 24) else { return };
    pen.state.saved[0] = 1;
    pen.text("{");
    match request {
        0x8910 => pen.field_d("ifr_ifindex", interface.i32(NAME)),
        _ => {
            pen.field("ifr_name");
            pen.quoted_until_zero(interface.slice(0, NAME));
        }
    }
}

fn interface_after(pen: &mut Pen, request: u32, address: u64) {
    if pen.state.saved[0] == 0 {
        return pen.address(address);
    }
    if let Some(interface) = pen.fetch(address, 32).filter(|_| !pen.failed()) {
        match request {
            0x8910 => {
                pen.field("ifr_name");
                pen.quoted_until_zero(interface.slice(0, NAME));
            }
            0x8915 | 0x8917 | 0x8919 | 0x891b => {
                let name = match request {
                    0x8915 => "ifr_addr",
                    0x8917 => "ifr_dstaddr",
                    0x8919 => "ifr_broadaddr",
                    _ => "ifr_netmask",
                };
                pen.field(name);
                if let Some(address) = pen.fetch(address.wrapping_add(NAME as u64), 16) {
                    pen.sockaddr(&address, 16);
                }
            }
            0x8913 => pen.field_f("ifr_flags", &INTERFACE_FLAGS, interface.u16(NAME)),
            0x8933 => pen.field_d("ifr_ifindex", interface.i32(NAME)),
            0x891d => pen.field_d("ifr_metric", interface.i32(NAME)),
            0x8921 => pen.field_d("ifr_mtu", interface.i32(NAME)),
            0x8942 => pen.field_d("ifr_qlen", interface.i32(NAME)),
            0x8927 => {
                pen.field("ifr_hwaddr");
                pen.text("{sa_family=");
                pen.choice(&super::sockaddr::HARDWARE, interface.u16(NAME));
                pen.field("sa_data");
                for (n, byte) in interface.slice(NAME + 2, 6).iter().enumerate() {
                    pen.text(if n == 0 { "" } else { ":" });
                    super::numbers::padded_hex(pen.out, (*byte).into(), 2);
                }
                pen.text("}");
            }
            _ => {}
        }
    }
    pen.text("}");
}

/// SIOCGIFCONF: a buffer of names and addresses.
fn interfaces(pen: &mut Pen, address: u64) {
    let word = pen.pointer();
    let size = 24 + 2 * word;
    let Some(list) = pen.fetch_or_address(address, 2 * word) else { return };
    pen.text("{ifc_len=");
    let length = list.i32(0).max(0);
    if pen.state.saved[1] != length as u64 {
        pen.signed(pen.state.saved[1] as i64);
        pen.text(" => ");
    }
    pen.signed(list.i32(0));
    if length > 0 {
        pen.text(" /* ");
        pen.signed(length / size as i64);
        pen.text(" * sizeof(struct ifreq) */");
    }
    pen.field("ifc_buf");
    if list.word(1) == 0 {
        pen.text("NULL}");
        return;
    }
    pen.array(list.word(1), length as u64 / size as u64, size, |pen, interface| {
        pen.text("{ifr_name=");
        pen.quoted_until_zero(interface.slice(0, NAME));
        pen.field("ifr_addr");
        let at = list_address(interface);
        pen.text("{sa_family=");
        pen.choice(&super::tables::network::FAMILY, interface.u16(NAME));
        if let Some(address) = at {
            pen.text(", sin_port=htons(");
            pen.unsigned(interface.be16(NAME + 2));
            pen.text("), sin_addr=");
            pen.inet_addr(&address);
        }
        pen.text("}}");
    });
    pen.text("}");
}

fn list_address(interface: &Block) -> Option<[u8; 4]> {
    (interface.u16(NAME) == 2).then(|| interface.slice(NAME + 4, 4).try_into().ok()).flatten()
}

impl Pen<'_> {
    /// A request by name, or by its parts.
    fn request(&mut self, request: u32) {
        use super::style::Xlat;
        let name = special(request).or_else(|| ioctl_name(request));
        match (name, self.style.xlat) {
            (_, Xlat::Raw) => self.hex(request.into()),
            (Some(name), Xlat::Abbrev) => self.text(name),
            (Some(name), Xlat::Verbose) => {
                self.hex(request.into());
                self.remark_in_place(name);
            }
            (None, _) => {
                self.text("_IOC(");
                self.flags(&DIRECTION, (request >> 30).into());
                for part in [request >> 8 & 0xff, request & 0xff, request >> 16 & 0x3fff] {
                    self.text(", ");
                    self.hex(part.into());
                }
                self.text(")");
            }
        }
    }
}

/// Names that later kernels brought, and requests whose size may vary.
fn special(request: u32) -> Option<&'static str> {
    if ioctl_name(request).is_some() {
        return None;
    }
    ioctls::ioctl(request).map(|row| row.name)
}

fn result(pen: &mut Pen, value: i64) {
    match made_by(pen.arg_u32(1)) {
        Some(Place::Result) => pen.fd(value as i32),
        _ => pen.signed(value),
    }
}

rows! {
    ioctl [FD, REQUEST, AFTER] Special(result);
}

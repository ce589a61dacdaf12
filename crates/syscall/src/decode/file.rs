//! Calls on paths: opening, naming, linking, owning, attributes, watching. `stat` has a file of its own.

use super::args::*;
use super::pen::Pen;
use super::row::{Argument, flags, input, output, plain, rows};
use super::tables::file::*;
use super::xlat::{Table, xlat};
use crate::arch::Arch;
use crate::capture::{Length, What, When};

xlat! {
    RESOLVE "RESOLVE_???" {
        RESOLVE_NO_XDEV 1, RESOLVE_NO_MAGICLINKS 2, RESOLVE_NO_SYMLINKS 4, RESOLVE_BENEATH 8, RESOLVE_IN_ROOT 16,
        RESOLVE_CACHED 32
    }
    ACCESS_MODE "O_???" { O_RDONLY 0, O_WRONLY 1, O_RDWR 2, O_ACCMODE 3 }
    OPEN_ARM "O_???" {
        O_CREAT 0x40, O_EXCL 0x80, O_NOCTTY 0x100, O_TRUNC 0x200, O_APPEND 0x400, O_NONBLOCK 0x800,
        O_SYNC 0x101000, O_DIRECT 0x10000, O_LARGEFILE 0x20000, O_NOFOLLOW 0x8000, O_NOATIME 0x40000,
        O_CLOEXEC 0x80000, O_PATH 0x200000, O_TMPFILE 0x404000, FASYNC 0x2000, O_DSYNC 0x1000,
        O_DIRECTORY 0x4000, __O_SYNC 0x100000, __O_TMPFILE 0x400000
    }
    FILE_KIND "S_IF???" {
        S_IFREG 0o100000, S_IFDIR 0o040000, S_IFCHR 0o020000, S_IFBLK 0o060000, S_IFIFO 0o010000,
        S_IFLNK 0o120000, S_IFSOCK 0o140000
    }
}

const O_CREAT: u64 = 0o100;
const TMPFILE: u64 = 0o20_000_000;

/// Flags of open, then the mode if they ask for one.
const OPEN_FLAGS: Argument = plain(|pen, r| {
    let flags = pen.arg_u32(r).into();
    pen.open_flags(flags);
    if flags & (O_CREAT | TMPFILE) != 0 {
        pen.text(", ");
        pen.permissions((pen.arg(r + 1) as u16).into());
    }
})
.taking(2);

/// Flags such as pipe2 and dup3 take.
pub(crate) const O_FLAGS: Argument = plain(|pen, r| {
    let table = pen.open_table();
    pen.flags(table, pen.arg_u32(r).into());
});

const HOW: Argument = input(how, What::Bytes(Length::Argument(3)));

fn how(pen: &mut Pen, r: u8) {
    let size = pen.arg(r + 1);
    let Some(how) = pen.fetch_or_address(pen.arg(r), size.clamp(1, 24) as usize) else { return };
    if size < 24 {
        return pen.overwrite_with_address(pen.arg(r));
    }
    pen.text("{flags=");
    pen.open_flags(how.u64(0));
    if how.u64(8) != 0 || how.u64(0) & (O_CREAT | TMPFILE) != 0 {
        pen.field("mode");
        pen.permissions(how.u64(8));
    }
    pen.field_f("resolve", &RESOLVE, how.u64(16));
    pen.unknown_tail(pen.arg(r), 24, size);
    pen.text("}");
}

/// What readlink wrote.
const LINK: Argument = RETURNED;
const CWD: Argument = output(
    |pen, r| pen.path_of(pen.arg(r), (pen.returned().unwrap_or(0) - 1).max(0) as u64),
    What::Bytes(Length::Returned),
);
/// A mode with its kind, then the device for those that have one.
const NODE: Argument = plain(|pen, r| {
    let mode = pen.arg_u32(r) & 0xffff;
    pen.mode(mode.into());
    if matches!(mode & 0o170_000, 0o020_000 | 0o060_000) {
        pen.text(", ");
        pen.device(new_device(pen.arg_u32(r + 1).into()));
    }
})
.taking(2);
const UTIMBUF: Argument = input(
    |pen, r| {
        let word = pen.pointer();
        let Some(times) = pen.fetch_or_address(pen.arg(r), 2 * word) else { return };
        for (name, value) in [("{actime=", times.long(0)), (", modtime=", times.long(1))] {
            pen.text(name);
            pen.signed(value);
            pen.date(value, 0);
        }
        pen.text("}");
    },
    What::Bytes(Length::Const(16)),
);
const UTIMEVALS: Argument = input(
    |pen, r| {
        pen.dated_pair(pen.arg(r), |pen, pair| {
            pen.timeval(pair);
            pen.date(pair.0, pair.1.saturating_mul(1000));
        })
    },
    What::Bytes(Length::Const(32)),
);
const UTIMESPECS: Argument = input(
    |pen, r| {
        pen.dated_pair(pen.arg(r), |pen, pair| match pair.1 {
            0x3fff_ffff => special_time(pen, pair, "UTIME_NOW"),
            0x3fff_fffe => special_time(pen, pair, "UTIME_OMIT"),
            _ => {
                pen.timespec(pair);
                pen.date(pair.0, pair.1);
            }
        })
    },
    What::Bytes(Length::Const(32)),
);
const HANDLE_OUT: Argument = super::row::ended(|pen, r| {
    let address = pen.arg(r);
    let Some(head) = pen.fetch_or_address(address, 8) else { return };
    pen.text("{handle_bytes=");
    pen.unsigned(pen.state.saved[0]);
    if head.u32(0) != pen.state.saved[0] {
        pen.text(" => ");
        pen.unsigned(head.u32(0));
    }
    if !pen.failed() {
        pen.field_d("handle_type", head.i32(4));
        pen.field("f_handle");
        pen.hex_bytes(address.wrapping_add(8), head.u32(0).min(128));
    }
    pen.text("}");
})
.also(0, When::Enter, What::Bytes(Length::Const(8)))
.also(0, When::Exit, What::Bytes(Length::Const(136)));
const HANDLE_IN: Argument = input(
    |pen, r| {
        let address = pen.arg(r);
        let Some(head) = pen.fetch_or_address(address, 8) else { return };
        pen.text("{handle_bytes=");
        pen.unsigned(head.u32(0));
        pen.field_d("handle_type", head.i32(4));
        pen.field("f_handle");
        pen.hex_bytes(address.wrapping_add(8), head.u32(0).min(128));
        pen.text("}");
    },
    What::Bytes(Length::Const(136)),
);
const EVENT_FLAGS: Argument = plain(|pen, r| pen.open_flags(pen.arg_u32(r).into()));

fn special_time(pen: &mut Pen, pair: (i64, i64), name: &str) {
    pen.meaning(|pen| pen.timespec(pair), |pen| pen.text(name));
}

/// `dev_t` as user space passes it to the kernel, as major and minor.
pub(crate) fn new_device(device: u64) -> (u64, u64) {
    let major = device >> 8 & 0xfff | device >> 32 & 0xffff_f000;
    (major, device & 0xff | device >> 12 & 0xffff_ff00)
}

impl Pen<'_> {
    /// The flags of open on the call's processor.
    pub fn open_table(&self) -> &'static Table {
        if self.call.arch == Arch::Aarch64 { &OPEN_ARM } else { &OPEN }
    }

    /// The access mode and flags of open.
    pub fn open_flags(&mut self, value: u64) {
        let table = self.open_table();
        self.mode_and_flags(&ACCESS_MODE, 3, table, value);
    }

    /// One value of a table in some bits, flags in the others.
    pub fn mode_and_flags(&mut self, modes: &Table, mask: u64, table: &Table, value: u64) {
        use super::style::Xlat;
        if self.style.xlat == Xlat::Raw {
            return self.hex(value);
        }
        let verbose = self.style.xlat == Xlat::Verbose;
        if verbose {
            self.hex(value);
            self.text(" /* ");
        }
        match modes.name(value & mask) {
            Some(name) => self.text(name),
            None => {
                self.hex(value & mask);
                self.remark_in_place(modes.unknown);
            }
        }
        if value & !mask != 0 {
            self.text("|");
            let rest = self.flag_names(table, value & !mask);
            if rest != 0 {
                if rest != value & !mask {
                    self.text("|");
                }
                self.hex(rest);
            }
        }
        if verbose {
            self.text(" */");
        }
    }

    /// A mode with its kind: `S_IFREG|0644`.
    pub fn mode(&mut self, mode: u64) {
        use super::style::Xlat;
        let kind = mode & 0o170_000;
        let Some(name) = FILE_KIND.name(kind).filter(|_| self.style.xlat != Xlat::Raw) else {
            return self.permissions(mode);
        };
        let verbose = self.style.xlat == Xlat::Verbose;
        if verbose {
            self.permissions(mode);
            self.text(" /* ");
        }
        self.text(name);
        for (bit, name) in [(0o4000, "|S_ISUID"), (0o2000, "|S_ISGID"), (0o1000, "|S_ISVTX")] {
            if mode & bit != 0 {
                self.text(name);
            }
        }
        self.text("|");
        self.permissions(mode & 0o777);
        if verbose {
            self.text(" */");
        }
    }

    /// A device: `makedev(0x8, 0x1)`.
    pub fn device(&mut self, (major, minor): (u64, u64)) {
        let number = (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12;
        self.meaning(
            |pen| pen.hex(number | (major & !0xfff) << 32),
            |pen| {
                pen.text("makedev(");
                pen.hex(major);
                pen.text(", ");
                pen.hex(minor);
                pen.text(")");
            },
        );
    }

    /// Bytes of a structure that is longer than known here, if any is not zero.
    pub fn unknown_tail(&mut self, address: u64, known: u64, size: u64) {
        let length = size.saturating_sub(known).min(4096);
        if length == 0 {
            return;
        }
        let mut bytes = vec![0; length as usize];
        let at = address.wrapping_add(known);
        if self.memory.read(at, &mut bytes) < bytes.len() {
            self.text(", ???");
        } else if bytes.iter().any(|b| *b != 0) {
            self.next();
            self.text("/* bytes ");
            self.unsigned(known);
            self.text("..");
            self.unsigned(size - 1);
            self.text(" */ ");
            let mut hex = Vec::new();
            super::quote(&mut hex, &bytes, super::Quote::HexAll);
            self.out.extend_from_slice(&hex);
        }
    }

    /// Only an address, where a structure is too short.
    pub fn overwrite_with_address(&mut self, address: u64) {
        self.address(address);
    }

    /// Two times in brackets.
    fn dated_pair(&mut self, address: u64, write: fn(&mut Pen, (i64, i64))) {
        let Some([first, second]) = self.time_pairs(address) else {
            return self.address(address);
        };
        self.text("[");
        write(self, first);
        self.text(", ");
        write(self, second);
        self.text("]");
    }

    /// Bytes in quotes, in hexadecimal whatever the style.
    fn hex_bytes(&mut self, address: u64, length: u64) {
        let Some(block) = self.fetch_or_address(address, length as usize) else { return };
        super::quote(self.out, block.bytes(), super::Quote::HexAll);
    }
}

/// Remembers what a counter was before the call; writes nothing.
pub(crate) fn remember_u32(pen: &mut Pen, r: u8) {
    pen.state.saved[0] = pen.memory.u32_at(pen.arg(r)).unwrap_or(0).into();
}

const PATH_AND_HANDLE: Argument = input(
    |pen, r| {
        pen.path(pen.arg(r));
        remember_u32(pen, r + 1);
    },
    What::CString,
);

rows! {
    open [PATH, OPEN_FLAGS] Fd;
    openat [DIRFD, PATH, OPEN_FLAGS] Fd;
    openat2 [DIRFD, PATH, HOW, SIZE] Fd;
    creat [PATH, MODE] Fd;
    access [PATH, flags(&ACCESS)] Decimal;
    faccessat [DIRFD, PATH, flags(&ACCESS)] Decimal;
    faccessat2 [DIRFD, PATH, flags(&ACCESS), flags(&ACCESSAT)] Decimal;
    unlink [PATH] Decimal;
    unlinkat [DIRFD, PATH, flags(&AT)] Decimal;
    rmdir [PATH] Decimal;
    mkdir [PATH, MODE] Decimal;
    mkdirat [DIRFD, PATH, MODE] Decimal;
    mknod [PATH, NODE] Decimal;
    mknodat [DIRFD, PATH, NODE] Decimal;
    rename [PATH, PATH] Decimal;
    renameat [DIRFD, PATH, DIRFD, PATH] Decimal;
    renameat2 [DIRFD, PATH, DIRFD, PATH, flags(&RENAME)] Decimal;
    link [PATH, PATH] Decimal;
    linkat [DIRFD, PATH, DIRFD, PATH, flags(&AT)] Decimal;
    symlink [PATH, PATH] Decimal;
    symlinkat [PATH, DIRFD, PATH] Decimal;
    readlink [PATH, LINK, SIZE] Decimal;
    readlinkat [DIRFD, PATH, LINK, SIZE] Decimal;
    getcwd [CWD, SIZE] Decimal;
    chdir [PATH] Decimal;
    fchdir [FD] Decimal;
    chroot [PATH] Decimal;
    chmod [PATH, MODE] Decimal;
    fchmod [FD, MODE] Decimal;
    fchmodat [DIRFD, PATH, MODE] Decimal;
    fchmodat2 [DIRFD, PATH, MODE, flags(&AT)] Decimal;
    chown [PATH, UID, UID] Decimal;
    lchown [PATH, UID, UID] Decimal;
    fchown [FD, UID, UID] Decimal;
    chown32 [PATH, UID, UID] Decimal;
    lchown32 [PATH, UID, UID] Decimal;
    fchown32 [FD, UID, UID] Decimal;
    fchownat [DIRFD, PATH, UID, UID, flags(&AT)] Decimal;
    truncate [PATH, LONG] Decimal;
    truncate64 [PATH, super::row::OFFSET] Decimal;
    utime [PATH, UTIMBUF] Decimal;
    utimes [PATH, UTIMEVALS] Decimal;
    futimesat [DIRFD, PATH, UTIMEVALS] Decimal;
    utimensat [DIRFD, PATH, UTIMESPECS, flags(&AT)] Decimal;
    utimensat_time64 [DIRFD, PATH, UTIMESPECS, flags(&AT)] Decimal;
    acct [PATH] Decimal;
    uselib [PATH] Decimal;
    name_to_handle_at [DIRFD, PATH_AND_HANDLE, HANDLE_OUT, INT_OUT, flags(&NAME_TO_HANDLE)] Decimal;
    open_by_handle_at [FD, HANDLE_IN, EVENT_FLAGS] Fd;
}

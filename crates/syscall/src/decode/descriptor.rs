//! Calls on descriptors: reading, writing, moving data, copying, closing, locking, and what else makes them.

use super::args::*;
use super::file::O_FLAGS;
use super::pen::{Block, Pen};
use super::row::{Argument, OFFSET, OFFSET_PAIR, choice, flags, input, output, plain, rows};
use super::signal::{SIGSET_IN, SIGSET_SIZE};
use super::tables::file::*;
use super::time::{ITIMERSPEC_IN, ITIMERSPEC_OUT};
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    RWF "RWF_???" { RWF_HIPRI 1, RWF_DSYNC 2, RWF_SYNC 4, RWF_NOWAIT 8, RWF_APPEND 16, RWF_NOAPPEND 32, RWF_ATOMIC 64, RWF_DONTCACHE 128 }
    DIRECTORY_TYPE "DT_???" {
        DT_UNKNOWN 0, DT_FIFO 1, DT_CHR 2, DT_DIR 4, DT_BLK 6, DT_REG 8, DT_LNK 10, DT_SOCK 12, DT_WHT 14
    }
}

/// Vectors of data that the call writes.
const IOVEC_IN: Argument = input(
    |pen, r| pen.iovec(pen.arg(r), pen.arg(r + 1), u64::MAX),
    What::Iovec { count: 2, total: Length::Limit },
);
/// Vectors of data that the call read.
const IOVEC_OUT: Argument = super::row::ended(|pen, r| match pen.returned() {
    Some(read) => pen.iovec(pen.arg(r), pen.arg(r + 1), read.max(0) as u64),
    None => pen.iovec_addresses(pen.arg(r), pen.arg(r + 1)),
})
.also(0, When::Exit, What::Iovec { count: 2, total: Length::Returned });
/// Two descriptors behind a pointer.
pub(crate) const PAIR: Argument =
    output(|pen, r| pen.pair(pen.arg(r)), What::Bytes(Length::Const(8)));
const POSITION_IN: Argument = input(
    |pen, r| pen.pointed(pen.arg(r), 8, |pen, b| pen.signed(b.u64(0) as i64)),
    What::Bytes(Length::Const(8)),
);
const POSITION_OUT: Argument = output(
    |pen, r| pen.pointed(pen.arg(r), 8, |pen, b| pen.signed(b.u64(0) as i64)),
    What::Bytes(Length::Const(8)),
);
/// An offset whose upper half comes first.
const LLSEEK: Argument =
    plain(|pen, r| pen.signed((pen.arg(r) << 32 | pen.arg(r + 1)) as i64)).taking(2);
/// The position that sendfile reads and writes; what it was and, if the call moved it, what it is.
const SENDFILE_BEFORE: Argument = input(
    |pen, r| {
        let size = pen.sendfile_bytes();
        pen.pointed(pen.arg(r), size, |pen, b| pen.unsigned(position(b, size)));
    },
    What::Bytes(Length::Const(8)),
)
.also(0, When::Exit, What::Bytes(Length::Const(8)));
const SENDFILE_AFTER: Argument = super::row::ended(|pen, r| {
    let size = pen.sendfile_bytes();
    let address = pen.arg(r - 1);
    if pen.returned().is_some_and(|sent| sent > 0) && pen.fetch(address, size).is_some() {
        pen.text(" => ");
        pen.pointed(address, size, |pen, b| pen.unsigned(position(b, size)));
    }
    pen.text(", ");
    pen.unsigned(pen.arg(r));
})
.glued();
const MEMFD_FLAGS: Argument = plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    if value >> 26 == 0 {
        return pen.flags(&MEMFD, value);
    }
    pen.meaning(
        |pen| pen.hex(value),
        |pen| {
            let rest = value & 0x3ff_ffff;
            if rest != 0 {
                pen.by_name(|pen| pen.bare_flags(&MEMFD, rest));
                pen.text("|");
            }
            pen.unsigned(value >> 26);
            pen.text("<<MFD_HUGE_SHIFT");
        },
    );
});
const MEMFD_NAME: Argument = input(|pen, r| pen.string_up_to(pen.arg(r), 249), What::CString);
const DIRECTORY: Argument = output(directory, What::Bytes(Length::Returned));

fn position(block: &Block, size: usize) -> u64 {
    if size == 8 { block.u64(0) } else { block.u32(0) }
}

fn directory(pen: &mut Pen, r: u8) {
    let wide = pen.name == "getdents64";
    let length = pen.returned().unwrap_or(0).clamp(0, 1 << 20) as usize;
    let mut bytes = vec![0; length];
    let address = pen.arg(r);
    if length > 0 && pen.memory.read(address, &mut bytes) < length || !pen.style.dereference {
        return pen.address(address);
    }
    let entries = entries(&bytes, if wide { 8 } else { pen.pointer() });
    if pen.style.abbreviate {
        pen.address(address);
        pen.text(" /* ");
        pen.unsigned(entries.len() as u64);
        return pen.text(" entries */");
    }
    pen.text("[");
    for entry in entries {
        pen.next();
        pen.directory_entry(entry, wide);
    }
    pen.text("]");
}

/// The records of a directory buffer, whose length stands behind two numbers of so many bytes.
fn entries(mut bytes: &[u8], number: usize) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    while let Some(&[a, b]) = bytes.get(2 * number..2 * number + 2) {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let Some(entry) = bytes.get(..length).filter(|entry| entry.len() > 2 * number) else {
            break;
        };
        entries.push(entry);
        bytes = &bytes[length..];
    }
    entries
}

impl Pen<'_> {
    fn directory_entry(&mut self, entry: &[u8], wide: bool) {
        let number = if wide { 8 } else { self.pointer() };
        let word = |n: usize| crate::memory::word_in(entry, n * number, number).unwrap_or(0);
        let kind = if wide { entry.get(18) } else { entry.last() }.copied().unwrap_or(0);
        self.text("{");
        self.field_u("d_ino", word(0));
        self.field_u("d_off", word(1));
        self.field_u("d_reclen", entry.len() as u64);
        if wide {
            self.field_c("d_type", &DIRECTORY_TYPE, kind.into());
        }
        self.field("d_name");
        let name = entry.get(2 * number + if wide { 3 } else { 2 }..).unwrap_or(&[]);
        self.quoted_until_zero(name);
        if !wide {
            self.field_c("d_type", &DIRECTORY_TYPE, kind.into());
        }
        self.text("}");
    }

    fn sendfile_bytes(&self) -> usize {
        if self.name == "sendfile64" { 8 } else { self.pointer() }
    }

    /// Two descriptors: `[3, 4]`.
    pub fn pair(&mut self, address: u64) {
        self.pointed(address, 8, |pen, block| {
            pen.fd(block.i32(0) as i32);
            pen.text(", ");
            pen.fd(block.i32(4) as i32);
        });
    }

    /// `struct iovec`s with their data, of which so many bytes in all are of interest.
    pub fn iovec(&mut self, address: u64, count: u64, total: u64) {
        self.iovec_by(address, count, total, |pen, base, length| pen.data(base, length));
    }

    /// The same, with a writer of the data.
    pub fn iovec_by(
        &mut self,
        address: u64,
        count: u64,
        total: u64,
        mut data: impl FnMut(&mut Pen, u64, u64),
    ) {
        let word = self.pointer();
        let mut left = total;
        self.array(address, count, 2 * word, |pen, vector| {
            let (base, length) = (vector.word(0), vector.word(1));
            let shown = length.min(left);
            left -= shown;
            pen.text("{iov_base=");
            data(pen, base, shown);
            pen.text(", iov_len=");
            pen.unsigned(length);
            pen.text("}");
        });
    }

    /// The same without the data.
    pub fn iovec_addresses(&mut self, address: u64, count: u64) {
        let word = self.pointer();
        self.array(address, count, 2 * word, |pen, vector| {
            pen.text("{iov_base=");
            pen.address(vector.word(0));
            pen.text(", iov_len=");
            pen.unsigned(vector.word(1));
            pen.text("}");
        });
    }
}

rows! {
    read [FD, RETURNED, SIZE] Decimal;
    write [FD, data(2), SIZE] Decimal;
    pread64 [FD, RETURNED, SIZE, OFFSET] Decimal;
    pwrite64 [FD, data(2), SIZE, OFFSET] Decimal;
    readv [FD, IOVEC_OUT, SIZE] Decimal;
    writev [FD, IOVEC_IN, SIZE] Decimal;
    preadv [FD, IOVEC_OUT, SIZE, OFFSET_PAIR] Decimal;
    pwritev [FD, IOVEC_IN, SIZE, OFFSET_PAIR] Decimal;
    preadv2 [FD, IOVEC_OUT, SIZE, OFFSET_PAIR, flags(&RWF)] Decimal;
    pwritev2 [FD, IOVEC_IN, SIZE, OFFSET_PAIR, flags(&RWF)] Decimal;
    vmsplice [FD, IOVEC_IN, SIZE, flags(&SPLICE)] Decimal;
    close [FD] Decimal;
    close_range [UINT, UINT, flags(&CLOSE_RANGE)] Decimal;
    dup [FD] Fd;
    dup2 [FD, FD] Fd;
    dup3 [FD, FD, O_FLAGS] Fd;
    pipe [PAIR] Decimal;
    pipe2 [PAIR, O_FLAGS] Decimal;
    lseek [FD, LONG, choice(&SEEK)] Decimal;
    _llseek [FD, LLSEEK, POSITION_OUT, choice(&SEEK)] Decimal;
    ftruncate [FD, LONG] Decimal;
    ftruncate64 [FD, OFFSET] Decimal;
    fsync [FD] Decimal;
    fdatasync [FD] Decimal;
    syncfs [FD] Decimal;
    sync [] Decimal;
    sync_file_range [FD, OFFSET, OFFSET, flags(&SYNC_RANGE)] Decimal;
    fallocate [FD, flags(&FALLOCATE), OFFSET, OFFSET] Decimal;
    fadvise64 [FD, OFFSET, SIZE, choice(&FADVISE)] Decimal;
    fadvise64_64 [FD, OFFSET, OFFSET, choice(&FADVISE)] Decimal;
    readahead [FD, OFFSET, SIZE] Decimal;
    flock [FD, flags(&FLOCK)] Decimal;
    getdents [FD, DIRECTORY, UINT] Decimal;
    getdents64 [FD, DIRECTORY, UINT] Decimal;
    sendfile [FD, FD, SENDFILE_BEFORE, SENDFILE_AFTER] Decimal;
    sendfile64 [FD, FD, SENDFILE_BEFORE, SENDFILE_AFTER] Decimal;
    splice [FD, POSITION_IN, FD, POSITION_IN, SIZE, flags(&SPLICE)] Decimal;
    tee [FD, FD, SIZE, flags(&SPLICE)] Decimal;
    copy_file_range [FD, POSITION_IN, FD, POSITION_IN, SIZE, UINT] Decimal;
    cachestat [FD, ADDRESS, ADDRESS, HEX32] Decimal;
    eventfd [UINT] Fd;
    eventfd2 [UINT, flags(&EVENTFD)] Fd;
    signalfd [FD, SIGSET_IN, SIGSET_SIZE] Fd;
    signalfd4 [FD, SIGSET_IN, SIGSET_SIZE, flags(&SIGNALFD)] Fd;
    timerfd_create [choice(&super::tables::signal::CLOCK), flags(&TIMERFD)] Fd;
    timerfd_settime [FD, flags(&TIMERFD), ITIMERSPEC_IN, ITIMERSPEC_OUT] Decimal;
    timerfd_settime64 [FD, flags(&TIMERFD), ITIMERSPEC_IN, ITIMERSPEC_OUT] Decimal;
    timerfd_gettime [FD, ITIMERSPEC_OUT] Decimal;
    timerfd_gettime64 [FD, ITIMERSPEC_OUT] Decimal;
    memfd_create [MEMFD_NAME, MEMFD_FLAGS] Fd;
    memfd_secret [O_FLAGS] Fd;
    userfaultfd [flags(&USERFAULTFD)] Fd;
    pidfd_open [PID, flags(&PIDFD)] Fd;
    pidfd_getfd [FD, INT, HEX32] Fd;
}

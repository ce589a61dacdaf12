//! What files and file systems are: the stat family, statx, the statfs family.

use super::args::*;
use super::file::new_device;
use super::pen::{Block, Pen};
use super::row::{Argument, flags, output, rows};
use super::tables::file::{AT, STATX_MASK};
use super::xlat::xlat;
use crate::arch::Arch;
use crate::capture::{Length, What};

/// `struct stat`, whatever its layout was.
struct Stat {
    device: (u64, u64),
    inode: u64,
    mode: u64,
    links: u64,
    uid: u64,
    gid: u64,
    special: (u64, u64),
    size: u64,
    block_size: u64,
    blocks: u64,
    /// Seconds and nanoseconds of last access, change of data, change of inode.
    times: [(i64, i64); 3],
}

/// Layouts of `struct stat`.
#[derive(Clone, Copy)]
enum Layout {
    X64,
    Generic,
    I386,
    I386Wide,
    Old,
}

impl Layout {
    fn bytes(self) -> usize {
        match self {
            Layout::X64 => 144,
            Layout::Generic => 128,
            Layout::I386 => 64,
            Layout::I386Wide => 96,
            Layout::Old => 32,
        }
    }

    fn parse(self, b: &Block) -> Stat {
        match self {
            Layout::X64 => Stat {
                device: new_device(b.u64(0)),
                inode: b.u64(8),
                mode: b.u32(24),
                links: b.u64(16),
                uid: b.u32(28),
                gid: b.u32(32),
                special: new_device(b.u64(40)),
                size: b.u64(48),
                block_size: b.u64(56),
                blocks: b.u64(64),
                times: [72, 88, 104].map(|at| (b.u64(at) as i64, b.u64(at + 8) as i64)),
            },
            Layout::Generic => Stat {
                device: new_device(b.u64(0)),
                inode: b.u64(8),
                mode: b.u32(16),
                links: b.u32(20),
                uid: b.u32(24),
                gid: b.u32(28),
                special: new_device(b.u64(32)),
                size: b.u64(48),
                block_size: b.u32(56),
                blocks: b.u64(64),
                times: [72, 88, 104].map(|at| (b.u64(at) as i64, b.u64(at + 8) as i64)),
            },
            Layout::I386 => Stat {
                device: new_device(b.u32(0)),
                inode: b.u32(4),
                mode: b.u16(8),
                links: b.u16(10),
                uid: b.u16(12),
                gid: b.u16(14),
                special: new_device(b.u32(16)),
                size: b.u32(20),
                block_size: b.u32(24),
                blocks: b.u32(28),
                times: [32, 40, 48].map(|at| (b.i32(at), b.i32(at + 4))),
            },
            Layout::I386Wide => Stat {
                device: new_device(b.u64(0)),
                inode: b.u64(88),
                mode: b.u32(16),
                links: b.u32(20),
                uid: b.u32(24),
                gid: b.u32(28),
                special: new_device(b.u64(32)),
                size: b.u64(44),
                block_size: b.u32(52),
                blocks: b.u64(56),
                times: [64, 72, 80].map(|at| (b.i32(at), b.i32(at + 4))),
            },
            Layout::Old => Stat {
                device: new_device(b.u16(0)),
                inode: b.u16(2),
                mode: b.u16(4),
                links: b.u16(6),
                uid: b.u16(8),
                gid: b.u16(10),
                special: new_device(b.u16(12)),
                size: b.u32(16),
                block_size: 0,
                blocks: 0,
                times: [20, 24, 28].map(|at| (b.i32(at), 0)),
            },
        }
    }
}

const STAT: Argument = output(stat, What::Bytes(Length::Const(144)));

fn stat(pen: &mut Pen, r: u8) {
    let layout = match pen.call.arch {
        Arch::I386 if pen.name.starts_with("old") => Layout::Old,
        Arch::I386 if pen.name.ends_with("64") => Layout::I386Wide,
        Arch::I386 => Layout::I386,
        Arch::Aarch64 => Layout::Generic,
        Arch::X86_64 => Layout::X64,
    };
    let Some(block) = pen.fetch_or_address(pen.arg(r), layout.bytes()) else { return };
    pen.stat(&layout.parse(&block), matches!(layout, Layout::Old));
}

impl Pen<'_> {
    fn stat(&mut self, stat: &Stat, old: bool) {
        let is_device = matches!(stat.mode & 0o170_000, 0o020_000 | 0o060_000);
        self.text("{");
        if !self.style.abbreviate {
            self.field("st_dev");
            self.device(stat.device);
            self.field_u("st_ino", stat.inode);
        }
        self.field("st_mode");
        self.mode(stat.mode);
        if !self.style.abbreviate {
            self.field_u("st_nlink", stat.links);
            self.field_u("st_uid", stat.uid);
            self.field_u("st_gid", stat.gid);
            if !old {
                self.field_u("st_blksize", stat.block_size);
                self.field_u("st_blocks", stat.blocks);
            }
        }
        if is_device {
            self.field("st_rdev");
            self.device(stat.special);
        } else {
            self.field_u("st_size", stat.size);
        }
        if self.style.abbreviate {
            return self.rest();
        }
        for ((name, parts), (seconds, nanoseconds)) in [
            ("st_atime", "st_atime_nsec"),
            ("st_mtime", "st_mtime_nsec"),
            ("st_ctime", "st_ctime_nsec"),
        ]
        .into_iter()
        .zip(stat.times)
        {
            self.field_d(name, seconds);
            self.date(seconds, nanoseconds);
            if !old {
                self.field_d(parts, nanoseconds);
            }
        }
        self.text("}");
    }
}

xlat! {
    ATTRIBUTES "STATX_ATTR_???" {
        STATX_ATTR_COMPRESSED 4, STATX_ATTR_IMMUTABLE 0x10, STATX_ATTR_APPEND 0x20, STATX_ATTR_NODUMP 0x40,
        STATX_ATTR_ENCRYPTED 0x800, STATX_ATTR_AUTOMOUNT 0x1000, STATX_ATTR_MOUNT_ROOT 0x2000,
        STATX_ATTR_VERITY 0x100000, STATX_ATTR_DAX 0x200000, STATX_ATTR_WRITE_ATOMIC 0x400000
    }
    SYNC "AT_STATX_???" { AT_STATX_SYNC_AS_STAT 0, AT_STATX_FORCE_SYNC 0x2000, AT_STATX_DONT_SYNC 0x4000 }
    MAGIC "???" {
        ADFS_SUPER_MAGIC 0xadf5, AFFS_SUPER_MAGIC 0xadff, AFS_SUPER_MAGIC 0x5346414f, ANON_INODE_FS_MAGIC 0x09041934,
        AUTOFS_SUPER_MAGIC 0x187, BDEVFS_MAGIC 0x62646576, BFS_SUPER_MAGIC 0x1badface, BPF_FS_MAGIC 0xcafe4a11,
        BTRFS_SUPER_MAGIC 0x9123683e, CEPH_SUPER_MAGIC 0x00c36400, CGROUP_SUPER_MAGIC 0x27e0eb,
        CGROUP2_SUPER_MAGIC 0x63677270, CIFS_MAGIC_NUMBER 0xff534d42, CODA_SUPER_MAGIC 0x73757245,
        CONFIGFS_MAGIC 0x62656570, CRAMFS_MAGIC 0x28cd3d45, DEBUGFS_MAGIC 0x64626720, DEVPTS_SUPER_MAGIC 0x1cd1,
        ECRYPTFS_SUPER_MAGIC 0xf15f, EFIVARFS_MAGIC 0xde5e81e4, EROFS_SUPER_MAGIC_V1 0xe0f5e1e2,
        EXFAT_SUPER_MAGIC 0x2011bab0, EXT2_SUPER_MAGIC 0xef53, F2FS_SUPER_MAGIC 0xf2f52010, FUSE_SUPER_MAGIC 0x65735546,
        HUGETLBFS_MAGIC 0x958458f6, ISOFS_SUPER_MAGIC 0x9660, JFFS2_SUPER_MAGIC 0x72b6, MQUEUE_MAGIC 0x19800202,
        MSDOS_SUPER_MAGIC 0x4d44, NFS_SUPER_MAGIC 0x6969, NILFS_SUPER_MAGIC 0x3434, NSFS_MAGIC 0x6e736673,
        OCFS2_SUPER_MAGIC 0x7461636f, OVERLAYFS_SUPER_MAGIC 0x794c7630, PIPEFS_MAGIC 0x50495045, PROC_SUPER_MAGIC 0x9fa0,
        PSTOREFS_MAGIC 0x6165676c, RAMFS_MAGIC 0x858458f6, REISERFS_SUPER_MAGIC 0x52654973, SECURITYFS_MAGIC 0x73636673,
        SELINUX_MAGIC 0xf97cff8c, SMB_SUPER_MAGIC 0x517b, SMB2_MAGIC_NUMBER 0xfe534d42, SOCKFS_MAGIC 0x534f434b,
        SQUASHFS_MAGIC 0x73717368, SYSFS_MAGIC 0x62656572, TMPFS_MAGIC 0x01021994, TRACEFS_MAGIC 0x74726163,
        UDF_SUPER_MAGIC 0x15013346, V9FS_MAGIC 0x01021997, XFS_SUPER_MAGIC 0x58465342, ZONEFS_MAGIC 0x5a4f4653
    }
    MOUNT_STATE "ST_???" {
        ST_VALID 0x20, ST_RDONLY 1, ST_NOSUID 2, ST_NODEV 4, ST_NOEXEC 8, ST_SYNCHRONOUS 16, ST_MANDLOCK 64,
        ST_NOATIME 0x400, ST_NODIRATIME 0x800, ST_RELATIME 0x1000, ST_NOSYMFOLLOW 0x2000
    }
}

const STATX_FLAGS: Argument = super::row::plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    // Two sets of flags, each shown on its own.
    pen.choice(&SYNC, value & 0x6000);
    if value & !0x6000 != 0 {
        pen.text("|");
        pen.bare_flags(&AT, value & !0x6000);
    }
});

const STATX: Argument = output(statx, What::Bytes(Length::Const(256)));

fn statx(pen: &mut Pen, r: u8) {
    let Some(x) = pen.fetch_or_address(pen.arg(r), 256) else { return };
    let whole = !pen.style.abbreviate;
    pen.text("{");
    pen.field_f("stx_mask", &STATX_MASK, x.u32(0));
    if whole {
        pen.field_u("stx_blksize", x.u32(4));
    }
    pen.field_f("stx_attributes", &ATTRIBUTES, x.u64(8));
    if whole {
        pen.field_u("stx_nlink", x.u32(16));
        pen.field_u("stx_uid", x.u32(20));
        pen.field_u("stx_gid", x.u32(24));
    }
    pen.field("stx_mode");
    pen.mode(x.u16(28));
    if whole {
        pen.field_u("stx_ino", x.u64(32));
    }
    pen.field_u("stx_size", x.u64(40));
    if !whole {
        return pen.rest();
    }
    pen.field_u("stx_blocks", x.u64(48));
    pen.field_f("stx_attributes_mask", &ATTRIBUTES, x.u64(56));
    for (name, at) in [("stx_atime", 64), ("stx_btime", 80), ("stx_ctime", 96), ("stx_mtime", 112)]
    {
        let (seconds, nanoseconds) = (x.u64(at) as i64, x.u32(at + 8) as i64);
        pen.field(name);
        pen.timespec((seconds, nanoseconds));
        pen.date(seconds, nanoseconds);
    }
    for (name, at) in [
        ("stx_rdev_major", 128),
        ("stx_rdev_minor", 132),
        ("stx_dev_major", 136),
        ("stx_dev_minor", 140),
    ] {
        pen.field_u(name, x.u32(at));
    }
    pen.field_x("stx_mnt_id", x.u64(144));
    pen.field_u("stx_dio_mem_align", x.u32(152));
    pen.field_u("stx_dio_offset_align", x.u32(156));
    pen.text("}");
}

const STATFS: Argument = output(statfs, What::Bytes(Length::Const(120)));

fn statfs(pen: &mut Pen, r: u8) {
    let word = pen.pointer();
    // type, block size; blocks, free, available, files, free files; id; name length, fragment, flags
    let wide = pen.name.ends_with("64") && pen.compat();
    let count_bytes = if wide { 8 } else { word };
    let size = 7 * word + 5 * count_bytes - 2 * word + 8;
    let Some(fs) = pen.fetch_or_address(pen.arg(r), size) else { return };
    let count = |at: usize| if wide { fs.u64(at) } else { fs.word_at(at) };
    pen.text("{");
    pen.field_c("f_type", &MAGIC, fs.word_at(0));
    pen.field_u("f_bsize", fs.word_at(word));
    let mut at = 2 * word;
    for name in ["f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree"] {
        pen.field_u(name, count(at));
        at += count_bytes;
    }
    pen.field("f_fsid");
    pen.text("{val=[");
    pen.hex(fs.u32(at));
    pen.text(", ");
    pen.hex(fs.u32(at + 4));
    pen.text("]}");
    at += 8;
    pen.field_u("f_namelen", fs.word_at(at));
    pen.field_u("f_frsize", fs.word_at(at + word));
    pen.field_f("f_flags", &MOUNT_STATE, fs.word_at(at + 2 * word));
    pen.text("}");
}

const DEVICE: Argument = super::row::plain(|pen, r| pen.device(new_device(pen.arg_u32(r).into())));

rows! {
    stat [PATH, STAT] Decimal;
    lstat [PATH, STAT] Decimal;
    fstat [FD, STAT] Decimal;
    newfstatat [DIRFD, PATH, STAT, flags(&AT)] Decimal;
    stat64 [PATH, STAT] Decimal;
    lstat64 [PATH, STAT] Decimal;
    fstat64 [FD, STAT] Decimal;
    fstatat64 [DIRFD, PATH, STAT, flags(&AT)] Decimal;
    oldstat [PATH, STAT] Decimal;
    oldlstat [PATH, STAT] Decimal;
    oldfstat [FD, STAT] Decimal;
    statx [DIRFD, PATH, STATX_FLAGS, flags(&STATX_MASK), STATX] Decimal;
    statfs [PATH, STATFS] Decimal;
    fstatfs [FD, STATFS] Decimal;
    statfs64 [PATH, SIZE, STATFS] Decimal;
    fstatfs64 [FD, SIZE, STATFS] Decimal;
    ustat [DEVICE, ADDRESS] Decimal;
}

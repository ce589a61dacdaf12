//! Mounts: the one old call, and the many new ones.

use super::args::*;
use super::pen::Pen;
use super::row::{Argument, choice, flags, input, plain, rows};
use super::tables::mount::*;
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    SWAP "SWAP_FLAG_???" {
        SWAP_FLAG_PREFER 0x8000, SWAP_FLAG_DISCARD 0x10000, SWAP_FLAG_DISCARD_ONCE 0x20000, SWAP_FLAG_DISCARD_PAGES 0x40000
    }
    SETATTR_ATTR "MOUNT_ATTR_???" {
        MOUNT_ATTR_RDONLY 1, MOUNT_ATTR_NOSUID 2, MOUNT_ATTR_NODEV 4, MOUNT_ATTR_NOEXEC 8, MOUNT_ATTR_NOATIME 0x10,
        MOUNT_ATTR_STRICTATIME 0x20, MOUNT_ATTR_NODIRATIME 0x80, MOUNT_ATTR_IDMAP 0x100000,
        MOUNT_ATTR_NOSYMFOLLOW 0x200000
    }
    PROPAGATION "MS_???" { MS_SHARED 0x100000, MS_PRIVATE 0x40000, MS_SLAVE 0x80000, MS_UNBINDABLE 0x20000 }
}

/// Bits of the mount flags that mean another thing than mounting anew: remount, bind, move, propagation.
const NO_TYPE: u64 = 0x20 | 0x1000 | 0x2000 | 0x1e_0000;
const MAGIC: u64 = 0xc0ed_0000;

const TYPE: Argument = input(|pen, r| text_unless(pen, r, NO_TYPE), What::CString);
const DATA: Argument =
    input(|pen, r| text_unless(pen, r, 0x1000 | 0x2000 | 0x1e_0000), What::CString);
const MOUNT_FLAGS: Argument = plain(|pen, r| {
    let mut value = pen.arg(r);
    if value & 0xffff_0000 == MAGIC {
        pen.text("MS_MGC_VAL");
        value &= !MAGIC;
        if value == 0 {
            return;
        }
        pen.text("|");
    }
    pen.flags(&MOUNT, value);
});

/// A string, but only its address where the flags make the kernel ignore it.
fn text_unless(pen: &mut Pen, r: u8, mask: u64) {
    let mut value = pen.arg(3);
    if value & 0xffff_0000 == MAGIC {
        value &= !MAGIC;
    }
    match value & mask {
        0 => pen.string(pen.arg(r)),
        _ => pen.address(pen.arg(r)),
    }
}

const SWAP_FLAGS: Argument = plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    let (flags, priority) = (value & !0x7fff, value & 0x7fff);
    if flags != 0 {
        pen.flags(&SWAP, flags);
        pen.text("|");
    }
    pen.unsigned(priority);
});
const ATTRIBUTES: Argument = input(
    |pen, r| {
        let (address, size) = (pen.arg(r), pen.arg(r + 1));
        if size < 32 {
            return pen.address(address);
        }
        let Some(attributes) = pen.fetch_or_address(address, 32) else { return };
        pen.text("{");
        pen.field_f("attr_set", &SETATTR_ATTR, attributes.u64(0));
        pen.field_f("attr_clr", &SETATTR_ATTR, attributes.u64(8));
        pen.field_f("propagation", &PROPAGATION, attributes.u64(16));
        pen.field("userns_fd");
        pen.wide_fd(attributes.u64(24));
        pen.unknown_tail(address, 32, size);
        pen.text("}");
    },
    What::Bytes(Length::Argument(4)),
);
/// fsconfig's key, value and number, which depend on the command.
const CONFIGURED: Argument = plain(|pen, _| {
    let command = pen.arg_u32(1);
    let (key, value, number) = (pen.arg(2), pen.arg(3), pen.arg_i32(4));
    match command {
        0..=5 => pen.string_up_to(key, 255),
        _ => pen.address(key),
    }
    pen.text(", ");
    match command {
        1 => pen.string_up_to(value, 255),
        2 => pen.data(value, number.max(0) as u64),
        3 | 4 => pen.path(value),
        _ => pen.address(value),
    }
    pen.text(", ");
    match command {
        3 | 4 => pen.dirfd(number),
        5 => pen.fd(number),
        _ => pen.signed(number.into()),
    }
})
.taking(3)
.also(0, When::Enter, What::CString)
.also(1, When::Enter, What::CString);

rows! {
    mount [PATH, PATH, TYPE, MOUNT_FLAGS, DATA] Decimal;
    umount [PATH] Decimal;
    umount2 [PATH, flags(&UMOUNT)] Decimal;
    pivot_root [PATH, PATH] Decimal;
    swapon [PATH, SWAP_FLAGS] Decimal;
    swapoff [PATH] Decimal;
    fsopen [STRING, flags(&FSOPEN)] Fd;
    fsmount [FD, flags(&FSMOUNT), flags(&MOUNT_ATTR)] Fd;
    fspick [DIRFD, PATH, flags(&FSPICK)] Fd;
    fsconfig [FD, choice(&FSCONFIG), CONFIGURED] Decimal;
    move_mount [DIRFD, PATH, DIRFD, PATH, flags(&MOVE_MOUNT)] Decimal;
    open_tree [DIRFD, PATH, flags(&OPEN_TREE)] Fd;
    open_tree_attr [DIRFD, PATH, flags(&OPEN_TREE), ATTRIBUTES, SIZE] Fd;
    mount_setattr [DIRFD, PATH, flags(&MOUNT_SETATTR), ATTRIBUTES, SIZE] Decimal;
    statmount [ADDRESS, ADDRESS, SIZE, HEX32] Decimal;
    listmount [ADDRESS, ADDRESS, SIZE, HEX32] Decimal;
}

//! Users, groups, capabilities.

use super::args::*;
use super::pen::Pen;
use super::row::{Argument, input, output, rows};
use super::xlat::xlat;
use crate::capture::{Length, What};

xlat! {
    CAPABILITY_VERSION "_LINUX_CAPABILITY_VERSION_???" {
        _LINUX_CAPABILITY_VERSION_1 0x19980330, _LINUX_CAPABILITY_VERSION_2 0x20071026,
        _LINUX_CAPABILITY_VERSION_3 0x20080522
    }
}

/// Names of capabilities, by bit.
pub(crate) const CAPABILITIES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// A user or group that the kernel wrote: `[1000]`.
const ID_OUT: Argument = output(
    |pen, r| {
        let narrow = pen.compat() && !pen.name.ends_with("32");
        pen.pointed(pen.arg(r), if narrow { 2 } else { 4 }, |pen, block| {
            let id = if narrow { narrow_id(block.u16(0)) } else { block.u32(0) };
            pen.uid(id);
        });
    },
    What::Bytes(Length::Const(4)),
);
/// Groups to set; the count is the argument before.
const GROUPS_IN: Argument =
    input(|pen, r| groups(pen, r, u64::from(pen.arg_u32(r - 1))), What::Bytes(Length::Times(0, 4)));
/// Groups that the kernel wrote.
const GROUPS_OUT: Argument = output(
    |pen, r| match pen.arg_u32(r - 1) {
        0 => pen.address(pen.arg(r)),
        _ => groups(pen, r, pen.returned().unwrap_or(0).max(0) as u64),
    },
    What::Bytes(Length::ReturnedTimes(4)),
);
const CAPABILITY_HEADER: Argument = input(
    |pen, r| {
        let Some(header) = pen.fetch_or_address(pen.arg(r), 8) else { return };
        pen.text("{");
        pen.field_c("version", &CAPABILITY_VERSION, header.u32(0));
        pen.field("pid");
        pen.pid(header.i32(4) as i32);
        pen.text("}");
    },
    What::Bytes(Length::Const(8)),
);
const CAPABILITIES_IN: Argument = input(capabilities, What::Bytes(Length::Const(24)));
const CAPABILITIES_OUT: Argument = output(capabilities, What::Bytes(Length::Const(24)));
/// -1 of 16 bits means the same as -1 of 32.
fn narrow_id(id: u64) -> u64 {
    if id == 0xffff { u32::MAX.into() } else { id }
}

fn groups(pen: &mut Pen, r: u8, count: u64) {
    let narrow = pen.compat() && !pen.name.ends_with("32");
    pen.array(pen.arg(r), count, if narrow { 2 } else { 4 }, |pen, block| {
        pen.uid(if narrow { narrow_id(block.u16(0)) } else { block.u32(0) });
    });
}

fn capabilities(pen: &mut Pen, r: u8) {
    let version = pen.memory.u32_at(pen.arg(r - 1)).unwrap_or(0);
    let halves = if version == 0x1998_0330 { 1 } else { 2 };
    let Some(data) = pen.fetch_or_address(pen.arg(r), 12 * halves) else { return };
    pen.text("{");
    for (name, at) in [("effective", 0), ("permitted", 4), ("inheritable", 8)] {
        let high = if halves == 2 { data.u32(12 + at) } else { 0 };
        pen.field(name);
        pen.capability_set(data.u32(at) | high << 32);
    }
    pen.text("}");
}

impl Pen<'_> {
    /// Names of capabilities; those beyond the known ones as a number.
    pub fn capability_set(&mut self, set: u64) {
        if set == 0 {
            return self.text("0");
        }
        let mut separator = "";
        for (_, name) in CAPABILITIES.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1) {
            self.text(separator);
            self.text("1<<");
            self.text(name);
            separator = "|";
        }
        let high = set >> CAPABILITIES.len() << CAPABILITIES.len();
        if high != 0 {
            self.text(separator);
            self.hex(high);
        }
    }
}

rows! {
    getuid [] Decimal;
    geteuid [] Decimal;
    getgid [] Decimal;
    getegid [] Decimal;
    getuid32 [] Decimal;
    geteuid32 [] Decimal;
    getgid32 [] Decimal;
    getegid32 [] Decimal;
    setuid [UID] Decimal;
    setgid [UID] Decimal;
    setuid32 [UID] Decimal;
    setgid32 [UID] Decimal;
    setfsuid [UID] Decimal;
    setfsgid [UID] Decimal;
    setfsuid32 [UID] Decimal;
    setfsgid32 [UID] Decimal;
    setreuid [UID, UID] Decimal;
    setregid [UID, UID] Decimal;
    setreuid32 [UID, UID] Decimal;
    setregid32 [UID, UID] Decimal;
    setresuid [UID, UID, UID] Decimal;
    setresgid [UID, UID, UID] Decimal;
    setresuid32 [UID, UID, UID] Decimal;
    setresgid32 [UID, UID, UID] Decimal;
    getresuid [ID_OUT, ID_OUT, ID_OUT] Decimal;
    getresgid [ID_OUT, ID_OUT, ID_OUT] Decimal;
    getresuid32 [ID_OUT, ID_OUT, ID_OUT] Decimal;
    getresgid32 [ID_OUT, ID_OUT, ID_OUT] Decimal;
    getgroups [INT, GROUPS_OUT] Decimal;
    getgroups32 [INT, GROUPS_OUT] Decimal;
    setgroups [INT, GROUPS_IN] Decimal;
    setgroups32 [INT, GROUPS_IN] Decimal;
    capget [CAPABILITY_HEADER, CAPABILITIES_OUT] Decimal;
    capset [CAPABILITY_HEADER, CAPABILITIES_IN] Decimal;
}

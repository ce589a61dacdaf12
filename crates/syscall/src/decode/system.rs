//! What concerns the machine as a whole: its name, randomness, modules, keys, filters, programs of the kernel.

use super::args::*;
use super::pen::Pen;
use super::row::{Argument, choice, ended, flags, input, output, plain, rows};
use super::tables::file::{GETRANDOM, MODULE_INIT, PERF_EVENT};
use super::tables::process::*;
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    SYSLOG "SYSLOG_ACTION_???" {
        SYSLOG_ACTION_CLOSE 0, SYSLOG_ACTION_OPEN 1, SYSLOG_ACTION_READ 2, SYSLOG_ACTION_READ_ALL 3,
        SYSLOG_ACTION_READ_CLEAR 4, SYSLOG_ACTION_CLEAR 5, SYSLOG_ACTION_CONSOLE_OFF 6, SYSLOG_ACTION_CONSOLE_ON 7,
        SYSLOG_ACTION_CONSOLE_LEVEL 8, SYSLOG_ACTION_SIZE_UNREAD 9, SYSLOG_ACTION_SIZE_BUFFER 10
    }
    REBOOT_MAGIC "LINUX_REBOOT_MAGIC_???" {
        LINUX_REBOOT_MAGIC1 0xfee1dead, LINUX_REBOOT_MAGIC2 672274793, LINUX_REBOOT_MAGIC2A 85072278,
        LINUX_REBOOT_MAGIC2B 369367448, LINUX_REBOOT_MAGIC2C 537993216
    }
    MODULE_DELETE "O_???" { O_NONBLOCK 0x800, O_TRUNC 0x200 }
    PERF_TYPE "PERF_TYPE_???" {
        PERF_TYPE_HARDWARE 0, PERF_TYPE_SOFTWARE 1, PERF_TYPE_TRACEPOINT 2, PERF_TYPE_HW_CACHE 3, PERF_TYPE_RAW 4,
        PERF_TYPE_BREAKPOINT 5
    }
    LANDLOCK "LANDLOCK_CREATE_RULESET_???" { LANDLOCK_CREATE_RULESET_VERSION 1, LANDLOCK_CREATE_RULESET_ERRATA 2 }
    LANDLOCK_RULE "LANDLOCK_RULE_???" { LANDLOCK_RULE_PATH_BENEATH 1, LANDLOCK_RULE_NET_PORT 2 }
}

const RANDOM: Argument = output(
    |pen, r| {
        // Random bytes are never text: always in hexadecimal.
        let length = pen.returned().unwrap_or(0).max(0) as u64;
        let shown = length.min(pen.style.strings as u64) as usize;
        let mut bytes = vec![0; shown];
        let address = pen.arg(r);
        if address == 0 || pen.memory.read(address, &mut bytes) < shown {
            return pen.address(address);
        }
        super::quote(pen.out, &bytes, super::Quote::HexAll);
        if length > shown as u64 {
            pen.text("...");
        }
    },
    What::Bytes(Length::Returned),
);
const UTSNAME: Argument = output(
    |pen, r| {
        let Some(name) = pen.fetch_or_address(pen.arg(r), 390) else { return };
        pen.text("{");
        let fields = ["sysname", "nodename", "release", "version", "machine", "domainname"];
        for (n, field) in fields.iter().enumerate() {
            if pen.style.abbreviate && n > 1 {
                return pen.rest();
            }
            pen.field(field);
            pen.quoted_until_zero(name.slice(65 * n, 65));
        }
        pen.text("}");
    },
    What::Bytes(Length::Const(390)),
);
const SYSINFO: Argument = output(sysinfo, What::Bytes(Length::Const(112)));

fn sysinfo(pen: &mut Pen, r: u8) {
    let word = pen.pointer();
    let Some(state) = pen.fetch_or_address(pen.arg(r), if word == 8 { 112 } else { 64 }) else {
        return;
    };
    pen.text("{");
    pen.field_u("uptime", state.word(0));
    pen.field("loads");
    pen.text("[");
    for n in 1..4 {
        pen.next();
        pen.unsigned(state.word(n));
    }
    pen.text("]");
    let memory = ["totalram", "freeram", "sharedram", "bufferram", "totalswap", "freeswap"];
    for (n, name) in memory.iter().enumerate() {
        pen.field_u(name, state.word(4 + n));
    }
    let at = 10 * word;
    pen.field_u("procs", state.u16(at));
    let high = at + if word == 8 { 8 } else { 4 };
    pen.field_u("totalhigh", state.word_at(high));
    pen.field_u("freehigh", state.word_at(high + word));
    pen.field_u("mem_unit", state.u32(high + 2 * word));
    pen.text("}");
}

/// `struct sock_fprog`, of which only the length and the address are shown when abbreviated.
pub(crate) fn program(pen: &mut Pen, address: u64) {
    let word = pen.pointer();
    let Some(program) = pen.fetch_or_address(address, 2 * word) else { return };
    pen.text("{len=");
    pen.unsigned(program.u16(0));
    pen.field_p("filter", program.word(1));
    pen.text("}");
}

/// seccomp's flags and argument, which depend on the operation.
const SECCOMP_REST: Argument = plain(|pen, r| {
    let operation = pen.arg_u32(0);
    match operation {
        1 => pen.flags(&SECCOMP_FLAGS, pen.arg_u32(r).into()),
        _ => pen.hex(pen.arg_u32(r).into()),
    }
    pen.text(", ");
    match operation {
        1 => program(pen, pen.arg(r + 1)),
        _ => pen.address(pen.arg(r + 1)),
    }
})
.taking(2)
.also(1, When::Enter, What::Program);

fn seccomp_result(pen: &mut Pen, value: i64) {
    match pen.arg_u32(1) & 8 {
        8 if pen.arg_u32(0) == 1 => pen.fd(value as i32),
        _ => pen.signed(value),
    }
}

/// bpf's argument: what most programs need of it.
const BPF_ARGUMENT: Argument = plain(|pen, r| pen.address(pen.arg(r)));

fn bpf_result(pen: &mut Pen, value: i64) {
    match crate::handles::BPF_COMMANDS.contains(&pen.arg_u32(0)) {
        true => pen.fd(value as i32),
        false => pen.signed(value),
    }
}

const PERF_ATTRIBUTES: Argument = input(
    |pen, r| {
        let Some(event) = pen.fetch_or_address(pen.arg(r), 64) else { return };
        pen.text("{");
        pen.field_c("type", &PERF_TYPE, event.u32(0));
        pen.field_x("size", event.u32(4));
        pen.field_x("config", event.u64(8));
        pen.rest();
    },
    What::Bytes(Length::Const(136)),
);

const PERSONALITY_VALUE: Argument = plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    match value {
        0xffff_ffff => pen.hex(value),
        _ => personality(pen, value),
    }
});

fn personality(pen: &mut Pen, value: u64) {
    pen.choice(&PER, value & 0xff);
    if value & !0xff != 0 {
        pen.text("|");
        let rest = pen.flag_names(&PERSONALITY, value & !0xff);
        if rest != 0 {
            if rest != value & !0xff {
                pen.text("|");
            }
            pen.hex(rest);
        }
    }
}

fn personality_result(pen: &mut Pen, value: i64) {
    pen.hex(value as u64);
    pen.text(" (");
    personality(pen, value as u64);
    pen.text(")");
}

const SYSLOG_LINE: Argument = ended(|pen, r| match pen.arg_u32(r - 1) {
    2..=4 if !pen.failed() => pen.data(pen.arg(r), pen.returned().unwrap_or(0).max(0) as u64),
    2..=4 | 8 => pen.address(pen.arg(r)),
    _ => {}
})
.glued()
.also(0, When::Exit, What::Bytes(Length::Returned));
const NAME_LENGTH: Argument = UINT;
const HOST_NAME: Argument = data(1);
const MODULE_PARAMETERS: Argument = STRING;
const PTRACE_REST: Argument = plain(|pen, r| {
    pen.address(pen.arg(r));
    pen.text(", ");
    match pen.arg_u32(0) {
        0x4200 | 0x4206 => pen.hex(pen.arg(r + 1)),
        _ => pen.address(pen.arg(r + 1)),
    }
})
.taking(2);
const REBOOT_TEXT: Argument = plain(|pen, r| {
    if pen.arg_u32(r - 1) == 0xa1b2_c3d4 {
        pen.text(", ");
        pen.string(pen.arg(r));
    }
})
.glued()
.also(0, When::Enter, What::CString);
const KEY_TYPE: Argument = STRING;
const KEYRING: Argument = plain(|pen, r| {
    const NAMES: [&str; 8] = [
        "KEY_SPEC_THREAD_KEYRING",
        "KEY_SPEC_PROCESS_KEYRING",
        "KEY_SPEC_SESSION_KEYRING",
        "KEY_SPEC_USER_KEYRING",
        "KEY_SPEC_USER_SESSION_KEYRING",
        "KEY_SPEC_GROUP_KEYRING",
        "KEY_SPEC_REQKEY_AUTH_KEY",
        "KEY_SPEC_REQUESTOR_KEYRING",
    ];
    let id = pen.arg_i32(r);
    let name =
        id.checked_neg().and_then(|n| usize::try_from(n - 1).ok()).and_then(|n| NAMES.get(n));
    match name {
        Some(name) => pen.text(name),
        None => pen.signed(id.into()),
    }
});
const SEGMENT: Argument =
    input(|pen, r| pen.user_descriptor(pen.arg(r)), What::Bytes(Length::Const(16)));
const SEGMENT_OUT: Argument =
    output(|pen, r| pen.user_descriptor(pen.arg(r)), What::Bytes(Length::Const(16)));
/// The number that the kernel chose.
const SEGMENT_NUMBER: Argument = ended(|pen, r| {
    let number = pen.fetch(pen.arg(r - 1), 4).filter(|_| !pen.failed()).map(|block| block.u32(0));
    if let Some(number) = number {
        pen.remark = format!("entry_number={number}").into_bytes();
    }
})
.glued()
.taking(0);
const CODE_SEGMENTS: Argument = plain(|pen, r| pen.address(pen.arg(r)));

rows! {
    umask [MODE] Octal;
    uname [UTSNAME] Decimal;
    sysinfo [SYSINFO] Decimal;
    getrandom [RANDOM, SIZE, flags(&GETRANDOM)] Decimal;
    personality [PERSONALITY_VALUE] Special(personality_result);
    syslog [SYSLOG_ACTION, SYSLOG_LINE, SYSLOG_LENGTH] Decimal;
    sethostname [HOST_NAME, NAME_LENGTH] Decimal;
    setdomainname [HOST_NAME, NAME_LENGTH] Decimal;
    reboot [choice(&REBOOT_MAGIC), choice(&REBOOT_MAGIC), choice(&REBOOT_CMD), REBOOT_TEXT] Decimal;
    init_module [ADDRESS, SIZE, MODULE_PARAMETERS] Decimal;
    finit_module [FD, MODULE_PARAMETERS, flags(&MODULE_INIT)] Decimal;
    delete_module [STRING, flags(&MODULE_DELETE)] Decimal;
    seccomp [choice(&SECCOMP_OP), SECCOMP_REST] Special(seccomp_result);
    bpf [choice(&BPF), BPF_ARGUMENT, UINT] Special(bpf_result);
    perf_event_open [PERF_ATTRIBUTES, PID, INT, FD, flags(&PERF_EVENT)] Fd;
    ptrace [choice(&PTRACE), PID, PTRACE_REST] Decimal;
    add_key [KEY_TYPE, STRING, data(3), SIZE, KEYRING] Decimal;
    request_key [KEY_TYPE, STRING, STRING, KEYRING] Decimal;
    keyctl [choice(&KEYCTL), HEX, HEX, HEX, HEX] Decimal;
    landlock_create_ruleset [ADDRESS, SIZE, flags(&LANDLOCK)] Special(landlock_result);
    landlock_add_rule [FD, choice(&LANDLOCK_RULE), ADDRESS, HEX32] Decimal;
    landlock_restrict_self [FD, HEX32] Decimal;
    restart_syscall [RESUMED] Decimal;
    vhangup [] Decimal;
    iopl [INT] Decimal;
    ioperm [HEX, HEX, INT] Decimal;
    set_thread_area [SEGMENT, SEGMENT_NUMBER] Decimal;
    get_thread_area [SEGMENT_OUT] Decimal;
    modify_ldt [INT, CODE_SEGMENTS, SIZE] Decimal;
    quotactl [HEX32, STRING, UINT, ADDRESS] Decimal;
    quotactl_fd [FD, HEX32, UINT, ADDRESS] Decimal;
    kexec_load [ADDRESS, SIZE, ADDRESS, HEX] Decimal;
    kexec_file_load [FD, FD, SIZE, STRING, HEX] Decimal;
    lookup_dcookie [HEX, RETURNED, SIZE] Decimal;
    sysfs [INT, HEX, HEX] Decimal;
    lsm_get_self_attr [UINT, ADDRESS, ADDRESS, HEX32] Decimal;
    lsm_set_self_attr [UINT, ADDRESS, UINT, HEX32] Decimal;
    lsm_list_modules [ADDRESS, ADDRESS, HEX32] Decimal;
}

/// The action: always with its number.
const SYSLOG_ACTION: Argument = plain(|pen, r| {
    let action = pen.arg_i32(r);
    pen.signed(action.into());
    pen.remark_in_place(SYSLOG.name(action as u64).unwrap_or(SYSLOG.unknown));
    if matches!(action, 2..=4 | 8) {
        pen.text(", ");
    }
});
const SYSLOG_LENGTH: Argument = ended(|pen, r| {
    if matches!(pen.arg_u32(r - 2), 2..=4 | 8) {
        pen.text(", ");
        pen.unsigned(pen.arg_u32(r).into());
    }
})
.glued();

/// What restart_syscall goes on with is known to the kernel only.
const RESUMED: Argument =
    plain(|pen, _| pen.text("<... resuming interrupted system call ...>")).taking(0);

fn landlock_result(pen: &mut Pen, value: i64) {
    match pen.arg_u32(2) {
        0 => pen.fd(value as i32),
        _ => pen.signed(value),
    }
}

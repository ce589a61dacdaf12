//! Settings of terminals.

use super::numbers;
use super::pen::Pen;
use super::xlat::{Table, xlat};

xlat! {
    INPUT "???" {
        IGNBRK 1, BRKINT 2, IGNPAR 4, PARMRK 8, INPCK 16, ISTRIP 32, INLCR 64, IGNCR 128, ICRNL 256, IUCLC 512, IXON 1024,
        IXANY 2048, IXOFF 4096, IMAXBEL 8192, IUTF8 16384
    }
    OUTPUT "???" { OPOST 1, OLCUC 2, ONLCR 4, OCRNL 8, ONOCR 16, ONLRET 32, OFILL 64, OFDEL 128 }
    CONTROL "???" {
        CSTOPB 0o100, CREAD 0o200, PARENB 0o400, PARODD 0o1000, HUPCL 0o2000, CLOCAL 0o4000, CMSPAR 0o10000000000,
        CRTSCTS 0o20000000000, ADDRB 0o4000000000
    }
    LOCAL "???" {
        ISIG 1, ICANON 2, XCASE 4, ECHO 8, ECHOE 16, ECHOK 32, ECHONL 64, NOFLSH 128, IEXTEN 32768, ECHOCTL 512,
        ECHOPRT 1024, ECHOKE 2048, FLUSHO 4096, TOSTOP 256, PENDIN 16384, EXTPROC 65536
    }
    BAUD "B???" {
        B0 0, B50 1, B75 2, B110 3, B134 4, B150 5, B200 6, B300 7, B600 8, B1200 9, B1800 10, B2400 11, B4800 12,
        B9600 13, B19200 14, B38400 15, BOTHER 0o10000, B57600 0o10001, B115200 0o10002, B230400 0o10003, B460800 0o10004,
        B500000 0o10005, B576000 0o10006, B921600 0o10007, B1000000 0o10010, B1152000 0o10011, B1500000 0o10012,
        B2000000 0o10013, B2500000 0o10014, B3000000 0o10015, B3500000 0o10016, B4000000 0o10017
    }
    CHARACTER_BITS "CS???" { CS5 0, CS6 0o20, CS7 0o40, CS8 0o60 }
    NEWLINE "NL???" { NL0 0, NL1 0o400 }
    RETURN "CR???" { CR0 0, CR1 0o1000, CR2 0o2000, CR3 0o3000 }
    TAB "TAB???" { TAB0 0, TAB1 0o4000, TAB2 0o10000, TAB3 0o14000 }
    BACKSPACE "BS???" { BS0 0, BS1 0o20000 }
    VERTICAL "VT???" { VT0 0, VT1 0o40000 }
    DISCIPLINE "N_???" {
        N_TTY 0, N_SLIP 1, N_MOUSE 2, N_PPP 3, N_STRIP 4, N_AX25 5, N_X25 6, N_6PACK 7, N_MASC 8, N_R3964 9, N_HDLC 13, N_GSM0710 21
    }
    FORM "FF???" { FF0 0, FF1 0o100000 }
}

/// Names of the special characters by their place.
const CHARACTERS: [&str; 17] = [
    "VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VTIME", "VMIN", "VSWTC", "VSTART", "VSTOP",
    "VSUSP", "VEOL", "VREPRINT", "VDISCARD", "VWERASE", "VLNEXT", "VEOL2",
];

/// Fields of several bits, each a value of its table, then the flags.
fn parts(pen: &mut Pen, value: u64, fields: &[(&Table, u64)], flags: &Table) {
    let mut rest = value;
    for (n, (table, mask)) in fields.iter().enumerate() {
        if n > 0 {
            pen.text("|");
        }
        pen.choice(table, value & mask);
        rest &= !mask;
    }
    if rest != 0 {
        if !fields.is_empty() {
            pen.text("|");
        }
        pen.flags(flags, rest);
    }
}

/// `struct termios` and `struct termios2`.
pub(crate) fn termios(pen: &mut Pen, address: u64, second: bool) {
    let Some(t) = pen.fetch_or_address(address, if second { 44 } else { 36 }) else { return };
    pen.text("{");
    pen.field_f("c_iflag", &INPUT, t.u32(0));
    pen.field("c_oflag");
    output(pen, t.u32(4));
    pen.field("c_cflag");
    control(pen, t.u32(8));
    pen.field_f("c_lflag", &LOCAL, t.u32(12));
    if pen.style.abbreviate {
        return pen.rest();
    }
    pen.field_c("c_line", &DISCIPLINE, t.u8(16));
    characters(pen, t.slice(17, 19));
    if second {
        pen.field_u("c_ispeed", t.u32(36));
        pen.field_u("c_ospeed", t.u32(40));
    }
    pen.text("}");
}

fn output(pen: &mut Pen, value: u64) {
    let fields = [
        (&NEWLINE, 0o400),
        (&RETURN, 0o3000),
        (&TAB, 0o14000),
        (&BACKSPACE, 0o20000),
        (&VERTICAL, 0o40000),
        (&FORM, 0o100000),
    ];
    parts(pen, value, &fields, &OUTPUT);
}

fn control(pen: &mut Pen, value: u64) {
    parts(pen, value, &[(&BAUD, 0o10017), (&CHARACTER_BITS, 0o60)], &CONTROL);
}

fn characters(pen: &mut Pen, bytes: &[u8]) {
    pen.field("c_cc");
    pen.text("[");
    for (n, byte) in bytes.iter().enumerate() {
        pen.next();
        match CHARACTERS.get(n) {
            Some(name) => {
                pen.text("[");
                pen.text(name);
                pen.text("]=");
            }
            None => {
                pen.text("[");
                pen.unsigned(n as u64);
                pen.text("]=");
            }
        }
        numbers::hex(pen.out, (*byte).into());
    }
    pen.text("]");
}

/// The older `struct termio`.
pub(crate) fn termio(pen: &mut Pen, address: u64) {
    let Some(t) = pen.fetch_or_address(address, 17) else { return };
    pen.text("{");
    pen.field_f("c_iflag", &INPUT, t.u16(0));
    pen.field("c_oflag");
    output(pen, t.u16(2));
    pen.field("c_cflag");
    control(pen, t.u16(4));
    pen.field_f("c_lflag", &LOCAL, t.u16(6));
    if pen.style.abbreviate {
        return pen.rest();
    }
    pen.field_c("c_line", &DISCIPLINE, t.u8(8));
    characters(pen, t.slice(9, 8));
    pen.text("}");
}

/// `struct winsize`.
pub(crate) fn window(pen: &mut Pen, address: u64) {
    let Some(size) = pen.fetch_or_address(address, 8) else { return };
    pen.text("{");
    for (n, name) in ["ws_row", "ws_col", "ws_xpixel", "ws_ypixel"].iter().enumerate() {
        pen.field_u(name, size.u16(2 * n));
    }
    pen.text("}");
}

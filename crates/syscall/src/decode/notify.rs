//! What tells of changes to files: inotify and fanotify.

use super::args::*;
use super::row::{Argument, flags, plain, rows, wide};
use super::tables::file::*;
use super::xlat::{Table, xlat};

xlat! {
    FAN_CLASS "FAN_CLASS_???" { FAN_CLASS_NOTIF 0, FAN_CLASS_CONTENT 4, FAN_CLASS_PRE_CONTENT 8 }
}

const FAN_INIT: Argument = plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    let class = Table { rows: FAN_CLASS.rows, ..FAN_CLASS };
    pen.choice(&class, value & 12);
    if value & !12 != 0 {
        pen.text("|");
        pen.flags(&FAN_CLASS_FLAGS, value & !12);
    }
});
const FAN_MASK: Argument = wide(|pen, r| pen.flags(&FAN_EVENTS, pen.arg_u64(r) as u64));
const FAN_DIRFD: Argument = plain(|pen, r| match pen.arg_i32(r) {
    -1 => pen.meaning(|pen| pen.text("-1"), |pen| pen.text("FAN_NOFD")),
    fd => pen.dirfd(fd),
})
.descriptor();
/// Flags that opened files are to have.
const EVENT_FLAGS: Argument = plain(|pen, r| pen.open_flags(pen.arg_u32(r).into()));

rows! {
    inotify_init [] Fd;
    inotify_init1 [flags(&INOTIFY_INIT)] Fd;
    inotify_add_watch [FD, PATH, flags(&INOTIFY)] Decimal;
    inotify_rm_watch [FD, INT] Decimal;
    fanotify_init [FAN_INIT, EVENT_FLAGS] Fd;
    fanotify_mark [FD, flags(&FAN_MARK), FAN_MASK, FAN_DIRFD, PATH] Decimal;
}

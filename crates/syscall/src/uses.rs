//! The calls that only use a descriptor, so that their EBADF can be told by name.
//!
//! They make and end no handle; those that do are in [`crate::handles`]. A tracer that sees every call (ptrace) looks
//! here when one of them fails.

use crate::arch::Arch;
use crate::handles::{Numbers, number};

/// A call that uses a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsingCall {
    /// Its name in the manual.
    pub name: &'static str,
    /// Its numbers.
    pub numbers: Numbers,
    /// The argument that is the descriptor; `None` for sets of them.
    pub arg: Option<u8>,
}

macro_rules! uses {
    ($($name:ident [$x:tt $i:tt $a:tt] $arg:tt;)*) => {
        /// The table.
        pub const USES: &[UsingCall] = &[$(UsingCall {
            name: stringify!($name),
            numbers: Numbers { x86_64: number!($x), i386: number!($i), aarch64: number!($a) },
            arg: number!($arg),
        }),*];
    };
}

// Numbers: x86-64, i386, aarch64.
uses! {
    read                 [0 3 63] 0;
    write                [1 4 64] 0;
    readv                [19 145 65] 0;
    writev               [20 146 66] 0;
    pread64              [17 180 67] 0;
    pwrite64             [18 181 68] 0;
    preadv               [295 333 69] 0;
    pwritev              [296 334 70] 0;
    preadv2              [327 378 286] 0;
    pwritev2             [328 379 287] 0;
    lseek                [8 19 62] 0;
    _llseek              [- 140 -] 0;
    fstat                [5 108 80] 0;
    newfstatat           [262 300 79] 0;
    fstat64              [- 197 -] 0;
    fstatfs              [138 100 44] 0;
    fsync                [74 118 82] 0;
    fdatasync            [75 148 83] 0;
    sync_file_range      [277 314 84] 0;
    syncfs               [306 344 267] 0;
    ftruncate            [77 93 46] 0;
    ftruncate64          [- 194 -] 0;
    fallocate            [285 324 47] 0;
    fadvise64            [221 250 223] 0;
    readahead            [187 225 213] 0;
    flock                [73 143 32] 0;
    fchmod               [91 94 52] 0;
    fchown               [93 95 55] 0;
    fchdir               [81 133 50] 0;
    fgetxattr            [193 231 10] 0;
    fsetxattr            [190 228 7] 0;
    flistxattr           [196 234 13] 0;
    getdents             [78 141 -] 0;
    getdents64           [217 220 61] 0;
    sendfile             [40 187 71] 0;
    sendfile64           [- 239 -] 0;
    copy_file_range      [326 377 285] 0;
    splice               [275 313 76] 0;
    tee                  [276 315 77] 0;
    vmsplice             [278 316 75] 0;
    connect              [42 362 203] 0;
    bind                 [49 361 200] 0;
    listen               [50 363 201] 0;
    shutdown             [48 373 210] 0;
    getsockname          [51 367 204] 0;
    getpeername          [52 368 205] 0;
    setsockopt           [54 366 208] 0;
    sendto               [44 369 206] 0;
    sendmsg              [46 370 211] 0;
    sendmmsg             [307 345 269] 0;
    recvfrom             [45 371 207] 0;
    epoll_wait           [232 256 -] 0;
    epoll_pwait          [281 319 22] 0;
    epoll_pwait2         [441 441 441] 0;
    timerfd_settime      [286 325 86] 0;
    timerfd_gettime      [287 326 87] 0;
    statx                [332 383 291] 0;
    unlinkat             [263 301 35] 0;
    mkdirat              [258 296 34] 0;
    renameat2            [316 353 276] 0;
    faccessat2           [439 439 439] 0;
    faccessat            [269 307 48] 0;
    readlinkat           [267 305 78] 0;
    linkat               [265 303 37] 0;
    symlinkat            [266 304 36] 0;
    fchmodat             [268 306 53] 0;
    fchownat             [260 298 54] 0;
    utimensat            [280 320 88] 0;
    name_to_handle_at    [303 341 264] 0;
    fanotify_mark        [301 339 263] 0;
    io_uring_enter       [426 426 426] 0;
    io_uring_register    [427 427 427] 0;
    pidfd_send_signal    [424 424 424] 0;
    setns                [308 346 268] 0;
    finit_module         [313 350 273] 0;
    mq_timedsend         [242 279 182] 0;
    mq_timedreceive      [243 280 183] 0;
    process_madvise      [440 440 440] 0;
    select               [23 142 -] -;
    pselect6             [270 308 72] -;
}

/// The row of a call by its number. Meant for calls that failed: it searches the table.
pub fn using(arch: Arch, number: u64) -> Option<&'static UsingCall> {
    let number = u16::try_from(number).ok()?;
    USES.iter().find(|call| call.numbers.of(arch) == Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handles::by_number;

    #[test]
    fn no_call_is_in_both_tables_or_twice() {
        for call in USES {
            for arch in Arch::ALL {
                let Some(number) = call.numbers.of(arch).map(u64::from) else { continue };
                assert_eq!(by_number(arch, number), None, "{}", call.name);
                assert_eq!(using(arch, number), Some(call));
            }
        }
    }
}

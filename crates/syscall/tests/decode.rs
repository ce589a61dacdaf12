//! Decoded calls, compared with lines that strace 6.1 wrote for the same bytes.

use fdscope_syscall::decode::{self, NoNames, Style, Xlat};
use fdscope_syscall::traced::{Call, Ended};
use fdscope_syscall::{Arch, names};
use proptest::prelude::*;

/// Where the bytes of a test stand.
const AT: u64 = 0x1000;

fn call(name: &str, arguments: &[u64]) -> Call {
    let row = names::NAMES.iter().find(|row| row.name == name).expect("a known call");
    let number = row.numbers.of(Arch::X86_64).expect("a number");
    let mut six = [0; 6];
    six[..arguments.len()].copy_from_slice(arguments);
    Call { arch: Arch::X86_64, number: number.into(), arguments: six }
}

fn line(call: &Call, ended: Ended, bytes: &[u8], style: &Style) -> String {
    let memory = (AT, bytes);
    let mut out = decode::name(call, &memory).unwrap_or("?").as_bytes().to_vec();
    out.push(b'(');
    let state = decode::enter(call, &memory, style, &NoNames, &mut out);
    let result = decode::exit(call, ended, state, &memory, style, &NoNames, &mut out);
    out.extend_from_slice(b") = ");
    out.extend_from_slice(&result.0);
    String::from_utf8_lossy(&out).into_owned()
}

#[track_caller]
fn check(name: &str, arguments: &[u64], ended: Ended, bytes: &[u8], expected: &str) {
    assert_eq!(line(&call(name, arguments), ended, bytes, &Style::default()), expected);
}

const MINUS_1: u64 = u64::MAX;
const CWD: u64 = -100i64 as u64;

#[test]
fn opening_shows_flags_and_mode() {
    check(
        "openat",
        &[CWD, AT, 0x80000],
        Ended::Returned(3),
        b"/etc/passwd\0",
        r#"openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3"#,
    );
    check(
        "open",
        &[AT, 0o1102, 0o640],
        Ended::Failed(2),
        b"f1\0",
        r#"open("f1", O_RDWR|O_CREAT|O_TRUNC, 0640) = -1 ENOENT (No such file or directory)"#,
    );
    check(
        "openat",
        &[CWD, 1, 3 | 0x4000_0000],
        Ended::Failed(14),
        b"",
        "openat(AT_FDCWD, 0x1, O_ACCMODE|0x40000000) = -1 EFAULT (Bad address)",
    );
}

#[test]
fn data_are_shown_as_far_as_they_are_known() {
    check(
        "read",
        &[3, AT, 100],
        Ended::Returned(6),
        b"a\n\0\x0012",
        r#"read(3, "a\n\0\00012", 100) = 6"#,
    );
    check(
        "read",
        &[MINUS_1, 0x7ffd_0000, 5],
        Ended::Failed(9),
        b"",
        "read(-1, 0x7ffd0000, 5) = -1 EBADF (Bad file descriptor)",
    );
    check(
        "write",
        &[1, AT, 40],
        Ended::Returned(40),
        &[b'x'; 40],
        r#"write(1, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"..., 40) = 40"#,
    );
}

#[test]
fn commands_decide_what_follows() {
    check(
        "fcntl",
        &[3, 3],
        Ended::Returned(0x8002),
        b"",
        "fcntl(3, F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE)",
    );
    check("fcntl", &[3, 1], Ended::Returned(0), b"", "fcntl(3, F_GETFD) = 0");
    check(
        "fcntl",
        &[3, 999, 5],
        Ended::Failed(22),
        b"",
        "fcntl(3, 0x3e7 /* F_??? */, 0x5) = -1 EINVAL (Invalid argument)",
    );
    check(
        "ioctl",
        &[3, 0x5401, AT],
        Ended::Failed(25),
        b"",
        "ioctl(3, TCGETS, 0x1000) = -1 ENOTTY (Inappropriate ioctl for device)",
    );
}

#[test]
fn waiting_ends_in_a_remark() {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&12i32.to_ne_bytes());
    bytes.extend_from_slice(&[1, 0, 1, 0]);
    check(
        "poll",
        &[AT, 1, 5],
        Ended::Returned(1),
        &bytes,
        "poll([{fd=12, events=POLLIN}], 1, 5) = 1 ([{fd=12, revents=POLLIN}])",
    );
    check(
        "poll",
        &[AT, 1, 5],
        Ended::Returned(0),
        &bytes,
        "poll([{fd=12, events=POLLIN}], 1, 5) = 0 (Timeout)",
    );
    check(
        "poll",
        &[AT, 1, MINUS_1],
        Ended::Failed(516),
        &bytes,
        "poll([{fd=12, events=POLLIN}], 1, -1) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)",
    );
}

#[test]
fn addresses_of_sockets_are_shown_by_family() {
    let inet = [2, 0, 0, 53, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    check(
        "connect",
        &[3, AT, 16],
        Ended::Returned(0),
        &inet,
        r#"connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.1")}, 16) = 0"#,
    );
    check(
        "bind",
        &[3, AT, 6],
        Ended::Returned(0),
        b"\x01\0\0abc",
        r#"bind(3, {sa_family=AF_UNIX, sun_path=@"abc"}, 6) = 0"#,
    );
}

#[test]
fn processes_are_made_and_awaited() {
    check(
        "clone",
        &[0x0120_0011, 0, 0, 0x7f00],
        Ended::Returned(77),
        b"",
        "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f00) = 77",
    );
    check(
        "wait4",
        &[MINUS_1, AT, 1, 0],
        Ended::Returned(77),
        &[9, 0, 0, 0],
        "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], WNOHANG, NULL) = 77",
    );
    check("exit_group", &[3], Ended::Unknown, b"", "exit_group(3) = ?");
}

#[test]
fn styles_of_constants() {
    let open = call("openat", &[CWD, AT, 0x80000]);
    let with = |xlat| Style { xlat, ..Style::default() };
    let line = |style: &Style| line(&open, Ended::Returned(3), b"x\0", style);
    assert_eq!(line(&with(Xlat::Raw)), r#"openat(-100, "x", 0x80000) = 3"#);
    assert_eq!(
        line(&with(Xlat::Verbose)),
        r#"openat(-100 /* AT_FDCWD */, "x", 0x80000 /* O_RDONLY|O_CLOEXEC */) = 3"#
    );
    let raw = Style { raw: true, ..Style::default() };
    assert_eq!(line(&raw), "openat(0xffffffffffffff9c, 0x1000, 0x80000, 0) = 0x3");
}

#[test]
fn calls_behind_socketcall_are_named() {
    let bytes: Vec<u8> = [2u32, 1, 0].iter().flat_map(|n| n.to_ne_bytes()).collect();
    let call = Call { arch: Arch::I386, number: 102, arguments: [1, AT, 0, 0, 0, 0] };
    assert_eq!(
        line(&call, Ended::Returned(3), &bytes, &Style::default()),
        "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3"
    );
}

#[test]
fn every_named_call_has_a_row_or_is_obsolete() {
    const OBSOLETE: &[&str] = &[
        "_sysctl",
        "afs_syscall",
        "bdflush",
        "break",
        "create_module",
        "epoll_ctl_old",
        "epoll_wait_old",
        "ftime",
        "get_kernel_syms",
        "getpmsg",
        "gtty",
        "idle",
        "ipc",
        "lock",
        "mpx",
        "nfsservctl",
        "oldolduname",
        "olduname",
        "prof",
        "profil",
        "putpmsg",
        "query_module",
        "readdir",
        "security",
        "socketcall",
        "stty",
        "tuxcall",
        "ulimit",
        "vm86",
        "vm86old",
        "vserver",
        "uretprobe",
        "uprobe",
    ];
    for row in names::NAMES {
        let Some((arch, number)) =
            Arch::ALL.iter().find_map(|arch| row.numbers.of(*arch).map(|n| (*arch, n)))
        else {
            continue;
        };
        let call = Call { arch, number: number.into(), arguments: [0; 6] };
        let text = line(&call, Ended::Failed(38), b"", &Style::default());
        let generic = text.contains("(0, 0, 0, 0, 0, 0)");
        assert!(!generic || OBSOLETE.contains(&row.name), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic(
        arch in 0usize..3,
        number in 0u64..512,
        arguments in proptest::array::uniform6(prop_oneof![
            Just(AT), AT..AT + 256, 0u64..4096, any::<u64>(), Just(u64::MAX),
        ]),
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        returned in prop_oneof![Just(None), (0i64..600).prop_map(Some), any::<i64>().prop_map(Some)],
        abbreviate in any::<bool>(),
    ) {
        let call = Call { arch: Arch::ALL[arch], number, arguments };
        let ended = returned.map_or(Ended::Failed(4), Ended::Returned);
        let style = Style { abbreviate, ..Style::default() };
        line(&call, ended, &bytes, &style);
    }
}

//! What finished calls did, from arguments and memory made up here: each line one fact, and any bytes harmless.

use fdscope_model::HandleKind;
use fdscope_syscall::handles::{CALLS, by_name, by_number};
use fdscope_syscall::message::{Carried, Carrier, carried};
use fdscope_syscall::{Arch, Invocation, Memory, Outcome};
use proptest::prelude::*;

/// Where the made-up memory begins.
const AT: u64 = 0x1000;

fn invocation(arch: Arch, name: &str, args: &[u64]) -> Invocation {
    let mut rows = CALLS.iter().filter(|call| call.name == name && call.numbers.of(arch).is_some());
    let call = rows.next_back().expect("the interface has the call");
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    Invocation { arch, call, args: all }
}

fn outcomes(invocation: Invocation, result: i64, memory: &[u8]) -> Vec<Outcome> {
    let memory = (AT, memory);
    let mut found = Vec::new();
    if let Some(invocation) = invocation.resolved(&memory) {
        invocation.outcomes(result, &memory, &mut |outcome| found.push(outcome));
    }
    found
}

#[track_caller]
fn check(name: &str, args: &[u64], result: i64, memory: &[u8], expected: &[Outcome]) {
    let found = outcomes(invocation(Arch::X86_64, name, args), result, memory);
    assert_eq!(found, expected, "{name} {args:?} = {result}");
}

fn made(fd: u32, kind: HandleKind, cloexec: bool) -> Outcome {
    Outcome::Made { fd, kind, cloexec: Some(cloexec), of: None }
}

fn copy(fd: u32, cloexec: bool, of: u32) -> Outcome {
    let kind = HandleKind::UnknownDescriptor;
    Outcome::Made { fd, kind, cloexec: Some(cloexec), of: Some(of) }
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

const CLOEXEC: u64 = 0o2_000_000;
const UNKNOWN: HandleKind = HandleKind::UnknownDescriptor;

#[test]
fn openings_tell_number_and_flag() {
    check("open", &[AT, CLOEXEC], 3, &[], &[made(3, UNKNOWN, true)]);
    check("openat", &[0, AT, 0], 4, &[], &[made(4, UNKNOWN, false)]);
    check("openat", &[0, AT, 0], -2, &[], &[]);
    let how = [CLOEXEC.to_ne_bytes(), [0; 8], [0; 8]].concat();
    check("openat2", &[0, 0, AT, 24], 5, &how, &[made(5, UNKNOWN, true)]);
    check("socket", &[1, 1, 0], 6, &[], &[made(6, HandleKind::Socket, false)]);
    check("accept4", &[3, 0, 0, CLOEXEC], 7, &[], &[made(7, HandleKind::Socket, true)]);
    check("epoll_create1", &[CLOEXEC], 8, &[], &[made(8, HandleKind::Epoll, true)]);
    check("memfd_create", &[0, 1], 9, &[], &[made(9, HandleKind::Memfd, true)]);
    check("fanotify_init", &[2, 0], 9, &[], &[made(9, HandleKind::Fanotify, false)]);
}

#[test]
fn uses_that_make_nothing_are_nothing() {
    check("signalfd4", &[5, 0, 8, 0], 5, &[], &[]);
    let new = made(5, HandleKind::SignalFd, false);
    check("signalfd4", &[u64::from(u32::MAX), 0, 8, 0], 5, &[], &[new]);
    check("signalfd4", &[u64::MAX, 0, 8, 0], 5, &[], &[new]);
    check("bpf", &[1, AT, 0], 0, &[], &[]);
    check("bpf", &[5, AT, 0], 4, &[], &[made(4, HandleKind::Bpf, true)]);
    check("landlock_create_ruleset", &[0, 0, 1], 6, &[], &[]);
    check("seccomp", &[1, 0, 0], 0, &[], &[]);
    check("seccomp", &[1, 8, 0], 4, &[], &[made(4, HandleKind::SeccompListener, true)]);
    check("io_uring_setup", &[8, AT], 0, &words(&[0, 0, 1 << 15]), &[]);
    check("io_uring_setup", &[8, AT], 4, &words(&[0, 0, 0]), &[made(4, HandleKind::IoUring, true)]);
}

#[test]
fn pairs_are_read_from_memory() {
    let ends = [made(10, HandleKind::Pipe, true), made(11, HandleKind::Pipe, true)];
    check("pipe2", &[AT, CLOEXEC], 0, &words(&[10, 11]), &ends);
    check("pipe2", &[AT, CLOEXEC], -24, &words(&[10, 11]), &[]);
    let ends = [made(4, HandleKind::Socket, false), made(5, HandleKind::Socket, false)];
    check("socketpair", &[1, 1, 0, AT], 0, &words(&[4, 5]), &ends);
}

#[test]
fn copies_tell_their_original() {
    check("dup", &[3], 4, &[], &[copy(4, false, 3)]);
    check("dup2", &[3, 3], 3, &[], &[]);
    check("dup2", &[3, 9], 9, &[], &[Outcome::Replaced(9), copy(9, false, 3)]);
    check("dup3", &[3, 9, CLOEXEC], 9, &[], &[Outcome::Replaced(9), copy(9, true, 3)]);
    check("fcntl", &[3, 0, 10], 10, &[], &[copy(10, false, 3)]);
    check("fcntl", &[3, 1030, 10], 11, &[], &[copy(11, true, 3)]);
    check("fcntl", &[3, 2, 1], 0, &[], &[Outcome::Flagged(3, true)]);
    check("fcntl", &[3, 2, 0], 0, &[], &[Outcome::Flagged(3, false)]);
    check("fcntl", &[3, 3, 0], 32768, &[], &[]);
}

#[test]
fn close_frees_the_number_whatever_it_returns_but_ebadf() {
    check("close", &[3], 0, &[], &[Outcome::Closed(3)]);
    check("close", &[3], -4, &[], &[Outcome::Closed(3)]);
    check("close", &[3], -5, &[], &[Outcome::Closed(3)]);
    check("close", &[3], -9, &[], &[]);
    let last = u64::from(u32::MAX);
    check("close_range", &[3, last, 0], 0, &[], &[Outcome::ClosedRange(3, u32::MAX)]);
    check("close_range", &[3, 9, 4], 0, &[], &[Outcome::FlaggedRange(3, 9)]);
    check("close_range", &[3, 9, 2], 0, &[], &[Outcome::Unshared, Outcome::ClosedRange(3, 9)]);
    check("unshare", &[0x400], 0, &[], &[Outcome::Unshared]);
    check("unshare", &[0x2_0000], 0, &[], &[]);
}

#[test]
fn clone_stores_a_pidfd_if_asked_to() {
    check("clone", &[0x1000 | 17, 0, AT], 99, &words(&[6]), &[made(6, HandleKind::PidFd, true)]);
    check("clone", &[17, 0, AT], 99, &words(&[6]), &[]);
    let args =
        [0x1000u64.to_ne_bytes(), (AT + 16).to_ne_bytes(), [7, 0, 0, 0, 0, 0, 0, 0]].concat();
    check("clone3", &[AT, 88], 99, &args, &[made(7, HandleKind::PidFd, true)]);
    check("clone3", &[AT, 88], -11, &args, &[]);
}

#[test]
fn ioctls_and_options_tell_where_the_descriptor_is() {
    const DMA_HEAP_IOCTL_ALLOC: u64 = 0xc018_4800;
    let memory = words(&[0, 0, 12, CLOEXEC as u32, 0, 0]);
    check(
        "ioctl",
        &[3, DMA_HEAP_IOCTL_ALLOC, AT],
        0,
        &memory,
        &[made(12, HandleKind::DmaBuf, true)],
    );
    const TIOCGPTPEER: u64 = 0x5441;
    check("ioctl", &[3, TIOCGPTPEER, CLOEXEC], 5, &[], &[made(5, HandleKind::Terminal, true)]);
    const NS_GET_USERNS: u64 = 0xb701;
    check("ioctl", &[3, NS_GET_USERNS, 0], 5, &[], &[made(5, HandleKind::Namespace, true)]);
    const FIONREAD: u64 = 0x541b;
    check("ioctl", &[3, FIONREAD, AT], 5, &[], &[]);
    check("getsockopt", &[3, 1, 77, AT, 0], 0, &words(&[8]), &[made(8, HandleKind::PidFd, true)]);
    check("getsockopt", &[3, 1, 3, AT, 0], 0, &words(&[8]), &[]);
}

#[test]
fn children_are_reaped_only_when_they_ended() {
    check("wait4", &[0, AT, 0], 77, &words(&[0]), &[Outcome::Reaped(77)]);
    check("wait4", &[0, AT, 2], 77, &words(&[0x137f]), &[]);
    check("wait4", &[0, AT, 8], 77, &words(&[0xffff]), &[]);
    check("wait4", &[0, 0, 0], 77, &[], &[Outcome::Reaped(77)]);
    check("wait4", &[0, 0, 1], 0, &[], &[]);
    let ended = words(&[17, 0, 1, 0, 78, 0]);
    check("waitid", &[0, 0, AT, 4], 0, &ended, &[Outcome::Reaped(78)]);
    check("waitid", &[0, 0, AT, 4 | 0x0100_0000], 0, &ended, &[]);
    check("waitid", &[0, 0, AT, 6], 0, &words(&[17, 0, 5, 0, 78, 0]), &[]);
    check("waitid", &[1, 79, 0, 4], 0, &[], &[Outcome::Reaped(79)]);
    let compat = invocation(Arch::I386, "waitid", &[0, 0, AT, 4]);
    assert_eq!(outcomes(compat, 0, &words(&[17, 0, 1, 80, 0, 0])), [Outcome::Reaped(80)]);
}

#[test]
fn socketcall_stands_for_the_call_it_names() {
    let call = |number, args: &[u32]| {
        let memory = words(args);
        outcomes(invocation(Arch::I386, "socketcall", &[number, AT]), 5, &memory)
    };
    assert_eq!(call(1, &[1, CLOEXEC as u32 | 1, 0]), [made(5, HandleKind::Socket, true)]);
    assert_eq!(call(18, &[3, 0, 0, 0]), [made(5, HandleKind::Socket, false)]);
    assert_eq!(call(3, &[3, 0, 0]), []);
}

#[test]
fn a_32_bit_mapping_above_two_gigabytes_is_an_address() {
    let high = 0xf7d0_0000u32 as i32 as i64;
    let mmap = by_number(Arch::I386, 192).expect("mmap2");
    let invocation = Invocation { arch: Arch::I386, call: mmap, args: [0, 4096, 0, 0, 0, 0] };
    assert_eq!(outcomes(invocation, high, &[]), [Outcome::Mapped(0xf7d0_0000, 4096)]);
    assert_eq!(outcomes(invocation, -12, &[]), []);
}

/// Control data of messages (level, type, body), as the kernel lays it out.
fn control(messages: &[(u32, u32, Vec<u8>)], arch: Arch) -> Vec<u8> {
    let word = arch.pointer_bytes();
    let mut bytes = Vec::new();
    for (level, kind, body) in messages {
        let length = (word + 8 + body.len()) as u64;
        bytes.extend_from_slice(&length.to_ne_bytes()[..word]);
        bytes.extend(words(&[*level, *kind]));
        bytes.extend_from_slice(body);
        bytes.resize(bytes.len().next_multiple_of(word), 0);
    }
    bytes
}

fn some_message() -> impl Strategy<Value = (u32, u32, Vec<u8>)> {
    prop_oneof![
        prop::collection::vec(0..=i32::MAX as u32, 0..10).prop_map(|fds| (1, 1, words(&fds))),
        (0..=i32::MAX as u32).prop_map(|fd| (1, 4, words(&[fd]))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|body| (1, 2, body)),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|body| (41, 1, body)),
    ]
}

fn expected(messages: &[(u32, u32, Vec<u8>)]) -> Vec<Carried> {
    let carriers = messages.iter().filter(|(level, kind, _)| *level == 1 && *kind != 2);
    carriers
        .flat_map(|(_, kind, body)| {
            let by = if *kind == 1 { Carrier::Rights } else { Carrier::PidFd };
            body.chunks_exact(4).map(move |fd| {
                let fd = u32::from_ne_bytes(fd.try_into().expect("four bytes"));
                Carried { fd, by }
            })
        })
        .collect()
}

proptest! {
    #[test]
    fn every_descriptor_in_control_data_is_found(
        messages in prop::collection::vec(some_message(), 0..6),
        compat: bool,
    ) {
        let arch = if compat { Arch::I386 } else { Arch::X86_64 };
        prop_assert_eq!(carried(&control(&messages, arch), arch), expected(&messages));
    }

    #[test]
    fn cut_control_data_yields_a_prefix(
        messages in prop::collection::vec(some_message(), 0..6),
        cut in 0usize..200,
    ) {
        let bytes = control(&messages, Arch::X86_64);
        let all = expected(&messages);
        let found = carried(&bytes[..cut.min(bytes.len())], Arch::X86_64);
        prop_assert!(all.starts_with(&found));
    }

    #[test]
    fn any_bytes_are_harmless(
        row in 0..CALLS.len(),
        arch in prop::sample::select(&Arch::ALL[..]),
        args in prop::array::uniform6(prop_oneof![any::<u64>(), AT..AT + 64, 0u64..32]),
        result in prop_oneof![any::<i64>(), -40i64..100],
        memory in prop::collection::vec(any::<u8>(), 0..256),
    ) {
        let invocation = Invocation { arch, call: &CALLS[row], args };
        let found = outcomes(invocation, result, &memory);
        prop_assert!(found.len() < 100_000);
        let _ = invocation.descriptor();
        let _ = invocation.clone_flags(&(AT, &memory[..]));
    }

    #[test]
    fn memory_never_reads_what_is_not_there(
        memory in prop::collection::vec(any::<u8>(), 0..64),
        address: u64,
        length in 0usize..64,
    ) {
        let mut buffer = vec![0; length];
        let read = (AT, &memory[..]).read(address, &mut buffer);
        prop_assert!(read <= length && read <= memory.len());
    }
}

#[test]
fn names_lead_to_rows() {
    assert!(by_name("openat").is_some() && by_name("read").is_none());
}

//! Messages of netlink sockets, compared with lines that strace 6.1 wrote for the same bytes.

use fdscope_syscall::decode::{self, Names, Style};
use fdscope_syscall::traced::{Call, Ended};
use fdscope_syscall::{Arch, names};
use proptest::prelude::*;

const AT: u64 = 0x1000;

/// Every descriptor is a netlink socket of this family.
struct Family(u32);

impl Names for Family {
    fn descriptor(&self, _: i32) -> Option<Vec<u8>> {
        None
    }

    fn netlink(&self, _: i32) -> Option<u32> {
        Some(self.0)
    }

    fn interface(&self, number: u32) -> Option<Vec<u8>> {
        (number == 1).then(|| b"lo".to_vec())
    }
}

/// The data of a sendto of these bytes.
fn data(family: u32, bytes: &[u8]) -> String {
    let row = names::NAMES.iter().find(|row| row.name == "sendto").expect("a known call");
    let number = row.numbers.of(Arch::X86_64).expect("a number").into();
    let arguments = [3, AT, bytes.len() as u64, 0, 0, 0];
    let call = Call { arch: Arch::X86_64, number, arguments };
    let (memory, names, style) = ((AT, bytes), Family(family), Style::default());
    let mut out = Vec::new();
    let state = decode::enter(&call, &memory, &style, &names, &mut out);
    decode::exit(&call, Ended::Returned(1), state, &memory, &style, &names, &mut out);
    let text = String::from_utf8_lossy(&out).into_owned();
    let end = format!(", {}, 0, NULL, 0", bytes.len());
    text.strip_prefix("3, ").and_then(|rest| rest.strip_suffix(&end)).expect(&text).to_owned()
}

fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let length = 16 + payload.len() as u32;
    let head = [length.to_ne_bytes(), (u32::from(flags) << 16 | u32::from(kind)).to_ne_bytes()];
    [head.as_flattened(), &7u32.to_ne_bytes(), &9u32.to_ne_bytes(), payload].concat()
}

#[track_caller]
fn check(family: u32, bytes: &[u8], expected: &str) {
    assert_eq!(data(family, bytes), expected);
}

#[test]
fn requests_of_rtnetlink() {
    check(
        0,
        &message(22, 0x301, &[0; 4]),
        "[{nlmsg_len=20, nlmsg_type=RTM_GETADDR, nlmsg_flags=NLM_F_REQUEST|NLM_F_DUMP, \
         nlmsg_seq=7, nlmsg_pid=9}, {ifa_family=AF_UNSPEC, ...}]",
    );
    let filter = [8, 0, 29, 0, 1, 0, 0, 0];
    check(
        0,
        &message(18, 0x301, &[&[0; 16][..], &filter].concat()),
        "[{nlmsg_len=40, nlmsg_type=RTM_GETLINK, nlmsg_flags=NLM_F_REQUEST|NLM_F_DUMP, \
         nlmsg_seq=7, nlmsg_pid=9}, {ifi_family=AF_UNSPEC, ifi_type=ARPHRD_NETROM, ifi_index=0, \
         ifi_flags=0, ifi_change=0}, [{nla_len=8, nla_type=IFLA_EXT_MASK}, RTEXT_FILTER_VF]]",
    );
}

#[test]
fn several_messages_and_attributes_stand_in_brackets() {
    let address = [2, 8, 128, 254, 1, 0, 0, 0];
    let attributes = [8, 0, 1, 0, 127, 0, 0, 1, 7, 0, 3, 0, b'l', b'o', 0, 0];
    let told = message(20, 2, &[&address[..], &attributes].concat());
    let done = message(3, 2, &[0; 4]);
    check(
        0,
        &[told, done].concat(),
        "[[{nlmsg_len=40, nlmsg_type=RTM_NEWADDR, nlmsg_flags=NLM_F_MULTI, nlmsg_seq=7, \
         nlmsg_pid=9}, {ifa_family=AF_INET, ifa_prefixlen=8, ifa_flags=IFA_F_PERMANENT, \
         ifa_scope=RT_SCOPE_HOST, ifa_index=if_nametoindex(\"lo\")}, [[{nla_len=8, \
         nla_type=IFA_ADDRESS}, inet_addr(\"127.0.0.1\")], [{nla_len=7, nla_type=IFA_LABEL}, \
         \"lo\"]]], [{nlmsg_len=20, nlmsg_type=NLMSG_DONE, nlmsg_flags=NLM_F_MULTI, \
         nlmsg_seq=7, nlmsg_pid=9}, 0]]",
    );
}

#[test]
fn errors_tell_what_failed() {
    let failed = message(16, 5, &[0; 16]);
    check(
        0,
        &message(2, 0, &[&(-19i32).to_ne_bytes()[..], &failed].concat()),
        "[{nlmsg_len=52, nlmsg_type=NLMSG_ERROR, nlmsg_flags=0, nlmsg_seq=7, nlmsg_pid=9}, \
         {error=-ENODEV, msg=[{nlmsg_len=32, nlmsg_type=RTM_NEWLINK, \
         nlmsg_flags=NLM_F_REQUEST|NLM_F_ACK, nlmsg_seq=7, nlmsg_pid=9}, {ifi_family=AF_UNSPEC, \
         ifi_type=ARPHRD_NETROM, ifi_index=0, ifi_flags=0, ifi_change=0}]}]",
    );
}

#[test]
fn sockets_that_sock_diag_is_asked_for() {
    let mut asked = [0; 24];
    asked[..8].copy_from_slice(&[1, 0, 0, 0, 0xff, 0x0f, 0, 0]);
    asked[12] = 0x15;
    check(
        4,
        &message(20, 0x301, &asked),
        "[{nlmsg_len=40, nlmsg_type=SOCK_DIAG_BY_FAMILY, nlmsg_flags=NLM_F_REQUEST|NLM_F_DUMP, \
         nlmsg_seq=7, nlmsg_pid=9}, {sdiag_family=AF_UNIX, sdiag_protocol=0, \
         udiag_states=1<<TCP_ESTABLISHED|1<<TCP_SYN_SENT|1<<TCP_SYN_RECV|1<<TCP_FIN_WAIT1|\
         1<<TCP_FIN_WAIT2|1<<TCP_TIME_WAIT|1<<TCP_CLOSE|1<<TCP_CLOSE_WAIT|1<<TCP_LAST_ACK|\
         1<<TCP_LISTEN|1<<TCP_CLOSING|0x1, udiag_ino=0, \
         udiag_show=UDIAG_SHOW_NAME|UDIAG_SHOW_PEER|UDIAG_SHOW_RQLEN, udiag_cookie=[0, 0]}]",
    );
}

#[test]
fn what_is_no_message_is_bytes() {
    check(0, &[1, 2, 3], "\"\\x01\\x02\\x03\"");
    check(
        0,
        &[0; 16],
        "{nlmsg_len=0, nlmsg_type=0 /* NLMSG_??? */, nlmsg_flags=0, nlmsg_seq=0, nlmsg_pid=0}",
    );
}

proptest! {
    #[test]
    fn no_bytes_do_harm(
        family in 0u32..20,
        kind in 0u16..120,
        flags: u16,
        payload in proptest::collection::vec(any::<u8>(), 0..300),
        more in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        data(family, &[message(kind, flags, &payload), more.clone()].concat());
        data(family, &more);
    }
}

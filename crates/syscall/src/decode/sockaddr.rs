//! `struct sockaddr` of every family.

use super::numbers;
use super::pen::{Block, Pen};
use super::row::{Argument, ended, input};
use super::tables::network::{BTPROTO, FAMILY, NETLINK};
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    PACKET_TYPE "PACKET_???" {
        PACKET_HOST 0, PACKET_BROADCAST 1, PACKET_MULTICAST 2, PACKET_OTHERHOST 3, PACKET_OUTGOING 4, PACKET_LOOPBACK 5,
        PACKET_USER 6, PACKET_KERNEL 7, PACKET_FASTROUTE 6
    }
    pub(crate) PROTOCOL "ETH_P_???" {
        ETH_P_ALL 3, ETH_P_802_3 1, ETH_P_IP 0x800, ETH_P_ARP 0x806, ETH_P_IPV6 0x86dd, ETH_P_8021Q 0x8100,
        ETH_P_8021AD 0x88a8, ETH_P_802_2 4, ETH_P_LOOP 0x60, ETH_P_LOOPBACK 0x9000, ETH_P_LLDP 0x88cc, ETH_P_PAE 0x888e,
        ETH_P_PPP_DISC 0x8863, ETH_P_PPP_SES 0x8864, ETH_P_MPLS_UC 0x8847, ETH_P_RARP 0x8035, ETH_P_CAN 0xc
    }
    pub(crate) HARDWARE "ARPHRD_???" {
        ARPHRD_NETROM 0, ARPHRD_ETHER 1, ARPHRD_INFINIBAND 32, ARPHRD_PPP 512, ARPHRD_TUNNEL 768, ARPHRD_TUNNEL6 769,
        ARPHRD_LOOPBACK 772, ARPHRD_SIT 776, ARPHRD_IPGRE 778, ARPHRD_IEEE80211 801, ARPHRD_NETLINK 824,
        ARPHRD_VSOCKMON 826, ARPHRD_NONE 0xfffe, ARPHRD_VOID 0xffff
    }
    CONTEXT "VMADDR_CID_???" { VMADDR_CID_HYPERVISOR 0, VMADDR_CID_LOCAL 1, VMADDR_CID_HOST 2, VMADDR_CID_ANY 0xffffffffu32 }
}

const UNIX: u64 = 1;
const INET: u64 = 2;
const INET6: u64 = 10;
const NETLINK_FAMILY: u64 = 16;
const PACKET: u64 = 17;
const BLUETOOTH: u64 = 31;
const ALG: u64 = 38;
const VSOCK: u64 = 40;

/// The largest address (`struct sockaddr_storage`).
const MOST: u64 = 128;

/// An address that the kernel reads; its length is the next argument.
pub(crate) const fn address_in(length_register: u8) -> Argument {
    input(
        |pen, r| pen.sockaddr_at(pen.arg(r), i64::from(pen.arg_i32(r + 1))),
        What::Bytes(Length::Argument(length_register)),
    )
}

/// Remembers how much room there is for an address, before the call. Writes nothing.
pub(crate) fn remember_room(pen: &mut Pen, r: u8) {
    let room = pen.memory.u32_at(pen.arg(r));
    pen.state.saved = [room.unwrap_or(0).into(), room.is_some().into()];
}

/// An address that the kernel wrote, and its length behind the next argument: `{...}, [128 => 16]`.
pub(crate) const fn address_out(length_register: u8) -> Argument {
    ended(|pen, r| pen.address_and_length(r))
        .taking(2)
        .also(1, When::Enter, What::Bytes(Length::Const(4)))
        .also(1, When::Exit, What::Bytes(Length::Const(4)))
        .also(0, When::Exit, What::Bytes(Length::Pointed(length_register)))
}

impl Pen<'_> {
    /// Two arguments: an address that the kernel wrote, and where its length is.
    pub fn address_and_length(&mut self, r: u8) {
        let (address, length_at) = (self.arg(r), self.arg(r + 1));
        let [room, known] = self.state.saved;
        let length = self.memory.u32_at(length_at).map(|n| n as i32);
        match (length, self.failed() || known == 0) {
            (Some(length), false) => {
                let length = i64::from(length);
                self.sockaddr_at(address, length.min(room as i64));
                self.text(", [");
                self.unsigned(room);
                if length != room as i64 {
                    self.text(" => ");
                    self.signed(length);
                }
                self.text("]");
            }
            _ => {
                self.address(address);
                self.text(", ");
                match known != 0 && length_at != 0 {
                    true => {
                        self.text("[");
                        self.signed((room as i32).into());
                        self.text("]");
                    }
                    false => self.address(length_at),
                }
            }
        }
    }

    /// The address at a pointer, of so many bytes.
    pub fn sockaddr_at(&mut self, address: u64, length: i64) {
        if address == 0 {
            return self.address(0);
        }
        if length < 2 {
            return self.address(address);
        }
        let length = (length as u64).min(MOST) as usize;
        if let Some(block) = self.fetch_or_address(address, length) {
            self.sockaddr(&block, length);
        }
    }

    /// An address.
    pub fn sockaddr(&mut self, block: &Block, length: usize) {
        let family = block.u16(0);
        self.text("{sa_family=");
        self.choice(&FAMILY, family);
        match family {
            UNIX if length > 2 => {
                self.field("sun_path");
                self.unix_path(block.slice(2, length - 2));
            }
            INET if length >= 8 => {
                self.port("sin_port", block.be16(2));
                self.field("sin_addr");
                self.inet_addr(block.slice(4, 4));
            }
            INET6 if length >= 24 => self.sockaddr_inet6(block, length),
            NETLINK_FAMILY if length >= 12 => {
                self.field("nl_pid");
                self.signed(block.i32(4));
                self.text(", nl_groups=");
                let groups = block.u32(8);
                // %#08x of printf(3)
                self.text(if groups == 0 { "00" } else { "0x" });
                numbers::padded_hex(self.out, groups, if groups >> 24 == 0 { 6 } else { 8 });
            }
            PACKET if length >= 12 => self.sockaddr_packet(block),
            BLUETOOTH if length >= 6 => self.sockaddr_bluetooth(block, length),
            ALG if length >= 88 => {
                self.field("salg_type");
                self.quoted_until_zero(block.slice(2, 14));
                self.field_x("salg_feat", block.u32(16));
                self.field_x("salg_mask", block.u32(20));
                self.field("salg_name");
                self.quoted_until_zero(block.slice(24, 64));
            }
            VSOCK if length >= 16 => {
                self.field("svm_cid");
                self.choice(&CONTEXT, block.u32(8));
                self.field_x("svm_port", block.u32(4));
                self.field_x("svm_flags", block.u8(12));
            }
            UNIX | 0 if length == 2 => {}
            _ => {
                self.field("sa_data");
                self.quoted(block.slice(2, length.saturating_sub(2)));
            }
        }
        self.text("}");
    }

    /// A port: `sin_port=htons(80)`.
    pub fn port(&mut self, name: &str, port: u64) {
        self.field(name);
        let bytes = (port as u16).to_be_bytes();
        self.meaning(
            |pen| super::quote(pen.out, &bytes, super::Quote::HexAll),
            |pen| {
                pen.text("htons(");
                pen.unsigned(port);
                pen.text(")");
            },
        );
    }

    fn unix_path(&mut self, path: &[u8]) {
        match path {
            // Abstract: the zero byte in front is shown as @, and every further one belongs to the name.
            [0, name @ ..] if !name.is_empty() => {
                self.text("@");
                self.quoted(name);
            }
            [0] => {
                self.text("@");
                self.quoted(&[]);
            }
            _ => self.quoted_until_zero(path),
        }
    }

    /// `inet_addr("127.0.0.1")`.
    pub fn inet_addr(&mut self, bytes: &[u8]) {
        self.meaning(
            |pen| super::quote(pen.out, bytes, super::Quote::HexAll),
            |pen| {
                pen.text("inet_addr(\"");
                pen.dotted(bytes);
                pen.text("\")");
            },
        );
    }

    fn dotted(&mut self, bytes: &[u8]) {
        for (n, byte) in bytes.iter().enumerate() {
            if n > 0 {
                self.text(".");
            }
            self.unsigned((*byte).into());
        }
    }

    /// An address of IPv6 in quotes.
    pub fn inet6_text(&mut self, bytes: &[u8]) {
        self.text("\"");
        let mut octets = [0; 16];
        for (octet, byte) in octets.iter_mut().zip(bytes) {
            *octet = *byte;
        }
        // RFC 5952, as inet_ntop(3) writes it; std differs for ::1.2.3.4 (deprecated), which is written alike here.
        let text = std::net::Ipv6Addr::from(octets).to_string();
        match octets {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if a != 0 || b != 0 => {
                self.text("::");
                self.dotted(&[a, b, c, d]);
            }
            _ => self.text(&text),
        }
        self.text("\"");
    }

    fn sockaddr_inet6(&mut self, block: &Block, length: usize) {
        self.port("sin6_port", block.be16(2));
        self.field("sin6_flowinfo");
        self.text("htonl(");
        self.unsigned(u64::from(u32::from_be(block.u32(4) as u32)));
        self.text(")");
        self.next();
        self.text("inet_pton(AF_INET6, ");
        self.inet6_text(block.slice(8, 16));
        self.text(", &sin6_addr)");
        if length >= 28 {
            self.field("sin6_scope_id");
            // Only addresses of a link say of which one.
            let link = matches!(block.slice(8, 2), [0xfe, b] if b & 0xc0 == 0x80)
                || matches!(block.slice(8, 2), [0xff, b] if b & 0xf == 2);
            match link {
                true => self.interface(block.u32(24)),
                false => self.unsigned(block.u32(24)),
            }
        }
    }

    fn sockaddr_packet(&mut self, block: &Block) {
        self.field("sll_protocol");
        self.text("htons(");
        self.choice(&PROTOCOL, block.be16(2));
        self.text(")");
        self.field("sll_ifindex");
        self.interface(block.u32(4));
        self.field_c("sll_hatype", &HARDWARE, block.u16(8));
        self.field_c("sll_pkttype", &PACKET_TYPE, block.u8(10));
        self.field_u("sll_halen", block.u8(11));
        let halen = block.u8(11).min(8) as usize;
        if halen > 0 {
            self.field("sll_addr");
            self.text("[");
            for (n, byte) in block.slice(12, halen).iter().enumerate() {
                if n > 0 {
                    self.text(", ");
                }
                self.hex((*byte).into());
            }
            self.text("]");
        }
    }

    /// The number of a network interface. strace asks the system for its name; here only the number is known.
    pub fn interface(&mut self, number: u64) {
        match self.names.interface(number as u32) {
            Some(name) if number != 0 => {
                self.text("if_nametoindex(");
                self.quoted(&name);
                self.text(")");
            }
            _ => self.unsigned(number),
        }
    }

    fn sockaddr_bluetooth(&mut self, block: &Block, length: usize) {
        match length {
            6 => {
                self.text(", hci_dev=htobs(");
                self.unsigned(block.u16(2));
                self.text("), hci_channel=");
                self.choice(&BTPROTO, block.u16(4));
            }
            _ => {
                self.field("bt_data");
                self.quoted(block.slice(2, length - 2));
            }
        }
    }

    /// The protocol of a netlink socket.
    pub fn netlink_protocol(&mut self, protocol: u64) {
        self.choice(&NETLINK, protocol);
    }
}

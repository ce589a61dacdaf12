//! `struct msghdr` with its address, vectors and control messages; `struct mmsghdr`.

use super::pen::{Block, Pen};
use super::row::{Argument, ended, input};
use super::tables::network::{MSG, SOL};
use super::xlat::xlat;
use crate::capture::{What, When};

xlat! {
    SCM "SCM_???" {
        SCM_RIGHTS 1, SCM_CREDENTIALS 2, SCM_SECURITY 3, SCM_PIDFD 4, SCM_TIMESTAMP 0x1d, SCM_TIMESTAMPNS 0x23, SCM_TIMESTAMPING 0x25,
        SCM_WIFI_STATUS 0x29, SCM_TIMESTAMPING_OPT_STATS 54, SCM_TIMESTAMPING_PKTINFO 58, SCM_TXTIME 61
    }
    IP_CONTROL "IP_???" {
        IP_TOS 1, IP_TTL 2, IP_OPTIONS 4, IP_RETOPTS 7, IP_PKTINFO 8, IP_RECVERR 11, IP_RECVTTL 12, IP_CHECKSUM 23, SCM_SECURITY 18,
        IP_ORIGDSTADDR 20
    }
    IPV6_CONTROL "IPV6_???" {
        IPV6_PKTINFO 50, IPV6_HOPLIMIT 52, IPV6_TCLASS 67, IPV6_RECVERR 25, IPV6_RTHDR 57, IPV6_HOPOPTS 54, IPV6_DSTOPTS 59
    }
}

/// A message to send.
pub(crate) const MESSAGE_IN: Argument = input(
    |pen, r| {
        if let Some(message) = Message::fetch(pen, pen.arg(r)) {
            message.write(pen, u64::MAX, None);
        } else {
            pen.address(pen.arg(r));
        }
    },
    What::Msghdr,
);

/// A message that was received.
pub(crate) const MESSAGE_OUT: Argument = ended(|pen, r| {
    let Some(message) = Message::fetch(pen, pen.arg(r)) else { return pen.address(pen.arg(r)) };
    match pen.returned() {
        Some(length) => {
            let room = pen.state.saved[0];
            message.write(pen, length.max(0) as u64, Some(room));
        }
        None => {
            pen.text("{msg_namelen=");
            pen.signed((pen.state.saved[0] as i32).into());
            pen.text("}");
        }
    }
})
.also(0, When::Enter, What::Msghdr)
.also(0, When::Exit, What::Msghdr);

/// Messages to send: how many were sent is known at the end.
pub(crate) const MESSAGES_IN: Argument = ended(|pen, r| {
    let count = pen.returned().map_or(u64::from(pen.arg_u32(r + 1)), |sent| sent.max(0) as u64);
    messages(pen, pen.arg(r), count, false);
})
.also(0, When::Enter, What::Mmsghdr { count: 2 })
.also(0, When::Exit, What::Mmsghdr { count: 2 });

/// Messages that were received.
pub(crate) const MESSAGES_OUT: Argument = ended(|pen, r| match pen.returned() {
    Some(count) => messages(pen, pen.arg(r), count.max(0) as u64, true),
    None => pen.address(pen.arg(r)),
})
.also(0, When::Exit, What::Mmsghdr { count: 2 });

/// Remembers how much room there is for the address. Writes nothing.
pub(crate) fn remember_room(pen: &mut Pen, r: u8) {
    if let Some(message) = Message::fetch(pen, pen.arg(r)) {
        pen.state.saved[0] = message.0.u32(pen.pointer());
    }
}

fn messages(pen: &mut Pen, address: u64, count: u64, received: bool) {
    let size = 8 * pen.pointer();
    pen.array(address, count, size, |pen, block| {
        let length = block.u32(7 * pen.pointer());
        let room = received.then(|| block.u32(pen.pointer()));
        let message = Message(block);
        pen.text("{msg_hdr=");
        message.write(pen, if received { length } else { u64::MAX }, room);
        if !pen.failed() {
            pen.field_u("msg_len", length);
        }
        pen.text("}");
    });
}

/// `struct msghdr`: seven words, of which the second and the last have 32 bits.
struct Message<B: std::borrow::Borrow<Block>>(B);

impl Message<Block> {
    fn fetch(pen: &Pen, address: u64) -> Option<Message<Block>> {
        pen.fetch(address, 7 * pen.pointer()).map(Message)
    }
}

impl<B: std::borrow::Borrow<Block>> Message<B> {
    /// Writes it; with the room for the address if it was received.
    fn write(&self, pen: &mut Pen, total: u64, room: Option<u64>) {
        let header = self.0.borrow();
        let word = pen.pointer();
        let length = header.i32(word);
        pen.text("{msg_name=");
        let known = room.map_or(length, |room| length.min(room as i64));
        pen.sockaddr_at(header.word(0), known);
        pen.text(", msg_namelen=");
        match room {
            Some(room) if room as i64 != length => {
                pen.signed((room as i32).into());
                pen.text(" => ");
            }
            _ => {}
        }
        pen.signed(length);
        pen.field("msg_iov");
        let fd = pen.arg_i32(0);
        pen.iovec_by(header.word(2), header.word(3), total, |pen, base, length| {
            pen.socket_data(fd, base, length);
        });
        pen.field_u("msg_iovlen", header.word(3));
        let (control, control_length) = (header.word(4), header.word(5));
        if control_length > 0 {
            pen.field("msg_control");
            pen.control(control, control_length);
        }
        pen.field_u("msg_controllen", control_length);
        pen.field_f("msg_flags", &MSG, header.u32(6 * word));
        pen.text("}");
    }
}

impl Pen<'_> {
    /// Control messages.
    pub fn control(&mut self, address: u64, length: u64) {
        let word = self.pointer();
        let header = word + 8;
        let mut bytes = vec![0; length.min(1 << 16) as usize];
        if address == 0
            || bytes.len() < header
            || self.memory.read(address, &mut bytes) < bytes.len()
        {
            return self.address(address);
        }
        self.text("[");
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= header) {
            let claimed = crate::memory::word_in(rest, 0, word).unwrap_or(0);
            self.next();
            self.text("{cmsg_len=");
            self.unsigned(claimed);
            let level = crate::memory::u32_in(rest, word).unwrap_or(0).into();
            let kind = crate::memory::u32_in(rest, word + 4).unwrap_or(0).into();
            self.field_c("cmsg_level", &SOL, level);
            self.field("cmsg_type");
            let table = match level {
                0 => &IP_CONTROL,
                41 => &IPV6_CONTROL,
                1 => &SCM,
                _ => &UNKNOWN,
            };
            self.choice(table, kind);
            let claimed = usize::try_from(claimed).unwrap_or(usize::MAX);
            let data = rest.get(header..claimed.min(rest.len())).unwrap_or(&[]);
            if !data.is_empty() {
                self.field("cmsg_data");
                self.control_data(level, kind, data);
            }
            self.text("}");
            if claimed < header {
                break;
            }
            at = at.saturating_add(claimed.next_multiple_of(word));
        }
        self.text("]");
    }

    fn control_data(&mut self, level: u64, kind: u64, data: &[u8]) {
        let number = |n: usize| crate::memory::u32_in(data, 4 * n).unwrap_or(0);
        match (level, kind) {
            (1, 1) if data.len() >= 4 => {
                self.text("[");
                for n in 0..data.len() / 4 {
                    self.next();
                    self.fd(number(n) as i32);
                }
                self.text("]");
            }
            (1, 2) if data.len() >= 12 => {
                self.text("{pid=");
                self.pid(number(0) as i32);
                self.field_u("uid", number(1).into());
                self.field_u("gid", number(2).into());
                self.text("}");
            }
            (1, 4) if data.len() >= 4 => self.fd(number(0) as i32),
            (1, 0x1d | 0x23) if data.len() >= 2 * self.pointer() => {
                let word = self.pointer();
                let half = |n| crate::memory::word_in(data, n * word, word).unwrap_or(0) as i64;
                let pair = (half(0), half(1));
                if kind == 0x1d { self.timeval(pair) } else { self.timespec(pair) }
            }
            (0, 8) if data.len() >= 12 => {
                self.text("{ipi_ifindex=");
                self.interface(number(0).into());
                self.field("ipi_spec_dst");
                self.inet_addr(data.get(4..8).unwrap_or(&[]));
                self.field("ipi_addr");
                self.inet_addr(data.get(8..12).unwrap_or(&[]));
                self.text("}");
            }
            (0, 2) if data.len() >= 4 => {
                self.text("[");
                self.unsigned(number(0).into());
                self.text("]");
            }
            (0, 1) => {
                self.text("[");
                self.hex(data.first().copied().unwrap_or(0).into());
                self.text("]");
            }
            _ => {
                let shown = data.len().min(self.style.strings);
                self.quoted(&data[..shown]);
                if shown < data.len() {
                    self.text("...");
                }
            }
        }
    }
}

xlat! {
    UNKNOWN "???" {}
}

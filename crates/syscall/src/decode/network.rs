//! Sockets: making, naming, connecting, sending, receiving. Addresses, messages and options have files of their own.

use super::args::*;
use super::descriptor::PAIR;
use super::message::{MESSAGE_IN, MESSAGE_OUT, MESSAGES_IN, MESSAGES_OUT};
use super::row::{Argument, choice, ended, flags, input, output, plain, rows};
use super::sockaddr::{address_in, address_out, remember_room};
use super::sockopt::{GETSOCKOPT, GETSOCKOPT_HEAD, SETSOCKOPT};
use super::tables::network::*;
use crate::capture::{Length, What};

/// A socket's type and the flags beside it.
const TYPE: Argument = plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    pen.choice(&SOCK_TYPE, value & 0xf);
    if value & !0xf != 0 {
        pen.text("|");
        pen.flags(&SOCK_FLAGS, value & !0xf);
    }
});
/// The protocol, named by the family that is two arguments before.
const PROTOCOL: Argument = plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    match pen.arg_u32(r - 2) {
        2 | 10 => pen.choice(&IPPROTO, value),
        16 => pen.netlink_protocol(value),
        17 => {
            pen.text("htons(");
            pen.choice(&super::sockaddr::PROTOCOL, u64::from((value as u16).swap_bytes()));
            pen.text(")");
        }
        31 => pen.choice(&BTPROTO, value),
        _ => pen.unsigned(value),
    }
});
/// A socket whose peer's address the call returns: the room for it is noted first.
const FD_AND_ROOM: Argument = plain(|pen, r| {
    pen.fd(pen.arg_i32(r));
    remember_room(pen, 2);
})
.descriptor();
const FD_AND_NAME_ROOM: Argument = plain(|pen, r| {
    pen.fd(pen.arg_i32(r));
    super::message::remember_room(pen, r + 1);
})
.descriptor();
const NOTE_ROOM: Argument = plain(|pen, r| {
    pen.fd(pen.arg_i32(r));
    remember_room(pen, 5);
})
.descriptor();
const ADDRESS_OUT: Argument = address_out(2);
const BACKLOG: Argument = INT;
/// Data received: as much as the call returned; nothing is known of it if more was asked to be cut.
const RECEIVED: Argument = output(
    |pen, r| {
        let length = (pen.returned().unwrap_or(0).max(0) as u64).min(pen.arg(r + 1));
        pen.socket_data(pen.arg_i32(0), pen.arg(r), length);
    },
    What::Bytes(Length::Returned),
);
/// Data that is sent.
const SENT: Argument = input(
    |pen, r| pen.socket_data(pen.arg_i32(0), pen.arg(r), pen.arg(r + 1)),
    What::Bytes(Length::Argument(2)),
);
/// recvfrom's flags and, when it has ended, the address.
const FROM: Argument = ended(|pen, r| match pen.arg(r + 1) {
    0 if pen.arg(r) == 0 => pen.text("NULL, NULL"),
    _ => pen.address_and_length(r),
})
.taking(2)
.also(1, crate::capture::When::Enter, What::Bytes(Length::Const(4)))
.also(1, crate::capture::When::Exit, What::Bytes(Length::Const(4)))
.also(0, crate::capture::When::Exit, What::Bytes(Length::Pointed(5)));
/// The flags of accept4, behind the two arguments that its address takes.
const ACCEPT_FLAGS: Argument = plain(|pen, _| pen.flags(&SOCK_FLAGS, pen.arg_u32(3).into()));
const TO: Argument = address_in(5);
/// sendto's length of the address.
const TO_LENGTH: Argument = UINT;

rows! {
    socket [choice(&FAMILY), TYPE, PROTOCOL] Fd;
    socketpair [choice(&FAMILY), TYPE, PROTOCOL, PAIR] Decimal;
    bind [FD, address_in(2), INT] Decimal;
    connect [FD, address_in(2), INT] Decimal;
    listen [FD, BACKLOG] Decimal;
    accept [FD_AND_ROOM, ADDRESS_OUT] Fd;
    accept4 [FD_AND_ROOM, ADDRESS_OUT, ACCEPT_FLAGS] Fd;
    getsockname [FD_AND_ROOM, ADDRESS_OUT] Decimal;
    getpeername [FD_AND_ROOM, ADDRESS_OUT] Decimal;
    send [FD, SENT, SIZE, flags(&MSG)] Decimal;
    recv [FD, RECEIVED, SIZE, flags(&MSG)] Decimal;
    sendto [FD, SENT, SIZE, flags(&MSG), TO, TO_LENGTH] Decimal;
    recvfrom [NOTE_ROOM, RECEIVED, SIZE, flags(&MSG), FROM] Decimal;
    sendmsg [FD, MESSAGE_IN, flags(&MSG)] Decimal;
    recvmsg [FD_AND_NAME_ROOM, MESSAGE_OUT, flags(&MSG)] Decimal;
    sendmmsg [FD, MESSAGES_IN, UINT, flags(&MSG)] Decimal;
    recvmmsg [FD, MESSAGES_OUT, UINT, flags(&MSG), super::time::TIMESPEC_IN] Decimal;
    recvmmsg_time64 [FD, MESSAGES_OUT, UINT, flags(&MSG), super::time::TIMESPEC_IN] Decimal;
    socketcall [INT, ADDRESS] Decimal;
    shutdown [FD, choice(&SHUTDOWN)] Decimal;
    setsockopt [FD, SETSOCKOPT] Decimal;
    getsockopt [FD, GETSOCKOPT_HEAD, GETSOCKOPT] Decimal;
}

/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * A row of the inventory as it goes through the iterator: the C side. The Rust side is src/inventory/wire.rs; a test
 * holds every offset and size of one against the object's BTF of the other.
 */
#pragma once
#include "kernel.h"

/* What follows the fixed part of a row. */
enum held_parts {
	HELD_PATH = 1,        /* text_bytes of the link's text, or none and text_error says why */
	HELD_SOCKET = 2,      /* struct held_socket, then text_bytes of its UNIX name, peer_bytes of its peer's */
};

struct held_row {
	__u64 table;          /* struct files_struct */
	__u64 file;           /* struct file */
	__u64 inode;
	__u64 offset;         /* f_pos */
	__u64 size;
	__u64 blocks;         /* of 512 bytes */
	__u32 bytes;          /* of the whole record, a multiple of 8 */
	__u32 pid;            /* in fdscope's PID namespace */
	__u32 tid;            /* the thread whose table this is, in the initial PID namespace */
	__u32 fd;
	__u32 device;
	__u32 magic;          /* of the file system */
	__u32 flags;          /* f_flags, and O_CLOEXEC for the descriptor's flag */
	__u32 access;         /* f_mode: 1 may read, 2 may write */
	__u32 links;
	__u32 uid;
	__u32 node;           /* i_rdev */
	__u32 mount;          /* mnt_id */
	__u16 mode;           /* i_mode */
	__u16 parts;          /* enum held_parts */
	__u16 text_bytes;
	__s16 text_error;
};

#define INET6_BYTES 16

struct held_socket {
	__u64 cookie;
	__u64 peer_inode;     /* UNIX: of the other side, 0 if it has none */
	__u64 receive_queue;  /* as sock_diag counts it */
	__u64 send_queue;
	__u32 namespace;      /* inode of the network namespace */
	__u32 interface;      /* bound to, or of a packet socket */
	__u32 numbers[4];     /* netlink: own and peer's port; vsock: own context and port, the peer's */
	__u16 family;
	__u16 type;
	__u16 protocol;
	__u16 local_port;     /* packet: EtherType */
	__u16 peer_port;
	__u16 peer_bytes;
	__u8 state;
	__u8 has_peer;        /* UNIX: connected to another socket */
	__u16 shutdown;       /* directions: 1 receiving, 2 sending */
	__u8 local[INET6_BYTES]; /* IPv4: the first four */
	__u8 peer[INET6_BYTES];
};

_Static_assert(sizeof(struct held_row) == 104, "held_row");
_Static_assert(sizeof(struct held_socket) == 104, "held_socket");

/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What a socket tells of itself: read as net/ipv4/inet_diag.c, net/unix/diag.c and their like do for sock_diag. */
#pragma once
#include "held.h"

/* Whether the verifier knows the sockets' type: LOAD of task.h. */
#ifndef DIRECT_SOCKETS
#define DIRECT_SOCKETS true
#endif
#define GET(pointer, member) LOAD(DIRECT_SOCKETS, pointer, member)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct refcount {
	struct atomic refs;
};

struct net {
	struct ns_common ns;
};

struct possible_net {
	struct net *net;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	int skc_bound_dev_if;
	struct possible_net skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sk_buff_head {
	__u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	struct {
		struct atomic rmem_alloc;
	} sk_backlog;
	struct socket *sk_socket;
	struct refcount sk_wmem_alloc;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
};

struct socket {
	short type;
	struct sock *sk;
};

struct socket_alloc {
	struct inode vfs_inode;
};

struct tcp_sock {
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 write_seq;
	__u32 snd_una;
};

struct inet_sock {
	__u16 inet_sport;
};

struct udp_sock {
	int forward_deficit;
};

struct sockaddr_un {
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[1];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
	int inq_len;
};

struct netlink_sock {
	__u32 portid;
	__u32 dst_portid;
};

struct packet_sock {
	int ifindex;
	__u16 num;
};

struct sockaddr_vm {
	unsigned int svm_port;
	unsigned int svm_cid;
};

struct vsock_sock {
	struct sockaddr_vm local_addr;
	struct sockaddr_vm remote_addr;
};

#pragma clang attribute pop

static struct socket *(*bpf_sock_from_file)(void *file) = (void *)162;
static __u64 (*bpf_get_socket_cookie)(void *sk) = (void *)46;

enum {
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	AF_NETLINK = 16,
	AF_PACKET = 17,
	AF_VSOCK = 40,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_MPTCP = 262,
	SOCK_STREAM = 1,
	TCP_LISTEN = 10,
};

/* sun_path, whole. */
#define UNIX_NAME_BYTES 108

static __always_inline __u32 swap16(__u32 value)
{
	return (value & 0xff) << 8 | (value >> 8 & 0xff);
}

/* The name of a UNIX socket at `to`, which has room for UNIX_NAME_BYTES; the bytes it has. */
static __always_inline __u32 read_unix_name(void *to, struct unix_sock *sk)
{
	struct unix_address *address = READ(sk, addr);
	__u32 bytes;

	if (!address)
		return 0;
	bytes = READ(address, len) - 2;
	CHECK_HERE(bytes);
	if (bytes > UNIX_NAME_BYTES)
		return 0;
	if (bpf_probe_read_kernel(to, bytes, __builtin_preserve_access_index(&address->name[0].sun_path)))
		return 0;
	return bytes;
}

static __always_inline __u64 inode_of_sock(struct sock *sk)
{
	struct socket_alloc *alloc = (void *)READ(sk, sk_socket);

	return alloc ? READ(alloc, vfs_inode.i_ino) : 0;
}

/* Both ends, and the queues in bytes or, of a listener, in connections. */
static __always_inline void read_inet(struct held_socket *told, struct sock *sk)
{
	struct tcp_sock *tcp = (void *)sk;
	struct udp_sock *udp = (void *)sk;
	struct inet_sock *inet = (void *)sk;
	__s32 waiting;

	/* Not skc_num, which a reset connection loses before its name. */
	told->local_port = swap16(READ(inet, inet_sport));
	told->peer_port = swap16(GET(sk, __sk_common.skc_dport));
	if (told->family == AF_INET6) {
		core_read(&told->local, &sk->__sk_common.skc_v6_rcv_saddr);
		core_read(&told->peer, &sk->__sk_common.skc_v6_daddr);
	} else {
		*(__u32 *)told->local = GET(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)told->peer = GET(sk, __sk_common.skc_daddr);
	}
	if (told->state == TCP_LISTEN) {
		told->receive_queue = GET(sk, sk_ack_backlog);
		told->send_queue = GET(sk, sk_max_ack_backlog);
	} else if (told->protocol == IPPROTO_TCP && told->type == SOCK_STREAM) {
		waiting = READ(tcp, rcv_nxt) - READ(tcp, copied_seq);
		told->receive_queue = waiting > 0 ? waiting : 0;
		told->send_queue = (__u32)(READ(tcp, write_seq) - READ(tcp, snd_una));
	} else if (told->protocol == IPPROTO_UDP) {
		waiting = told->receive_queue;
		if (bpf_core_field_exists(struct udp_sock, forward_deficit))
			waiting -= READ(udp, forward_deficit);
		told->receive_queue = waiting > 0 ? waiting : 0;
	}
}

/* The names behind `told` at `text`; the bytes of the own one in `text_bytes`, of the peer's in `told`. */
static __always_inline __u32 read_unix(struct held_socket *told, struct sock *sk, __u8 *text)
{
	struct unix_sock *here = (void *)sk;
	struct sock *peer = READ(here, peer);
	__u32 bytes = read_unix_name(text, here);

	if (peer) {
		told->has_peer = 1;
		told->peer_inode = inode_of_sock(peer);
		told->peer_bytes = read_unix_name(text + bytes, (void *)peer);
	}
	if (told->state == TCP_LISTEN) {
		told->receive_queue = GET(sk, sk_receive_queue.qlen);
		told->send_queue = GET(sk, sk_max_ack_backlog);
	} else if (told->type == SOCK_STREAM && bpf_core_field_exists(struct unix_sock, inq_len)) {
		told->receive_queue = READ(here, inq_len);
	}
	return bytes;
}

/* Ports and contexts of families without an address. */
static __always_inline void read_numbers(struct held_socket *told, struct sock *sk)
{
	struct netlink_sock *netlink = (void *)sk;
	struct packet_sock *packet = (void *)sk;
	struct vsock_sock *vsock = (void *)sk;

	if (told->family == AF_NETLINK && bpf_core_field_exists(struct netlink_sock, portid)) {
		told->numbers[0] = READ(netlink, portid);
		told->numbers[1] = READ(netlink, dst_portid);
	} else if (told->family == AF_PACKET && bpf_core_field_exists(struct packet_sock, num)) {
		told->local_port = swap16(READ(packet, num));
		told->interface = READ(packet, ifindex);
	} else if (told->family == AF_VSOCK && bpf_core_field_exists(struct vsock_sock, local_addr)) {
		told->numbers[0] = READ(vsock, local_addr.svm_cid);
		told->numbers[1] = READ(vsock, local_addr.svm_port);
		told->numbers[2] = READ(vsock, remote_addr.svm_cid);
		told->numbers[3] = READ(vsock, remote_addr.svm_port);
	}
}

/* Fills `told`, and the names at `text`; the bytes of the socket's own. */
static __always_inline __u32 read_socket(struct held_socket *told, struct socket *socket, __u8 *text)
{
	struct sock *sk = GET(socket, sk);
	struct net *net;

	__builtin_memset(told, 0, sizeof(*told));
	told->type = GET(socket, type);
	if (!sk)
		return 0;
	if (DIRECT_SOCKETS)
		told->cookie = bpf_get_socket_cookie(sk);
	told->family = GET(sk, __sk_common.skc_family);
	told->state = GET(sk, __sk_common.skc_state);
	told->protocol = GET(sk, sk_protocol);
	told->interface = GET(sk, __sk_common.skc_bound_dev_if);
	told->shutdown = GET(sk, sk_shutdown) & 3;
	net = GET(sk, __sk_common.skc_net.net);
	told->namespace = GET(net, ns.inum);
	told->receive_queue = GET(sk, sk_backlog.rmem_alloc.counter);
	told->send_queue = GET(sk, sk_wmem_alloc.refs.counter) - 1;
	if (told->family == AF_INET || told->family == AF_INET6)
		read_inet(told, sk);
	else if (told->family == AF_UNIX)
		return read_unix(told, sk, text);
	else
		read_numbers(told, sk);
	return 0;
}

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * Tells of sockets of TCP that change their state and of sockets that send: with the thread that does it, while that
 * still lives. A capture learns from it whose packets are that no look at /proc would find an owner of any more, and which
 * thread sent them.
 */
#include "arch.h"
#include "number.h"
#include "sock.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#if defined(__TARGET_ARCH_arm64)
#define CALL_CLOSE 57
#else
#define CALL_CLOSE 3
#endif

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
};

/* The Rust side is src/states.rs; a test holds every offset of one against the object's BTF of the other. */
struct socket_change {
	__u64 at;             /* on the monotonic clock, ns */
	__u64 since;          /* when another thread sent by the socket last, or a connection was begun; 0: neither */
	__u64 inode;          /* in sockfs; 0 if it has none (any more) */
	__u32 pid;            /* in fdscope's PID namespace; 0: not done by a process */
	__u32 tid;
	__s32 fd;             /* -1: not known */
	__u32 namespace;      /* inode of the network namespace */
	__u16 family;
	__u16 protocol;
	__u16 local_port;
	__u16 peer_port;
	__u8 local[INET6_BYTES]; /* IPv4: the first four */
	__u8 peer[INET6_BYTES];
	char comm[16];
	char thread[16];      /* the thread's name */
	__u8 before;          /* states; 0 and 0 if it sends */
	__u8 after;
	__u8 unused[6];
};

_Static_assert(sizeof(struct socket_change) == 120, "socket_change");

/* Keeps the structure in the object's BTF, where the test finds it. */
const volatile struct socket_change *const volatile socket_change_told = NULL;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

/* Who does something with a socket. */
struct doer {
	__u64 at;
	__u32 pid;
	__u32 tid;
	__s32 fd;
	char comm[16];
	char thread[16];
};

/* Who began to connect a socket: it has no port yet when that is told, and what comes of it comes with a segment. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct doer);
} connecting SEC(".maps");

/* Who sent last by a socket, where from and whereto, and when: it is told when that changes. */
struct sender {
	__u64 thread;
	__u64 ports;
	__u64 at;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct sender);
} senders SEC(".maps");

/* Changes that no process makes are told, too. */
const volatile bool every_change = false;

/*
 * The descriptor that the current call is about: its first argument, if the table holds the socket there, or if it was
 * there until this call closed it.
 */
static __always_inline __s32 descriptor(struct task_struct *task, __u64 inode)
{
	struct pt_regs *regs = current_registers();
	struct files_struct *files = READ(task, files);
	struct file **array, *file = NULL;
	struct inode *held;
	struct fdtable *fdt;
	__u32 fd;

	if (is_compat(task))
		return -1;
	fd = argument(regs, 0, false, false);
	fdt = READ(files, fdt);
	if (fd >= READ(fdt, max_fds))
		return -1;
	if (call_number(regs) == CALL_CLOSE)
		return fd;
	array = READ(fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), array + fd);
	held = READ(file, f_inode);
	return inode && READ(held, i_ino) == inode ? (__s32)fd : -1;
}

static __always_inline __u64 inode_of(struct sock *sk)
{
	struct socket *socket = READ(sk, sk_socket);

	return socket ? READ((struct socket_alloc *)socket, vfs_inode.i_ino) : 0;
}

static __always_inline void current_doer(struct doer *doer, struct sock *sk)
{
	struct task_struct *task = (void *)bpf_get_current_task(), *leader = READ(task, group_leader);

	__builtin_memset(doer, 0, sizeof(*doer));
	current_numbers(&doer->pid, &doer->tid);
	doer->at = bpf_ktime_get_ns();
	/* The process's name, not the thread's. */
	core_read(&doer->comm, &leader->comm);
	core_read(&doer->thread, &task->comm);
	doer->fd = descriptor(task, inode_of(sk));
}

static __always_inline void tell(struct sock *sk, __u16 family, struct doer *doer, __u8 before, __u8 after, __u64 since)
{
	struct socket_change *change = bpf_ringbuf_reserve(&ring, sizeof(*change), 0);
	struct net *net;

	if (!change)
		return;
	__builtin_memset(change, 0, sizeof(*change));
	change->at = bpf_ktime_get_ns();
	change->since = since;
	change->family = family;
	change->protocol = READ(sk, sk_protocol);
	change->before = before;
	change->after = after;
	/* What the socket was bound to stays there when it is closed. */
	change->local_port = swap16(READ((struct inet_sock *)sk, inet_sport));
	if (!change->local_port)
		change->local_port = READ(sk, __sk_common.skc_num);
	change->peer_port = swap16(READ(sk, __sk_common.skc_dport));
	if (family == AF_INET6) {
		core_read(&change->local, &sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		core_read(&change->peer, &sk->__sk_common.skc_v6_daddr.in6_u.u6_addr8);
	} else {
		*(__u32 *)change->local = READ(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)change->peer = READ(sk, __sk_common.skc_daddr);
	}
	net = READ(sk, __sk_common.skc_net.net);
	change->namespace = READ(net, ns.inum);
	change->inode = inode_of(sk);
	change->pid = doer->pid;
	change->tid = doer->tid;
	change->fd = doer->fd;
	__builtin_memcpy(change->comm, doer->comm, sizeof(change->comm));
	__builtin_memcpy(change->thread, doer->thread, sizeof(change->thread));
	/* The reader looks by itself, as it does for packets. */
	bpf_ringbuf_submit(change, BPF_RB_NO_WAKEUP);
}

SEC("raw_tp/inet_sock_set_state")
int state_changed(__u64 *args)
{
	struct sock *sk = (void *)args[0];
	int before = args[1], after = args[2];
	__u16 family = READ(sk, __sk_common.skc_family);
	__u64 key = (__u64)sk;
	struct doer doer = { .fd = -1 }, *known;

	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (before == TCP_SYN_SENT) {
		known = bpf_map_lookup_elem(&connecting, &key);
		if (known) {
			tell(sk, family, known, before, after, known->at);
			bpf_map_delete_elem(&connecting, &key);
		} else if (every_change) {
			tell(sk, family, &doer, before, after, 0);
		}
		return 0;
	}
	/* connect, listen, and close or shutdown; all else comes with a segment or a timer. */
	if (after == TCP_SYN_SENT) {
		current_doer(&doer, sk);
		bpf_map_update_elem(&connecting, &key, &doer, BPF_ANY);
	} else if (after == TCP_LISTEN || (before == TCP_ESTABLISHED && after == TCP_FIN_WAIT1) ||
		   (before == TCP_CLOSE_WAIT && after == TCP_LAST_ACK)) {
		current_doer(&doer, sk);
		tell(sk, family, &doer, before, after, 0);
	} else if (every_change || (before == TCP_SYN_RECV && after == TCP_ESTABLISHED)) {
		/* What is accepted is as old as its connection. */
		tell(sk, family, &doer, before, after, 0);
	}
	return 0;
}

/* Since 6.3; when it has sent. */
SEC("raw_tp/sock_send_length")
int sent(__u64 *args)
{
	struct sock *sk = (void *)args[0];
	__u64 key = (__u64)sk, last = 0;
	struct sender sender = {}, *known;
	__u16 family, protocol;
	struct doer doer;

	protocol = READ(sk, sk_protocol);
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP)
		return 0;
	family = READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	sender.thread = bpf_get_current_pid_tgid();
	sender.ports = (__u64)READ(sk, __sk_common.skc_num) << 16 | READ(sk, __sk_common.skc_dport);
	sender.at = bpf_ktime_get_ns();
	known = bpf_map_lookup_elem(&senders, &key);
	if (known && known->thread == sender.thread && known->ports == sender.ports) {
		known->at = sender.at;
		return 0;
	}
	/* Another socket may have had the place in memory: then the ports differ, but for a chance. */
	if (known && known->ports == sender.ports)
		last = known->at;
	bpf_map_update_elem(&senders, &key, &sender, BPF_ANY);
	current_doer(&doer, sk);
	tell(sk, family, &doer, 0, 0, last);
	return 0;
}

/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* System calls: what each operation of `enum op` reads of its arguments, and which slots it fills. */
#pragma once
#include "task.h"

#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define SCM_PIDFD 4

struct control {
	__u64 address;
	__u64 length;
};

static __always_inline bool read_control(struct control *control, __u64 msghdr, bool compat)
{
	__u32 small[2] = {};

	if (!compat)
		return !bpf_probe_read_user(control, sizeof(*control), (void *)(msghdr + 32));
	if (bpf_probe_read_user(small, sizeof(small), (void *)(msghdr + 16)))
		return false;
	control->address = small[0];
	control->length = small[1];
	return true;
}

struct cmsg {
	__u64 length;
	__s32 level;
	__s32 type;
};

static __always_inline bool read_cmsg(struct cmsg *cmsg, __u64 address, bool compat)
{
	struct {
		__u32 length;
		__s32 level;
		__s32 type;
	} small = {};

	if (!compat)
		return !bpf_probe_read_user(cmsg, sizeof(*cmsg), (void *)address);
	if (bpf_probe_read_user(&small, sizeof(small), (void *)address))
		return false;
	cmsg->length = small.length;
	cmsg->level = small.level;
	cmsg->type = small.type;
	return true;
}

#define MAX_CMSGS 3
#define MAX_PASSED 16  /* descriptors reported one by one; of more, the table is read again */

/* Where the first descriptors passed in a message stand; *more is set if others may follow elsewhere. */
static __always_inline int find_passed(struct control *passed, __u64 msghdr, bool compat)
{
	struct control control = {};
	struct cmsg cmsg = {};
	__u32 header = compat ? 12 : 16, align = compat ? 3 : 7, i;
	__u64 at;

	passed->length = 0;
	if (!read_control(&control, msghdr, compat) || control.length < header)
		return 0;
	at = control.address;
	for (i = 0; i < MAX_CMSGS; i++) {
		if (at + header > control.address + control.length || !read_cmsg(&cmsg, at, compat))
			return 0;
		if (cmsg.length < header || at + cmsg.length > control.address + control.length)
			return 0;
		if (cmsg.level == SOL_SOCKET && (cmsg.type == SCM_RIGHTS || cmsg.type == SCM_PIDFD)) {
			passed->address = at + header;
			passed->length = (cmsg.length - header) / 4;
			at += (cmsg.length + align) & ~(__u64)align;
			return at + header <= control.address + control.length;
		}
		at += (cmsg.length + align) & ~(__u64)align;
	}
	return 1;
}

/* Reports one of them. 0 if it cannot be read. A function of its own, for the verifier's sake. */
__attribute__((noinline)) int receive_at(__u64 address)
{
	struct record *made = scratch();
	__s32 fd;

	if (!made || bpf_probe_read_user(&fd, sizeof(fd), (void *)address))
		return 0;
	read_slot(made, &made->slots[0], (void *)made->table, fd, false);
	emit_bare(made);
	return 1;
}

/* Reports the descriptors in one message's control data. The record before these carries the stack. */
__attribute__((noinline)) int receive(__u64 msghdr)
{
	struct record *made = scratch();
	struct control passed = {};
	int more;
	__u32 i;

	if (!made)
		return 0;
	more = find_passed(&passed, msghdr, made->flags & RECORD_COMPAT);
	for (i = 0; i < MAX_PASSED; i++)
		if (i >= passed.length || !receive_at(passed.address + i * 4))
			break;
	if (more || passed.length > MAX_PASSED) {
		made->type = RECORD_RESCAN;
		emit_bare(made);
		made->type = RECORD_CALL;
	}
	return 0;
}

#define MAX_MESSAGES 4

static __always_inline void receive_all(struct record *made, __u64 array, __u32 count)
{
	__u32 i, size = made->flags & RECORD_COMPAT ? 32 : 64;

	made->trace = TRACE_SAME;
	for (i = 0; i < MAX_MESSAGES; i++) {
		if (i >= count)
			return;
		receive(array + i * size);
	}
	if (count > MAX_MESSAGES) {
		made->type = RECORD_RESCAN;
		emit_bare(made);
	}
}

/* Does the message, or the first of many, carry control data at all? Most do not, and cost no stack. */
static __always_inline bool has_control(__u64 msghdr, bool compat)
{
	struct control control = {};

	return read_control(&control, msghdr, compat) && control.length >= 12;
}

#define F_DUPFD 0
#define F_SETFD 2
#define F_DUPFD_CLOEXEC 1030

#define CLONE_PIDFD 0x1000

struct call {
	struct task_struct *task;
	struct pt_regs *regs;
	struct files_struct *files;
	__s64 ret;
	__u32 op;
	__u32 arg;
	__u64 args[4];
	bool compat;
	bool direct;          /* a constant: the pointers are of types that the verifier knows */
};

/* i386's one call for all of sockets: turn it into the call it stands for. */
static __always_inline void unfold_socketcall(struct call *call)
{
	__u32 which = call->args[0], args[4] = {};

	call->op = OP_NONE;
	if (bpf_probe_read_user(args, sizeof(args), (void *)call->args[1]))
		return;
	if (which == 1 || which == 5 || which == 18) {
		call->op = OP_RETURNS;
	} else if (which == 8) {
		call->op = OP_PAIR;
		call->arg = 3;
		call->args[3] = args[3];
	} else if (which == 17) {
		call->op = OP_MESSAGE;
		call->args[1] = args[1];
	} else if (which == 19) {
		call->op = OP_MESSAGES;
		call->args[1] = args[1];
	}
}

static __always_inline __u64 chosen(const struct call *call, __u32 arg)
{
	if (arg == 0)
		return call->args[0];
	if (arg == 1)
		return call->args[1];
	if (arg == 2)
		return call->args[2];
	if (arg == 3)
		return call->args[3];
	return argument(call->regs, 4, call->compat, call->direct);
}

#define WNOWAIT 0x01000000
#define CLD_EXITED 1
#define CLD_DUMPED 3

/* waitid says in siginfo_t which child it took: si_code is the third int, si_pid stands at the next pointer's place. */
static __always_inline bool read_reaped(struct record *made, struct call *call)
{
	__s32 info[5] = {};

	if (call->args[3] & WNOWAIT || bpf_probe_read_user(info, sizeof(info), (void *)call->args[2]))
		return false;
	if (info[2] < CLD_EXITED || info[2] > CLD_DUMPED)
		return false;
	made->args[1] = call->compat ? info[3] : info[4];
	return true;
}

/* Fills the slots of a call that succeeded. False: nothing happened to any handle. */
static __always_inline bool fill_slots(struct record *made, struct call *call, __u32 mask)
{
	__s32 fds[2] = { -1, -1 };
	__u64 clone_args[2] = {};
	struct ioctl_rule *rule;
	__u32 command = call->args[1], key;

	switch (call->op) {
	case OP_RETURNS:
	case OP_ONTO:
		read_slot(made, &made->slots[0], call->files, call->ret, call->direct);
		return true;
	case OP_PAIR:
		if (bpf_probe_read_user(fds, sizeof(fds), (void *)chosen(call, call->arg)))
			return false;
		read_slot(made, &made->slots[0], call->files, fds[0], call->direct);
		read_slot(made, &made->slots[1], call->files, fds[1], call->direct);
		return true;
	case OP_ONE_AT:
		if (mask && (call->args[0] & mask) != mask)
			return false;
		if (bpf_probe_read_user(fds, sizeof(__s32), (void *)chosen(call, call->arg)))
			return false;
		read_slot(made, &made->slots[0], call->files, fds[0], call->direct);
		return true;
	case OP_CLONE3:
		if (bpf_probe_read_user(clone_args, sizeof(clone_args), (void *)call->args[0]) ||
		    !(clone_args[0] & CLONE_PIDFD) ||
		    bpf_probe_read_user(fds, sizeof(__s32), (void *)clone_args[1]))
			return false;
		read_slot(made, &made->slots[0], call->files, fds[0], call->direct);
		return true;
	case OP_CLOSE:
		read_slot_file(&made->slots[0], call->files, call->args[0], call->direct);
		return true;
	case OP_FCNTL:
		if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
			read_slot(made, &made->slots[0], call->files, call->ret, call->direct);
			return true;
		}
		return command == F_SETFD;
	case OP_IOCTL:
		key = command & 0xffff;
		rule = bpf_map_lookup_elem(&ioctls, &key);
		if (!rule)
			return false;
		fds[0] = call->ret;
		if (rule->stored &&
		    bpf_probe_read_user(fds, sizeof(__s32), (void *)(call->args[2] + rule->offset)))
			return false;
		read_slot(made, &made->slots[0], call->files, fds[0], call->direct);
		return true;
	case OP_SOCKOPT:
		key = SOCKOPT_KEY | (command & 0x7fff) << 16 | (call->args[2] & 0xffff);
		rule = bpf_map_lookup_elem(&ioctls, &key);
		if (!rule || bpf_probe_read_user(fds, sizeof(__s32), (void *)(call->args[3] + rule->offset)))
			return false;
		read_slot(made, &made->slots[0], call->files, fds[0], call->direct);
		return true;
	case OP_INT_AT:
		if (bpf_probe_read_user(fds, sizeof(__s32), (void *)chosen(call, call->arg)))
			return false;
		made->args[0] = (__u32)fds[0];
		return true;
	case OP_WAITID:
		return read_reaped(made, call);
	case OP_PLAIN:
	case OP_RESCAN:
		return true;
	}
	return false;
}

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * Watches what makes and ends handles, in the watched processes only, and sends a record of each to user space.
 *
 * One program serves every call: the loader fills `actions` from fdscope's table of calls, so that policy stays in
 * Rust. A record is made when the call returns and says what the kernel's own table holds at the number concerned,
 * so that user space need not guess. Stacks are copied, not walked: most code has no frame pointers.
 */
#include "call.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __always_inline int on_exit(void *ctx, struct task_struct *task, struct pt_regs *regs, __u32 number, __s64 ret, bool compat, bool direct)
{
	struct action *action;
	struct scope *scope;
	struct record *made;
	struct call call;
	__u32 pid, tid, want, messages = 0;

	current_numbers(&pid, &tid);
	scope = bpf_map_lookup_elem(&scopes, &pid);
	if (!scope)
		return 0;
	action = compat ? bpf_map_lookup_elem(&compat_actions, &number) : bpf_map_lookup_elem(&actions, &number);
	if (!action || action->op == OP_NONE)
		return 0;
	if (compat)
		ret = (__s32)ret;
	if (ret < 0 && ret != -EBADF && ret != -EMFILE && ret != -ENFILE) {
		/* close(2) frees the number even when it fails later, with EIO or EINTR. */
		if (action->op != OP_CLOSE)
			return 0;
	}
	call.task = task;
	call.regs = regs;
	call.files = LOAD(direct, task, files);
	call.ret = ret;
	call.op = action->op;
	call.arg = action->arg;
	call.compat = compat;
	call.direct = direct;
	call.args[0] = argument(regs, 0, compat, direct);
	call.args[1] = argument(regs, 1, compat, direct);
	call.args[2] = argument(regs, 2, compat, direct);
	call.args[3] = argument(regs, 3, compat, direct);

	made = begin(RECORD_CALL, pid, tid);
	if (!made)
		return 0;
	made->table = (__u64)call.files;
	made->ret = ret;
	made->call = action->call;
	made->flags = compat ? RECORD_COMPAT : 0;
	if (scope->fresh) {
		scope->fresh--;
		made->flags |= RECORD_PROMPT;
	}
	made->args[0] = call.args[0];
	made->args[1] = call.args[1];
	made->args[2] = call.args[2];
	want = action->stack;

	if (call.op == OP_SOCKETCALL)
		unfold_socketcall(&call);
	if (ret == -EBADF || ret == -EMFILE || ret == -ENFILE) {
		want = WANT_BIRTH_STACK;
	} else if (call.op == OP_MESSAGE || call.op == OP_MESSAGES) {
		if (!has_control(call.args[1], compat))
			return 0;
		/* This record only brings the stack: how many descriptors there are is learnt on the way. */
		messages = call.op == OP_MESSAGE ? 1 : ret;
		want = WANT_BIRTH_STACK;
	} else {
		if (!fill_slots(made, &call, action->mask))
			return 0;
		if (call.op == OP_RESCAN)
			made->type = RECORD_RESCAN;
	}
	set_registers(made, regs, direct);
	emit(ctx, scope, made, want, direct);
	if (messages)
		receive_all(made, call.args[1], messages);
	return 0;
}

/* include/trace/events/syscalls.h as perf hands it to programs. */
struct sys_exit_args {
	__u64 unused;
	__s32 number;
	__u32 unused2;
	__s64 ret;
};

/* Attached once per call of the table: other calls of the machine pay next to nothing. Never fires for 32-bit calls. */
SEC("tracepoint/syscalls/sys_exit")
int call_exit(struct sys_exit_args *args)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return on_exit(args, task, (struct pt_regs *)bpf_task_pt_regs(task), args->number, args->ret, false, true);
}

/* The same for kernels before 5.15. */
SEC("tracepoint/syscalls/sys_exit")
int call_exit_untyped(struct sys_exit_args *args)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return on_exit(args, task, registers_on_stack(task), args->number, args->ret, false, false);
}

/* Attached where the tracepoints per call cannot be, and for 32-bit processes. */
SEC("raw_tp/sys_exit")
int raw_exit(__u64 *args)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pt_regs *regs = (void *)args[0];
	bool compat = is_compat(task);

	if (compat_only && !compat)
		return 0;
	return on_exit(args, task, regs, call_number(regs), args[1], compat, false);
}

/* ---- lives of processes and threads ---- */

/* A child has a copy of its parent's memory, so its interpreter is where the parent's is. */
static __always_inline void inherit_interpreter(__u32 parent, __u32 child, struct scope *scope)
{
	struct interpreter *in = NULL, copy;

	if (scope->interpreter)
		in = bpf_map_lookup_elem(&interpreters, &parent);
	if (!in)
		return;
	copy = *in;
	if (bpf_map_update_elem(&interpreters, &child, &copy, BPF_ANY))
		scope->interpreter = 0;
}

SEC("raw_tp/sched_process_fork")
int process_fork(__u64 *args)
{
	struct task_struct *parent = (void *)args[0], *child = (void *)args[1];
	__u32 pid, tid, made_pid;
	struct scope *scope, inherited;
	struct record *made;
	bool thread;

	current_numbers(&pid, &tid);
	scope = bpf_map_lookup_elem(&scopes, &pid);
	if (!scope)
		return 0;
	made_pid = number_of(child);
	thread = READ(child, tgid) == READ(parent, tgid);
	made = begin(thread ? RECORD_THREAD : RECORD_FORK, pid, tid);
	if (!made)
		return 0;
	made->table = (__u64)READ(parent, files);
	made->slots[0].fd = made_pid;
	made->slots[0].file = (__u64)READ(child, files);
	if (!thread && scope->follow) {
		inherited = *scope;
		inherit_interpreter(pid, made_pid, &inherited);
		bpf_map_update_elem(&scopes, &made_pid, &inherited, BPF_ANY);
	}
	made->args[0] = scope->follow;
	set_registers(made, current_registers(), false);
	emit(args, scope, made, WANT_BIRTH_STACK, false);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int process_exec(__u64 *args)
{
	struct task_struct *task = (void *)args[0];
	struct record *made;
	struct scope *scope;
	__u32 pid, tid;

	current_numbers(&pid, &tid);
	scope = bpf_map_lookup_elem(&scopes, &pid);
	if (!scope)
		return 0;
	if (scope->interpreter) {
		scope->interpreter = 0;
		bpf_map_delete_elem(&interpreters, &pid);
	}
	scope->fresh = FRESH_RECORDS;
	made = begin(RECORD_EXEC, pid, tid);
	if (!made)
		return 0;
	scope->code_since = made->at;
	made->table = (__u64)READ(task, files);
	bpf_probe_read_kernel(&made->slots, 16, __builtin_preserve_access_index(&task->comm));
	/* The reader has to find out what runs there now, before it opens much. */
	emit_waking(made, BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int process_exit(__u64 *args)
{
	struct task_struct *task = (void *)args[0];
	struct signal_struct *signal = READ(task, signal);
	struct record *made;
	__u32 pid, tid;

	current_numbers(&pid, &tid);
	if (!bpf_map_lookup_elem(&scopes, &pid))
		return 0;
	/* do_exit counts `live` down before it gets here: 0 means that this is the process's last thread. */
	made = begin(READ(signal, live.counter) == 0 ? RECORD_EXIT : RECORD_UNTHREAD, pid, tid);
	if (!made)
		return 0;
	made->table = (__u64)READ(task, files);
	if (made->type == RECORD_EXIT) {
		bpf_map_delete_elem(&scopes, &pid);
		bpf_map_delete_elem(&interpreters, &pid);
	}
	emit_bare(made);
	return 0;
}

/* ---- io_uring: no system call is made per operation ---- */

enum {
	RING_ACCEPT = 13,
	RING_OPENAT = 18,
	RING_CLOSE = 19,
	RING_OPENAT2 = 28,
	RING_SOCKET = 45,
};

/* A "direct" descriptor goes to the ring's own table, not to the process's. */
static __always_inline bool is_direct(struct io_kiocb *request, __u32 opcode)
{
	if ((opcode == RING_OPENAT || opcode == RING_OPENAT2) && bpf_core_field_exists(struct io_open, file_slot))
		return READ((struct io_open *)request, file_slot) != 0;
	if (opcode == RING_CLOSE && bpf_core_field_exists(struct io_close, file_slot))
		return READ((struct io_close *)request, file_slot) != 0;
	if (opcode == RING_ACCEPT && bpf_core_field_exists(struct io_accept, file_slot))
		return READ((struct io_accept *)request, file_slot) != 0;
	if (opcode == RING_SOCKET && bpf_core_field_exists(struct io_socket, file_slot))
		return READ((struct io_socket *)request, file_slot) != 0;
	return false;
}

SEC("raw_tp/io_uring_submit_req")
int ring_submit(__u64 *args)
{
	struct io_kiocb *request = (void *)args[0];
	struct task_struct *task;
	struct action *action;
	struct scope *scope;
	struct record *made;
	__u32 pid, tid, opcode;

	current_numbers(&pid, &tid);
	scope = bpf_map_lookup_elem(&scopes, &pid);
	if (!scope)
		return 0;
	opcode = READ(request, opcode);
	action = bpf_map_lookup_elem(&ring_actions, &opcode);
	if (!action || action->op == OP_NONE || is_direct(request, opcode))
		return 0;
	task = (void *)bpf_get_current_task();
	made = begin(RECORD_SUBMIT, pid, tid);
	if (!made)
		return 0;
	made->table = (__u64)READ(task, files);
	made->call = action->call;
	made->args[0] = (__u64)request;
	if (opcode == RING_CLOSE)
		made->args[1] = READ((struct io_close *)request, fd);
	set_registers(made, current_registers(), false);
	emit(args, scope, made, WANT_BIRTH_STACK, false);
	return 0;
}

static __always_inline int on_complete(struct io_kiocb *request, __s32 result)
{
	struct task_struct *task;
	struct files_struct *files;
	struct action *action;
	struct record *made;
	__u32 pid, tid, opcode;

	current_numbers(&pid, &tid);
	if (!bpf_map_lookup_elem(&scopes, &pid) || !request)
		return 0;
	opcode = READ(request, opcode);
	action = bpf_map_lookup_elem(&ring_actions, &opcode);
	if (!action || action->op == OP_NONE || is_direct(request, opcode))
		return 0;
	task = (void *)bpf_get_current_task();
	files = READ(task, files);
	made = begin(RECORD_RING, pid, tid);
	if (!made)
		return 0;
	made->table = (__u64)files;
	made->call = action->call;
	made->ret = result;
	made->args[0] = (__u64)request;
	if (action->op == OP_RETURNS && result >= 0)
		read_slot(made, &made->slots[0], files, result, false);
	else if (action->op == OP_CLOSE)
		read_slot_file(&made->slots[0], files, READ((struct io_close *)request, fd), false);
	emit_bare(made);
	return 0;
}

SEC("raw_tp/io_uring_complete")
int ring_complete(__u64 *args)
{
	struct io_uring_cqe *cqe = (void *)args[2];

	return on_complete((void *)args[1], READ(cqe, res));
}

/*
 * The same where the completion comes in pieces: context, request, user_data, result, flags and more. Reading as many as
 * five has the kernel refuse to attach this where there are fewer.
 */
SEC("raw_tp/io_uring_complete")
int ring_complete_spread(__u64 *args)
{
	__s32 result = args[3];

	return args[4] == ~0ull ? 0 : on_complete((void *)args[1], result);
}

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * Watches what makes and ends handles, in the watched processes only, and sends a record of each to user space.
 *
 * One program serves every call: the loader fills `actions` from fdscope's table of calls, so that policy stays in
 * Rust. A record is made when the call returns and says what the kernel's own table holds at the number concerned,
 * so that user space need not guess. Stacks are copied, not walked: most code has no frame pointers.
 */
#include "kernel.h"
#include "arch.h"
#include "wire.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Set by the loader. */
const volatile __u32 pid_level = 0;       /* depth of fdscope's PID namespace; 0: the initial one */
const volatile __u32 pid_namespace = 0;   /* its inode number */
const volatile __u32 compat_only = 0;     /* the raw program leaves 64-bit calls to the tracepoints */
const volatile __u32 wake_at = 1 << 20;   /* bytes in the ring that are worth waking the reader for */
const volatile __u32 copy_below = 1 << 24;/* bytes in the ring above which stacks are no longer copied */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct scope);
} scopes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct action);
} actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct action);
} compat_actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, struct ioctl_rule);
} ioctls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct action);
} ring_actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

/*
 * The record in the making. Kept here, not on the stack, so that the functions below can be global: the verifier
 * checks a global function once, a static one anew for every path that leads to it. Programs run with preemption off.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} making SEC(".maps");

/* By pid, for scopes that run an interpreter. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct interpreter);
} interpreters SEC(".maps");

/* Where the state of a thread was found, by its number. */
struct known_thread {
	__u64 state;          /* 0: it has none */
	__u64 identity;
	__u64 until;          /* of a thread without state: when to look again */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct known_thread);
} known_threads SEC(".maps");

struct walk {
	struct interpreter_frame frames[MOST_FRAMES];
	__u8 frame[LARGEST_FRAME]; /* the one being read */
};

/* The interpreter's frames of the record in the making. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walking SEC(".maps");

#define EBADF 9
#define ENFILE 23
#define EMFILE 24

/* ---- records ---- */

static __always_inline struct record *scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&making, &zero);
}

static __always_inline void count_lost(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&lost, &zero);

	if (count)
		*count += 1;
}

/* The reader sleeps until the ring is worth its while, or its own tick: a wake-up per event costs more than all else. */
static __always_inline __u64 wake(const struct record *made)
{
	if (made->flags & RECORD_PROMPT)
		return BPF_RB_FORCE_WAKEUP;
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_at ? BPF_RB_FORCE_WAKEUP
								       : BPF_RB_NO_WAKEUP;
}

static __always_inline void emit_waking(const struct record *made, __u64 wakeup)
{
	struct record *sent = bpf_ringbuf_reserve(&ring, sizeof(*sent), 0);

	if (!sent) {
		count_lost();
		return;
	}
	*sent = *made;
	bpf_ringbuf_submit(sent, wakeup);
}

static __always_inline void emit_bare(const struct record *made)
{
	emit_waking(made, wake(made));
}

/* ---- interpreters: the walk that fills `walking` ---- */

#define MOST_THREADS 512      /* looked at when a thread's state is sought */
#define LOOK_AGAIN_NS 20000   /* times the threads looked at in vain: what the search may cost stays below 1 % */

static __always_inline struct walk *walk_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&walking, &zero);
}

static __always_inline __u64 read_word(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

/* What the interpreter knows the current thread by. */
static __always_inline __u64 identity_of(struct task_struct *task, __u32 kind)
{
	struct upid upid = {};
	struct pid *pid;
	__u32 level;

	if (kind == IDENTITY_POINTER)
		return thread_pointer(task);
	pid = READ(task, thread_pid);
	level = READ(pid, level);
	bpf_probe_read_kernel(&upid, sizeof(upid), __builtin_preserve_access_index(&pid->numbers[0]) + (level & 31));
	return upid.nr;
}

/* Searches the interpreters' lists; new threads stand at their head. *looked tells how many were seen. */
static __always_inline __u64 search_thread(struct interpreter *in, __u64 identity, __u32 *looked)
{
	__u64 interpreter = read_word(in->heads), state = 0;
	__u32 i;

	if (interpreter)
		state = read_word(interpreter + in->first_thread);
	for (i = 0; i < MOST_THREADS; i++) {
		*looked = i;
		if (!interpreter)
			return 0;
		if (!state) {
			interpreter = read_word(interpreter + in->next_interpreter);
			if (interpreter)
				state = read_word(interpreter + in->first_thread);
			continue;
		}
		if (read_word(state + in->thread_id) == identity)
			return state;
		state = read_word(state + in->next_thread);
	}
	return 0;
}

/* The current thread's state: where it was last time, if that still says so. */
static __always_inline __u64 find_thread(struct interpreter *in, __u32 tid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct known_thread *known = bpf_map_lookup_elem(&known_threads, &tid), found = {};
	__u64 now = bpf_ktime_get_ns();
	__u32 looked = 0;

	if (known && known->state && read_word(known->state + in->thread_id) == known->identity)
		return known->state;
	if (known && !known->state && now < known->until)
		return 0;
	found.identity = identity_of(task, in->identity);
	if (!found.identity)
		return 0;
	found.state = search_thread(in, found.identity, &looked);
	found.until = now + looked * LOOK_AGAIN_NS;
	bpf_map_update_elem(&known_threads, &tid, &found, BPF_ANY);
	return found.state;
}

static __always_inline __u64 mix(__u64 mixed, __u64 word)
{
	return (mixed ^ word) * 0x9e3779b97f4a7c15ULL;
}

/* A word of the frame that was read; offsets are multiples of 8. */
static __always_inline __u64 frame_word(const struct walk *walk, __u32 offset)
{
	return *(const __u64 *)(walk->frame + (offset & (LARGEST_FRAME - 8)));
}

/* Fills walk->frames for the current thread of `pid`, and the count in the record. Returns the count. */
__attribute__((noinline)) int walk_interpreter(__u32 pid)
{
	struct interpreter *in = bpf_map_lookup_elem(&interpreters, &pid);
	struct interpreter_frame *made;
	struct record *record = scratch();
	struct walk *walk = walk_scratch();
	__u64 frame, names[4];
	__u32 size, i;

	if (!in || !record || !walk)
		return 0;
	frame = find_thread(in, record->tid);
	if (!frame)
		return 0;
	frame = read_word(frame + in->frame);
	if (in->inner_frame != NO_OFFSET && frame)
		frame = read_word(frame + in->inner_frame);
	size = in->frame_bytes;
	if (size > LARGEST_FRAME)
		return 0;
	for (i = 0; i < MOST_FRAMES; i++) {
		if (!frame || bpf_probe_read_user(walk->frame, size, (void *)frame))
			break;
		made = &walk->frames[i];
		made->code = frame_word(walk, in->code);
		made->at = frame_word(walk, in->at);
		if (in->mark != NO_OFFSET)
			made->at |= (__u64)walk->frame[in->mark & (LARGEST_FRAME - 1)] << 56;
		made->fingerprint = 0;
		if (!bpf_probe_read_user(names, sizeof(names), (void *)((made->code & ~7ULL) + in->names))) {
			made->fingerprint = mix(mix(mix(0, names[0]), names[1]), names[2]);
			if (in->name_count > 3)
				made->fingerprint = mix(made->fingerprint, names[3]);
		}
		frame = frame_word(walk, in->previous);
	}
	record->frames = i;
	return i;
}

/* ---- stacks ---- */

/*
 * Reserve, fill, copy the stack in pieces: bpf_probe_read_user fails as a whole where any of it is unmapped, which is
 * the rule at the end of a stack.
 */
#define EMIT_COPY(bytes, piece)                                                                     \
	do {                                                                                        \
		struct {                                                                            \
			struct record record;                                                       \
			__u8 stack[bytes];                                                          \
		} *sent = bpf_ringbuf_reserve(&ring, sizeof(*sent), 0);                             \
		__u32 at = 0;                                                                       \
		if (!sent) {                                                                        \
			made->trace = TRACE_SKIPPED;                                                \
			emit_bare(made);                                                            \
			return 0;                                                                   \
		}                                                                                   \
		for (; at < (bytes); at += (piece))                                                 \
			if (bpf_probe_read_user(sent->stack + at, piece, (void *)(made->sp + at)))  \
				break;                                                              \
		made->stack_bytes = at;                                                             \
		sent->record = *made;                                                               \
		bpf_ringbuf_submit(sent, wake(made));                                               \
	} while (0)

/* Sends the record in the making with up to `bytes` of the stack. */
__attribute__((noinline)) int send_copy(__u32 bytes)
{
	struct record *made = scratch();

	if (!made)
		return 0;
	made->trace = TRACE_COPIED;
	if (bytes >= 32768)
		EMIT_COPY(32768, 1024);
	else if (bytes >= 16384)
		EMIT_COPY(16384, 1024);
	else if (bytes >= 8192)
		EMIT_COPY(8192, 1024);
	else if (bytes >= 4096)
		EMIT_COPY(4096, 512);
	else if (bytes >= 2048)
		EMIT_COPY(2048, 512);
	else
		EMIT_COPY(1024, 256);
	return 0;
}

/* The same with the interpreter's frames, of which `walk` brought some, between record and stack. */
#define EMIT_LAYERED(bytes, piece)                                                                  \
	do {                                                                                        \
		struct {                                                                            \
			struct record record;                                                       \
			struct interpreter_frame frames[MOST_FRAMES];                               \
			__u8 stack[bytes];                                                          \
		} *sent = bpf_ringbuf_reserve(&ring, sizeof(*sent), 0);                             \
		__u32 at = 0;                                                                       \
		if (!sent) {                                                                        \
			made->trace = TRACE_SKIPPED;                                                \
			emit_bare(made);                                                            \
			return 0;                                                                   \
		}                                                                                   \
		for (; at < (bytes); at += (piece))                                                 \
			if (bpf_probe_read_user(sent->stack + at, piece, (void *)(made->sp + at)))  \
				break;                                                              \
		made->stack_bytes = at;                                                             \
		__builtin_memcpy(sent->frames, walk->frames, sizeof(sent->frames));                 \
		sent->record = *made;                                                               \
		bpf_ringbuf_submit(sent, wake(made));                                               \
	} while (0)

/* Sends the record in the making with the interpreter's frames and up to `bytes` of the stack. */
__attribute__((noinline)) int send_layered(__u32 bytes)
{
	struct record *made = scratch();
	struct walk *walk = walk_scratch();

	if (!made || !walk)
		return 0;
	made->trace = TRACE_LAYERED;
	if (bytes >= 32768)
		EMIT_LAYERED(32768, 1024);
	else if (bytes >= 16384)
		EMIT_LAYERED(16384, 1024);
	else if (bytes >= 8192)
		EMIT_LAYERED(8192, 1024);
	else if (bytes >= 4096)
		EMIT_LAYERED(4096, 512);
	else
		EMIT_LAYERED(2048, 512);
	return 0;
}

/* Is this event's turn to have its stack taken? Racing counters only make the share a little uneven. */
static __always_inline bool take_stack(struct scope *scope, __u32 want)
{
	__u32 every;

	if (want == WANT_BIRTH_STACK) {
		every = scope->birth_every;
		if (every <= 1)
			return every;
		return ++scope->births % every == 0;
	}
	if (want == WANT_DEATH_STACK) {
		every = scope->death_every;
		if (every <= 1)
			return every;
		return ++scope->deaths % every == 0;
	}
	return false;
}

static __always_inline void emit(void *ctx, struct scope *scope, struct record *made, __u32 want)
{
	__u32 bytes = scope->stack_bytes;

	if (want == WANT_NO_STACK) {
		emit_bare(made);
		return;
	}
	if (!take_stack(scope, want)) {
		made->trace = TRACE_SKIPPED;
		emit_bare(made);
		return;
	}
	if (scope->frame_pointers) {
		made->stack_id = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
		made->trace = made->stack_id >= 0 ? TRACE_ID : TRACE_SKIPPED;
		emit_bare(made);
		return;
	}
	if (!bytes) {
		emit_bare(made);
		return;
	}
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > copy_below) {
		made->trace = TRACE_SKIPPED;
		emit_bare(made);
		return;
	}
	if (scope->interpreter && walk_interpreter(made->pid) > 0)
		send_layered(bytes);
	else
		send_copy(bytes);
}

/* ---- processes ---- */

/* A task's number in fdscope's PID namespace; 0 if it has none there. */
static __always_inline __u32 number_of(struct task_struct *task)
{
	struct pid *pid;
	struct upid upid = {};
	struct pid_namespace *namespace;

	if (!pid_level)
		return READ(task, pid);
	pid = READ(task, thread_pid);
	if (!pid || READ(pid, level) < pid_level)
		return 0;
	bpf_probe_read_kernel(&upid, sizeof(upid), __builtin_preserve_access_index(&pid->numbers[0]) + (pid_level & 31));
	namespace = upid.ns;
	if (!namespace || READ(namespace, ns.inum) != pid_namespace)
		return 0;
	return upid.nr;
}

static __always_inline void current_numbers(__u32 *pid, __u32 *tid)
{
	__u64 both = bpf_get_current_pid_tgid();
	struct task_struct *task, *leader;

	*pid = both >> 32;
	*tid = both;
	if (pid_level) {
		task = (void *)bpf_get_current_task();
		leader = READ(task, group_leader);
		*tid = number_of(task);
		*pid = number_of(leader);
	}
}

static __always_inline struct record *begin(__u32 type, __u32 pid, __u32 tid)
{
	struct record *made = scratch();

	if (!made)
		return NULL;
	__builtin_memset(made, 0, sizeof(*made));
	made->at = bpf_ktime_get_ns();
	made->type = type;
	made->pid = pid;
	made->tid = tid;
	made->slots[0].fd = -1;
	made->slots[1].fd = -1;
	return made;
}

static __always_inline void set_registers(struct record *made, struct pt_regs *regs)
{
	made->ip = READ(regs, REG_IP);
	made->sp = READ(regs, REG_SP);
	made->fp = READ(regs, REG_FP);
	made->lr = link_register(regs);
}

/* What the table holds at `fd`: the kernel's truth at this moment. */
static __always_inline void read_slot(struct slot *slot, struct files_struct *files, __s32 fd)
{
	struct fdtable *fdt;
	struct file **array;
	struct file *file = NULL;
	struct inode *inode;
	struct super_block *super;
	unsigned long *bits, word = 0;

	slot->fd = fd;
	fdt = READ(files, fdt);
	if (!fdt || fd < 0 || (__u32)fd >= READ(fdt, max_fds))
		return;
	array = READ(fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), array + (__u32)fd);
	slot->file = (__u64)file;
	if (!file)
		return;
	slot->flags = READ(file, f_flags) & ~O_CLOEXEC;
	bits = READ(fdt, close_on_exec);
	bpf_probe_read_kernel(&word, sizeof(word), bits + (__u32)fd / 64);
	if (word >> ((__u32)fd % 64) & 1)
		slot->flags |= O_CLOEXEC;
	inode = READ(file, f_inode);
	slot->inode = READ(inode, i_ino);
	super = READ(inode, i_sb);
	slot->device = READ(super, s_dev);
	slot->mode = READ(inode, i_mode) | (__u32)READ(super, s_magic) << 16;
}

/* Only the description: enough to judge a close by. */
static __always_inline void read_slot_file(struct slot *slot, struct files_struct *files, __s32 fd)
{
	struct fdtable *fdt = READ(files, fdt);
	struct file **array;

	slot->fd = fd;
	if (!fdt || fd < 0 || (__u32)fd >= READ(fdt, max_fds))
		return;
	array = READ(fdt, fd);
	bpf_probe_read_kernel(&slot->file, sizeof(slot->file), array + (__u32)fd);
}

/* ---- calls ---- */

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

/* Reports the descriptors in one message's control data. The record before these carries the stack. */
__attribute__((noinline)) int receive(__u64 msghdr)
{
	struct record *made = scratch();
	struct control passed = {};
	struct files_struct *files;
	int more;
	__u32 i;
	__s32 fd;

	if (!made)
		return 0;
	files = (void *)made->table;
	more = find_passed(&passed, msghdr, made->flags & RECORD_COMPAT);
	for (i = 0; i < MAX_PASSED; i++) {
		if (i >= passed.length || bpf_probe_read_user(&fd, sizeof(fd), (void *)(passed.address + i * 4)))
			break;
		read_slot(&made->slots[0], files, fd);
		emit_bare(made);
	}
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
	return argument(call->regs, 4, call->compat);
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
		read_slot(&made->slots[0], call->files, call->ret);
		return true;
	case OP_PAIR:
		if (bpf_probe_read_user(fds, sizeof(fds), (void *)chosen(call, call->arg)))
			return false;
		read_slot(&made->slots[0], call->files, fds[0]);
		read_slot(&made->slots[1], call->files, fds[1]);
		return true;
	case OP_ONE_AT:
		if (mask && (call->args[0] & mask) != mask)
			return false;
		if (bpf_probe_read_user(fds, sizeof(__s32), (void *)chosen(call, call->arg)))
			return false;
		read_slot(&made->slots[0], call->files, fds[0]);
		return true;
	case OP_CLONE3:
		if (bpf_probe_read_user(clone_args, sizeof(clone_args), (void *)call->args[0]) ||
		    !(clone_args[0] & CLONE_PIDFD) ||
		    bpf_probe_read_user(fds, sizeof(__s32), (void *)clone_args[1]))
			return false;
		read_slot(&made->slots[0], call->files, fds[0]);
		return true;
	case OP_CLOSE:
		read_slot_file(&made->slots[0], call->files, call->args[0]);
		return true;
	case OP_FCNTL:
		if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
			read_slot(&made->slots[0], call->files, call->ret);
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
		read_slot(&made->slots[0], call->files, fds[0]);
		return true;
	case OP_SOCKOPT:
		key = SOCKOPT_KEY | (command & 0x7fff) << 16 | (call->args[2] & 0xffff);
		rule = bpf_map_lookup_elem(&ioctls, &key);
		if (!rule || bpf_probe_read_user(fds, sizeof(__s32), (void *)(call->args[3] + rule->offset)))
			return false;
		read_slot(&made->slots[0], call->files, fds[0]);
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

static __always_inline int on_exit(void *ctx, struct task_struct *task, struct pt_regs *regs, __u32 number, __s64 ret, bool compat)
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
	call.files = READ(task, files);
	call.ret = ret;
	call.op = action->op;
	call.arg = action->arg;
	call.compat = compat;
	call.args[0] = argument(regs, 0, compat);
	call.args[1] = argument(regs, 1, compat);
	call.args[2] = argument(regs, 2, compat);
	call.args[3] = argument(regs, 3, compat);

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
	set_registers(made, regs);
	emit(ctx, scope, made, want);
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

	return on_exit(args, task, (struct pt_regs *)bpf_task_pt_regs(task), args->number, args->ret, false);
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
	return on_exit(args, task, regs, call_number(regs), args[1], compat);
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
	{
		struct task_struct *task = bpf_get_current_task_btf();

		set_registers(made, (struct pt_regs *)bpf_task_pt_regs(task));
	}
	emit(args, scope, made, WANT_BIRTH_STACK);
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
	task = bpf_get_current_task_btf();
	made = begin(RECORD_SUBMIT, pid, tid);
	if (!made)
		return 0;
	made->table = (__u64)READ(task, files);
	made->call = action->call;
	made->args[0] = (__u64)request;
	if (opcode == RING_CLOSE)
		made->args[1] = READ((struct io_close *)request, fd);
	set_registers(made, (struct pt_regs *)bpf_task_pt_regs(task));
	emit(args, scope, made, WANT_BIRTH_STACK);
	return 0;
}

SEC("raw_tp/io_uring_complete")
int ring_complete(__u64 *args)
{
	struct io_kiocb *request = (void *)args[1];
	struct io_uring_cqe *cqe = (void *)args[2];
	struct task_struct *task;
	struct files_struct *files;
	struct action *action;
	struct record *made;
	__u32 pid, tid, opcode;
	__s32 result;

	current_numbers(&pid, &tid);
	if (!bpf_map_lookup_elem(&scopes, &pid) || !request)
		return 0;
	opcode = READ(request, opcode);
	action = bpf_map_lookup_elem(&ring_actions, &opcode);
	if (!action || action->op == OP_NONE || is_direct(request, opcode))
		return 0;
	result = READ(cqe, res);
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
		read_slot(&made->slots[0], files, result);
	else if (action->op == OP_CLOSE)
		read_slot_file(&made->slots[0], files, READ((struct io_close *)request, fd));
	emit_bare(made);
	return 0;
}

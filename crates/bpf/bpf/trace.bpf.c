// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * Tells the system calls of the watched processes: number, arguments, result, and the memory that the arguments lead
 * to; their signals and ends.
 *
 * Which calls, and what to copy for each, stands in `plans`, which the loader fills from fdscope's tables. Memory is
 * copied when the call returns, because the kernel has touched the pages by then and reading them cannot fail for want
 * of one; what the call overwrites is copied before. Where the loader can, it puts the programs on the tracepoints of the
 * wanted calls alone, so that other calls pay next to nothing; else other calls and processes are left after two look-ups.
 */
#include "steps.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u32 tell_enters = 0;          /* calls are told when they are entered, too: enum enters */
const volatile __u32 full_at = 0x7fffffff;     /* bytes in the ring above which calls are no longer told: ends are */
const volatile __u32 stack_most = 0;           /* a multiple of 1024; stacks are copied up to here */
const volatile __u32 tell_system = 0;          /* how long a call had a processor is told, too */

static long (*bpf_ringbuf_output)(void *ring, void *data, __u64 size, __u64 flags) = (void *)130;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct___end {
	int exit_code;
};

struct sched_entity {
	__u64 exec_start;
	__u64 sum_exec_runtime;
};

struct task_struct___ran {
	struct sched_entity se;
};

struct signal_struct___exec {
	struct task_struct *group_exec_task; /* since 5.17 */
};

struct signal_struct___end {
	unsigned int flags;
	int group_exit_code;
	int nr_threads;
};

struct sigaction {
	void *sa_handler;
};

struct k_sigaction {
	struct sigaction sa;
};
#pragma clang attribute pop

#define SIGINFO_BYTES 48 /* what the kernel keeps of one: SI_MAX_SIZE less padding */

/* A watched process. */
struct watched {
	struct scope scope;
	__u32 thread;         /* only this one, by number; 0: all */
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct watched);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct plan);
} plans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct plan);
} compat_plans SEC(".maps");

/* How many calls could not be told. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} untold SEC(".maps");

/* How many tasks are watched: of a single one no line is cut in two by another's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} tasks SEC(".maps");

enum enters {
	ENTERS_NEVER = 0,
	ENTERS_OF_SEVERAL = 1, /* if more than one task is watched, or may be before the call returns */
	ENTERS_ALWAYS = 2,
};

enum entered_state {
	OUTSIDE = 0,
	WITHIN = 1,
	NEWBORN = 2,          /* what it returns from is its parent's call */
	UNTOLD = 3,           /* within, but telling of it failed and was counted */
};

/* The call that a thread is in. */
struct entered {
	__u64 at;
	__u64 ip;
	__u64 args[6];
	__u64 away;
	__u32 number;
	__u32 tid;
	__u8 state;
	__u8 compat;
	__u8 told;
	__u8 late;            /* what was to be copied before the call was not there yet */
	__u8 unused[4];
};

/* By struct task_struct: a thread keeps that when exec gives it another number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct entered);
} entering SEC(".maps");

/* ---- records ---- */

static __always_inline __u64 untold_so_far(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&untold, &zero);

	return count ? *(volatile __u64 *)count : 0;
}

static __always_inline void count_tasks(__s64 more)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&tasks, &zero);

	if (count)
		__sync_fetch_and_add(count, more);
}

/* Is a call to be told when it is entered, if it has no need of its own? */
static __always_inline bool enters(const struct plan *plan)
{
	__u32 zero = 0;
	__u64 *count;

	if (tell_enters != ENTERS_OF_SEVERAL || plan->forks)
		return tell_enters;
	count = bpf_map_lookup_elem(&tasks, &zero);
	return !count || *(volatile __u64 *)count != 1;
}

static __always_inline void count_untold(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&untold, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline struct telling *start_telling(__u32 type, __u32 pid, __u32 tid, __u64 now)
{
	struct telling *made = tell();

	if (!made)
		return NULL;
	__builtin_memset(&made->told, 0, sizeof(made->told));
	made->told.at = now;
	made->told.type = type;
	made->told.pid = pid;
	made->told.tid = tid;
	return made;
}

/* Sends the record in the making. Calls leave room in the ring for ends. */
static __always_inline bool send(struct telling *made, bool call)
{
	__u64 filled = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	__u64 size = made->told.bytes;
	/* The reader has to find out what runs there now, before it is gone. */
	bool wakes = filled >= wake_at || made->told.type == TOLD_RAN;

	made->told.lost = untold_so_far();
	CHECK_HERE(size);
	if (size > ROOM + CHUNK || (call && filled > full_at))
		return false;
	return !bpf_ringbuf_output(&ring, made, sizeof(made->told) + size,
				   wakes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/* Step `index` of a call's plan. A function of its own: what the verifier has seen of it holds for every step. */
__attribute__((noinline)) int take_nth(__u32 number, __u32 index)
{
	struct telling *made = tell();
	struct plan *plan;

	if (!made)
		return 0;
	if (made->told.flags & TOLD_COMPAT)
		plan = bpf_map_lookup_elem(&compat_plans, &number);
	else
		plan = bpf_map_lookup_elem(&plans, &number);
	CHECK_HERE(index);
	if (plan && index < MOST_STEPS)
		take_step(made, &plan->step[index]);
	return 0;
}

/* The steps of a call's plan from `begin` to before `end`. */
static __always_inline void take_steps(__u32 number, __u32 begin, __u32 end)
{
	__u32 i;

	for (i = 0; i < MOST_STEPS; i++)
		if (i >= begin && i < end)
			take_nth(number, i);
}

/* The stack of the call: known by memo, or copied. */
__attribute__((noinline)) int take_stack_of(__u32 pid)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct telling *made = tell();
	struct record *record = scratch();
	struct watched *scope = bpf_map_lookup_elem(&watched, &pid);
	struct origin *origin;
	struct piece *piece;
	__u32 at;

	if (!made || !record || !scope)
		return 0;
	record->at = made->told.at;
	record->pid = pid;
	record->flags = made->told.flags & TOLD_COMPAT ? RECORD_COMPAT : 0;
	set_registers(record, (struct pt_regs *)bpf_task_pt_regs(task), true);
	notice_code(&scope->scope, record, true);
	if (recognise(record)) {
		made->told.trace = TRACE_KNOWN;
		made->told.stack_id = record->stack_id;
		return 0;
	}
	made->told.trace = TRACE_SKIPPED;
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > copy_below)
		return 0;
	origin = origin_of(record);
	at = made->told.bytes;
	if (at > ROOM - sizeof(*piece) - sizeof(*origin))
		return 0;
	piece = (struct piece *)(made->data + at);
	piece->address = 0;
	piece->length = sizeof(*origin);
	piece->kind = PIECE_ORIGIN;
	*(struct origin *)(made->data + at + sizeof(*piece)) = *origin;
	made->told.bytes = at + sizeof(*piece) + sizeof(*origin);
	made->told.trace = TRACE_COPIED;
	at = scope->scope.stack_bytes;
	take(origin->sp, at > stack_most ? stack_most : at, PIECE_STACK);
	return 0;
}

/* ---- calls ---- */

static __always_inline struct watched *scope_of(__u32 *pid, __u32 *tid)
{
	struct watched *scope;

	current_numbers(pid, tid);
	scope = bpf_map_lookup_elem(&watched, pid);
	return scope && (!scope->thread || scope->thread == *tid) ? scope : NULL;
}

static __always_inline struct plan *plan_of(__u32 number, bool compat)
{
	struct plan *plan =
		compat ? bpf_map_lookup_elem(&compat_plans, &number) : bpf_map_lookup_elem(&plans, &number);

	return plan && plan->selected ? plan : NULL;
}

static __always_inline __u64 sixth(struct pt_regs *regs, bool compat)
{
#if !defined(__TARGET_ARCH_arm64)
	return compat ? (__u32)regs->bp : regs->r9;
#else
	return regs->regs[5];
#endif
}

static __always_inline void read_arguments(__u64 *args, struct pt_regs *regs, bool compat)
{
	args[0] = argument(regs, 0, compat, true);
	args[1] = argument(regs, 1, compat, true);
	args[2] = argument(regs, 2, compat, true);
	args[3] = argument(regs, 3, compat, true);
	args[4] = argument(regs, 4, compat, true);
	args[5] = sixth(regs, compat);
}

/*
 * How long the calling thread had no processor, from a moment that is always the same. Between two calls of this, the
 * clock moves on by what this does and by the time on a processor: exec_start is the moment up to which the time in
 * sum_exec_runtime is counted (update_curr, kernel/sched/fair.c).
 */
static __always_inline __u64 away_ns(struct task_struct *task)
{
	struct task_struct___ran *ran = (void *)task;
	__u64 since, counted;

	if (!tell_system)
		return 0;
	since = *(volatile __u64 *)&ran->se.exec_start;
	counted = *(volatile __u64 *)&ran->se.sum_exec_runtime;
	/* The clock's interrupt may have come in between: it moves both. */
	if (since != *(volatile __u64 *)&ran->se.exec_start) {
		since = *(volatile __u64 *)&ran->se.exec_start;
		counted = *(volatile __u64 *)&ran->se.sum_exec_runtime;
	}
	return since - counted;
}

static __always_inline int on_enter(struct task_struct *task, __u32 number, bool compat)
{
	struct entered *entered, fresh = {};
	struct pt_regs *regs;
	struct telling *made;
	struct plan *plan = plan_of(number, compat);
	__u64 key = (__u64)task, now;
	__u32 pid, tid;

	if (!plan || !scope_of(&pid, &tid))
		return 0;
	entered = bpf_map_lookup_elem(&entering, &key);
	if (!entered) {
		bpf_map_update_elem(&entering, &key, &fresh, BPF_ANY);
		entered = bpf_map_lookup_elem(&entering, &key);
		if (!entered)
			return 0;
	}
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	now = bpf_ktime_get_ns();
	entered->at = now;
	entered->away = away_ns(task);
	entered->ip = regs->REG_IP;
	read_arguments(entered->args, regs, compat);
	entered->number = number;
	entered->tid = tid;
	entered->state = WITHIN;
	entered->compat = compat;
	entered->told = 0;
	entered->late = 0;
	if (!enters(plan) && (!plan->early || !plan->enters)) {
		entered->late = 1;
		return 0;
	}
	made = start_telling(TOLD_ENTER, pid, tid, now);
	if (!made)
		return 0;
	made->told.entered = now;
	made->told.ip = entered->ip;
	__builtin_memcpy(made->told.args, entered->args, sizeof(made->told.args));
	made->told.number = number;
	made->told.flags = TOLD_ENTERS | (compat ? TOLD_COMPAT : 0);
	take_steps(number, 0, plan->enters);
	if (made->told.flags & TOLD_ABSENT && !plan->early) {
		/* A page that the program never touched: the kernel will have, when the call returns. */
		entered->late = 1;
		return 0;
	}
	if (send(made, true)) {
		entered->told = 1;
	} else {
		entered->state = UNTOLD;
		count_untold();
	}
	return 0;
}

/* Tells how the call that `entered` describes ended, without memory. */
static __always_inline struct telling *start_exit(struct task_struct *task, struct entered *entered, __u32 pid,
						  __u32 tid)
{
	__u64 now = bpf_ktime_get_ns();
	struct telling *made = start_telling(TOLD_EXIT, pid, tid, now);

	if (!made)
		return NULL;
	made->told.entered = entered->at;
	made->told.away = away_ns(task) - entered->away;
	made->told.ip = entered->ip;
	__builtin_memcpy(made->told.args, entered->args, sizeof(made->told.args));
	made->told.number = entered->number;
	made->told.flags = TOLD_ENTERS | (entered->compat ? TOLD_COMPAT : 0) | (entered->told ? TOLD_HAS_ENTER : 0);
	return made;
}

/* A call that was under way when watching began, or of which nobody asked when it was entered. */
static __always_inline struct telling *start_late(struct task_struct *task, __u32 pid, __u32 tid, __u32 number, bool compat)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct telling *made = start_telling(TOLD_EXIT, pid, tid, bpf_ktime_get_ns());

	if (!made)
		return NULL;
	made->told.ip = regs->REG_IP;
	read_arguments(made->told.args, regs, compat);
	made->told.number = number;
	made->told.flags = compat ? TOLD_COMPAT : 0;
	return made;
}

static __always_inline int on_exit(struct task_struct *task, __u32 number, __s64 ret, bool compat)
{
	struct entered *entered = NULL;
	struct telling *made;
	struct plan *plan = NULL;
	__u64 key = (__u64)task;
	__u32 pid, tid;
	bool late = false;

	/* After sigreturn and exec the registers do not tell the call: they are those of other code. */
	if ((__s32)number >= 0) {
		plan = plan_of(number, compat);
		if (!plan)
			return 0;
	}
	if (!scope_of(&pid, &tid))
		return 0;
	if (!plan || plan->paired)
		entered = bpf_map_lookup_elem(&entering, &key);
	/* 32-bit calls are looked at when they are entered only once one was seen to end. */
	if (entered && plan && compat && entered->state == OUTSIDE)
		entered = NULL;
	if (entered) {
		__u8 state = entered->state;

		entered->state = OUTSIDE;
		/* Of a new task's first way out of the kernel, which is that of its parent's call, nothing is told. */
		if (state != WITHIN)
			return 0;
		number = entered->number;
		compat = entered->compat;
		late = entered->late;
		made = start_exit(task, entered, pid, tid);
	} else {
		made = start_late(task, pid, tid, number, compat);
		/* Of a 32-bit call that nobody looked at when it was entered, what it was given is copied now. */
		late = compat;
	}
	plan = plan_of(number, compat);
	if (!made || !plan)
		return 0;
	made->told.ret = compat ? (__s32)ret : ret;
	take_steps(number, late ? 0 : plan->enters, plan->steps);
	if (plan->stack && stack_most)
		take_stack_of(pid);
	if (!send(made, true))
		count_untold();
	return 0;
}

#if !defined(__TARGET_ARCH_arm64)
#define IS_COMPAT(task) ((task)->thread_info.status & TS_COMPAT)
#define NUMBER(regs) ((regs)->orig_ax)
#else
#define IS_COMPAT(task) false
#define NUMBER(regs) ((regs)->syscallno)
#endif

struct enter_args {
	__u64 unused;
	__s32 number;
	__u64 args[6];
};

struct exit_args {
	__u64 unused;
	__s32 number;
	__s64 ret;
};

/* Attached once per wanted call. These never fire for 32-bit calls. */
SEC("tracepoint/syscalls/sys_enter")
int call_enter(struct enter_args *args)
{
	return on_enter(bpf_get_current_task_btf(), args->number, false);
}

SEC("tracepoint/syscalls/sys_exit")
int call_exit(struct exit_args *args)
{
	return on_exit(bpf_get_current_task_btf(), args->number, args->ret, false);
}

/* Attached where nearly all calls are wanted, and for 32-bit calls. */
SEC("raw_tp/sys_enter")
int every_enter(__u64 *args)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (compat_only && !IS_COMPAT(task))
		return 0;
	return on_enter(task, args[1], IS_COMPAT(task));
}

SEC("raw_tp/sys_exit")
int every_exit(__u64 *args)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;

	if (compat_only && !IS_COMPAT(task))
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	return on_exit(task, NUMBER(regs), args[1], IS_COMPAT(task));
}

/* ---- lives of processes and threads ---- */

SEC("raw_tp/sched_process_fork")
int task_made(__u64 *args)
{
	struct task_struct *parent = (void *)args[0], *child = (void *)args[1];
	__u32 pid, tid, made_pid, made_tid;
	struct watched *scope, inherited;
	struct entered newborn = {};
	struct telling *made;
	__u64 key = (__u64)child;

	scope = scope_of(&pid, &tid);
	if (!scope || !scope->scope.follow)
		return 0;
	made_tid = number_of(child);
	made_pid = READ(child, tgid) == READ(parent, tgid) ? pid : made_tid;
	if (made_pid != pid) {
		inherited = *scope;
		bpf_map_update_elem(&watched, &made_pid, &inherited, BPF_ANY);
	}
	count_tasks(1);
	newborn.state = NEWBORN;
	newborn.tid = made_tid;
	bpf_map_update_elem(&entering, &key, &newborn, BPF_ANY);
	made = start_telling(TOLD_ATTACHED, made_pid, made_tid, bpf_ktime_get_ns());
	if (made) {
		made->told.ret = tid;
		send(made, false);
	}
	return 0;
}

SEC("raw_tp/sched_process_exec")
int program_run(__u64 *args)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 key = args[0];
	struct entered *entered;
	struct watched *scope;
	struct telling *made;
	__u32 pid, tid, former;
	bool compat = IS_COMPAT(task);

	current_numbers(&pid, &tid);
	scope = bpf_map_lookup_elem(&watched, &pid);
	if (!scope)
		return 0;
	former = pid_level ? tid : (__u32)args[1];
	entered = bpf_map_lookup_elem(&entering, &key);
	if (entered) {
		if (entered->tid)
			former = entered->tid;
		entered->tid = tid;
		/* The tracepoint of the call does not fire: the task's interface is another one now. */
		if (compat_only && entered->state == WITHIN && entered->compat != compat) {
			/* That of all calls does, with the number that the new interface has for exec: nothing more is told. */
			entered->state = NEWBORN;
			made = start_exit(task, entered, pid, tid);
			if (made && !send(made, true))
				count_untold();
		}
	}
	made = start_telling(TOLD_RAN, pid, tid, bpf_ktime_get_ns());
	if (made) {
		made->told.flags = compat ? TOLD_COMPAT : 0;
		send(made, false);
	}
	if (former == tid)
		return 0;
	if (scope->thread)
		scope->thread = tid;
	made = start_telling(TOLD_SUPERSEDED, pid, tid, bpf_ktime_get_ns());
	if (made) {
		made->told.ret = former;
		send(made, false);
	}
	return 0;
}

SEC("raw_tp/sched_process_exit")
int task_ended(__u64 *args)
{
	struct task_struct *task = (void *)args[0];
	struct signal_struct *signal = READ(task, signal);
	struct entered *entered;
	struct telling *made;
	__u64 key = args[0];
	__u32 pid, tid;

	current_numbers(&pid, &tid);
	if (!bpf_map_lookup_elem(&watched, &pid))
		return 0;
	entered = scope_of(&pid, &tid) ? bpf_map_lookup_elem(&entering, &key) : NULL;
	if (entered) {
		if (entered->state == WITHIN) {
			made = start_exit(bpf_get_current_task_btf(), entered, pid, tid);
			if (made) {
				made->told.flags |= TOLD_UNKNOWN;
				if (!send(made, true))
					count_untold();
			}
		}
		bpf_map_delete_elem(&entering, &key);
	}
	if (scope_of(&pid, &tid))
		count_tasks(-1);
	made = start_telling(TOLD_ENDED, pid, tid, bpf_ktime_get_ns());
	if (made && scope_of(&pid, &tid)) {
		struct signal_struct___exec *executing = (void *)signal;
		bool passes_number = bpf_core_field_exists(struct signal_struct___exec, group_exec_task) &&
				     READ(executing, group_exec_task);

		made->told.ret = READ((struct task_struct___end *)task, exit_code);
		/* Of a leader whose number passes to the thread that called exec nobody is told: it goes on. */
		if (!(passes_number && pid == tid))
			send(made, false);
	}
	/*
	 * Of several threads, which all may end at this moment, nobody here knows which is the last to be told of: their
	 * process is taken off by the reader, who has been told of each.
	 */
	if (READ((struct signal_struct___end *)signal, nr_threads) == 1)
		bpf_map_delete_elem(&watched, &pid);
	return 0;
}

/* ---- signals ---- */

#define SIGKILL 9
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SI_KERNEL 0x80

/*
 * Made on the stack: signals are sent in interrupts too, in the midst of other programs. Small numbers stand for signals
 * without a siginfo (include/linux/sched/signal.h).
 */
static __always_inline bool send_signal(__u32 pid, __u32 tid, __u32 signal, __u64 info, bool stops)
{
	struct {
		struct told told;
		struct piece piece;
		__u32 words[SIGINFO_BYTES / 4];
	} made = {};

	made.told.at = bpf_ktime_get_ns();
	made.told.type = TOLD_SIGNAL;
	made.told.pid = pid;
	made.told.tid = tid;
	made.told.ret = signal;
	made.told.lost = untold_so_far();
	made.told.bytes = sizeof(made.piece) + sizeof(made.words);
	made.piece.length = sizeof(made.words);
	made.piece.kind = PIECE_SIGNAL;
	if (info > 1) {
		bpf_probe_read_kernel(made.words, sizeof(made.words), (void *)info);
	} else {
		made.words[0] = signal;
		made.words[2] = info ? SI_KERNEL : 0;
	}
	bpf_ringbuf_output(&ring, &made, sizeof(made), BPF_RB_NO_WAKEUP);
	if (!stops)
		return true;
	made.told.type = TOLD_STOPPED;
	bpf_ringbuf_output(&ring, &made, sizeof(made), BPF_RB_NO_WAKEUP);
	return true;
}

SEC("raw_tp/signal_deliver")
int signal_delivered(__u64 *args)
{
	struct k_sigaction *action = (void *)args[2];
	__u32 pid, tid, signal = args[0];
	bool stops = signal == SIGSTOP || (signal >= SIGTSTP && signal <= SIGTTOU && !READ(action, sa.sa_handler));

	if (signal != SIGKILL && scope_of(&pid, &tid))
		send_signal(pid, tid, signal, args[1], stops);
	return 0;
}

/* include/trace/events/signal.h: TRACE_SIGNAL_... */
#define SIGNAL_DELIVERED 0
#define SIGNAL_IGNORED 1

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

/* A signal that is to end a process does so where it is sent: it kills every thread (complete_signal, kernel/signal.c). */
static __always_inline bool has_ended(struct task_struct *task, __u32 signal)
{
	struct signal_struct___end *end = (void *)READ(task, signal);

	return signal != SIGKILL && READ(end, flags) & SIGNAL_GROUP_EXIT && READ(end, group_exit_code) == signal;
}

/*
 * A signal that nobody handles is dropped where it is sent, and one that is fatal is never delivered. A tracer by ptrace
 * sees both delivered; so they are told.
 */
SEC("raw_tp/signal_generate")
int signal_dropped(__u64 *args)
{
	struct task_struct *to = (void *)args[2], *leader;
	struct watched *scope;
	__u32 pid, tid;

	if (args[4] != SIGNAL_IGNORED && (args[4] != SIGNAL_DELIVERED || !has_ended(to, args[0])))
		return 0;
	leader = READ(to, group_leader);
	pid = number_of(leader);
	tid = number_of(to);
	scope = bpf_map_lookup_elem(&watched, &pid);
	if (scope && (!scope->thread || scope->thread == tid))
		send_signal(pid, tid, args[0], args[1], false);
	return 0;
}

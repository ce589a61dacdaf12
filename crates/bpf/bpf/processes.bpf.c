// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * Looks at every process for the radar: a row each, with the few numbers that /proc/PID/stat, /proc/PID/limits and the
 * size of /proc/PID/fd tell. Descriptors are not counted here: the row has the table's own bitmap.
 *
 * Pointers are followed by helper calls only: for each plain load of one the verifier searches all of the kernel's types
 * (`btf_nested_type_is_trusted`), which made loading take twice as long as everything else.
 */
#include "seen.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define RLIMIT_NPROC 6
#define RLIMIT_NOFILE 7
#define BITS 64

/* More members than the other programs read. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kuid {
	__u32 val;
};

struct cred {
	struct kuid euid;
};

struct rlimit {
	unsigned long rlim_cur;
};

struct signal_struct___seen {
	int nr_threads;
	struct rlimit rlim[16];
};

struct fdtable___seen {
	unsigned int max_fds;
	unsigned long *open_fds;
};

struct task_struct___seen {
	unsigned int __state;
	int exit_state;
	__u64 start_boottime;
	struct task_struct *real_parent;
	struct cred *real_cred;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* The bitmap of a table that nobody holds still: what was read counts only if the task has the same table afterwards. */
static __always_inline __u32 read_open(struct seen_row *row, struct task_struct *task)
{
	struct files_struct *files = READ(task, files);
	struct fdtable___seen *fdt;
	__u32 words;

	if (!files)
		return SEEN_UNCOUNTED;
	fdt = (void *)READ(files, fdt);
	if (!fdt)
		return SEEN_UNCOUNTED;
	words = READ(fdt, max_fds) / BITS;
	if (!words || words > SEEN_WORDS)
		return SEEN_UNCOUNTED;
	if (bpf_probe_read_kernel(row->open, words * sizeof(*row->open), READ(fdt, open_fds)))
		return SEEN_UNCOUNTED;
	if (READ(task, files) != files || (void *)READ(files, fdt) != fdt)
		return SEEN_UNCOUNTED;
	return words;
}

SEC("iter/task")
int look_at_process(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_struct___seen *more = (void *)task;
	struct signal_struct___seen *shared;
	struct task_struct *parent;
	struct seen_row row = {};
	struct cred *cred;

	if (!task || task->pid != task->tgid)
		return 0;
	shared = (void *)READ(task, signal);
	parent = READ(more, real_parent);
	cred = READ(more, real_cred);
	row.start_ns = more->start_boottime;
	row.nofile = READ(shared, rlim[RLIMIT_NOFILE].rlim_cur);
	row.nproc = READ(shared, rlim[RLIMIT_NPROC].rlim_cur);
	row.pid = task->tgid;
	row.parent = READ(parent, tgid);
	row.uid = READ(cred, euid.val);
	row.flags = task->flags;
	row.state = more->__state;
	row.exit_state = more->exit_state;
	row.threads = READ(shared, nr_threads);
	core_read(&row.comm, &task->comm);
	row.words = read_open(&row, task);
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

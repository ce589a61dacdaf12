/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Numbers of tasks in fdscope's PID namespace. */
#pragma once
#include "kernel.h"

/* Set by the loader. */
const volatile __u32 pid_level = 0;       /* depth of fdscope's PID namespace; 0: the initial one */
const volatile __u32 pid_namespace = 0;   /* its inode number */

/* The number in fdscope's PID namespace of a task, a process or what a pidfd stands for; 0 if it has none there. */
static __always_inline __u32 number_of_pid(struct pid *pid)
{
	struct upid upid = {};
	struct pid_namespace *namespace;

	if (!pid || READ(pid, level) < pid_level)
		return 0;
	bpf_probe_read_kernel(&upid, sizeof(upid), __builtin_preserve_access_index(&pid->numbers[0]) + (pid_level & 31));
	namespace = upid.ns;
	if (pid_level && (!namespace || READ(namespace, ns.inum) != pid_namespace))
		return 0;
	return upid.nr;
}

/* A task's. */
static __always_inline __u32 number_of(struct task_struct *task)
{
	return pid_level ? number_of_pid(READ(task, thread_pid)) : READ(task, pid);
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

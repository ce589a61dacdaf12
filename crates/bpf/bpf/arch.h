/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Everything the programs know of a processor: where a system call's number, arguments and result stand. */
#pragma once
#include "kernel.h"

#if !defined(__TARGET_ARCH_arm64)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pt_regs {
	unsigned long r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, sp, bp, bx;
};
#pragma clang attribute pop

#define THREAD_BYTES 16384 /* a kernel stack */
#define REG_IP ip
#define REG_SP sp
#define REG_FP bp
#define TS_COMPAT 0x0002 /* arch/x86/include/asm/thread_info.h: this call came by the 32-bit entry */

static __always_inline bool is_compat(struct task_struct *task)
{
	return READ(task, thread_info.status) & TS_COMPAT;
}

static __always_inline long call_number(struct pt_regs *regs)
{
	return READ(regs, orig_ax);
}

static __always_inline __u64 argument(struct pt_regs *regs, __u32 index, bool compat, bool direct)
{
	if (compat) {
		switch (index) {
		case 0: return (__u32)READ(regs, bx);
		case 1: return (__u32)READ(regs, cx);
		case 2: return (__u32)READ(regs, dx);
		case 3: return (__u32)READ(regs, si);
		default: return (__u32)READ(regs, di);
		}
	}
	switch (index) {
	case 0: return LOAD(direct, regs, di);
	case 1: return LOAD(direct, regs, si);
	case 2: return LOAD(direct, regs, dx);
	case 3: return LOAD(direct, regs, r10);
	default: return LOAD(direct, regs, r8);
	}
}

static __always_inline __u64 link_register(struct pt_regs *regs)
{
	return 0;
}

/* What pthread_self(3) returns in glibc and musl: the thread block stands where the pointer points. */
static __always_inline __u64 thread_pointer(struct task_struct *task)
{
	return READ(task, thread.fsbase);
}

#else

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 orig_x0;
	int syscallno;
};
#pragma clang attribute pop

#define THREAD_BYTES 16384 /* a kernel stack, where pages are no larger */
#define REG_IP pc
#define REG_SP sp
#define REG_FP regs[29]

static __always_inline bool is_compat(struct task_struct *task)
{
	return false; /* AArch32 tasks are left to reconciliation */
}

static __always_inline long call_number(struct pt_regs *regs)
{
	return READ(regs, syscallno);
}

static __always_inline __u64 argument(struct pt_regs *regs, __u32 index, bool compat, bool direct)
{
	switch (index) {
	case 0: return LOAD(direct, regs, orig_x0);
	case 1: return LOAD(direct, regs, regs[1]);
	case 2: return LOAD(direct, regs, regs[2]);
	case 3: return LOAD(direct, regs, regs[3]);
	default: return LOAD(direct, regs, regs[4]);
	}
}

static __always_inline __u64 link_register(struct pt_regs *regs)
{
	return READ(regs, regs[30]);
}

/* The thread block lies before the pointer, at a distance that only libc knows. */
static __always_inline __u64 thread_pointer(struct task_struct *task)
{
	return 0;
}

#endif

/* Where a task's registers stand on kernels without a helper for it: at the end of its kernel stack (task_pt_regs()). */
static __always_inline struct pt_regs *registers_on_stack(struct task_struct *task)
{
	return (struct pt_regs *)((char *)READ(task, stack) + THREAD_BYTES - SIZE(struct pt_regs));
}

/* The registers of the current task's user code, to be read by helpers alone. */
static __always_inline struct pt_regs *current_registers(void)
{
	if (HAS_TYPED_REGISTERS)
		return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return registers_on_stack((struct task_struct *)bpf_get_current_task());
}

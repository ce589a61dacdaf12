/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * The few kernel types that the programs read, trimmed by hand to the members they touch.
 * CO-RE relocates every access by name against the running kernel's BTF, so order and size here do not matter;
 * a member that a kernel lacks is asked for with bpf_core_field_exists first.
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;

#define bool _Bool
#define true 1
#define false 0
#define NULL ((void *)0)

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	__u16 i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct file {
	unsigned int f_flags;
	struct inode *f_inode;
	__s64 f_pos;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *close_on_exec;
};

struct files_struct {
	struct fdtable *fdt;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct atomic {
	int counter;
};

struct signal_struct {
	struct atomic live;
};

struct thread_info {
	__u32 status;
};

/* x86 only. */
struct thread_struct {
	unsigned long fsbase;
};

struct mm_struct {
	unsigned long exec_vm;
};

struct task_struct {
	struct thread_info thread_info;
	struct thread_struct thread;
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct files_struct *files;
	struct signal_struct *signal;
	char comm[16];
	void *stack;
};

struct io_kiocb {
	__u8 opcode;
};

/* The operation's own arguments: io_uring/openclose.c, io_uring/net.c. Each stands at the start of its io_kiocb. */
struct io_open {
	__u32 file_slot;
};

struct io_close {
	int fd;
	__u32 file_slot;
};

struct io_accept {
	__u32 file_slot;
};

struct io_socket {
	__u32 file_slot;
};

struct io_uring_cqe {
	__u64 user_data;
	__s32 res;
	__u32 flags;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_STACK_TRACE = 7,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_F_USER_STACK = 1 << 8,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

/* Helper numbers: include/uapi/linux/bpf.h, a stable ABI. */
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static __u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*bpf_get_stackid)(void *ctx, void *map, __u64 flags) = (void *)27;
static __u64 (*bpf_get_current_task)(void) = (void *)35;
static long (*bpf_probe_read_user)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)112;
static long (*bpf_probe_read_kernel)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)113;
static long (*bpf_seq_write)(struct seq_file *m, const void *data, __u32 len) = (void *)127;
static void *(*bpf_ringbuf_reserve)(void *ringbuf, __u64 size, __u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;
static __u64 (*bpf_ringbuf_query)(void *ringbuf, __u64 flags) = (void *)134;
static long (*bpf_task_pt_regs)(void *task) = (void *)175;
static void *(*bpf_get_current_task_btf)(void) = (void *)158;

#define core_read(dst, src)                                                                         \
	bpf_probe_read_kernel(dst, sizeof(*(dst)), __builtin_preserve_access_index(src))

/* READ(pointer, member): the member's value, 0 if it cannot be read. */
#define READ(pointer, member)                                                                       \
	({                                                                                          \
		typeof((pointer)->member) value_ = 0;                                               \
		core_read(&value_, &(pointer)->member);                                             \
		value_;                                                                             \
	})

/*
 * The same by a plain load where the verifier knows the pointer's type (`direct`, a constant): a tenth of a helper's
 * cost. Such loads read 0 through a bad pointer, too.
 */
#define LOAD(direct, pointer, member) ((direct) ? (pointer)->member : READ(pointer, member))

/* Where a member stands in the running kernel's structure. */
#define PLACE(type, member) __builtin_preserve_field_info(((type *)0)->member, 0 /* BPF_FIELD_BYTE_OFFSET */)

/*
 * A member of a structure of which the first bytes were copied to `copy`: one helper call for several members. Places are
 * constants once loaded, so the verifier sees only one of the branches.
 */
#define PART(copy, pointer, member)                                                                 \
	(PLACE(typeof(*(pointer)), member) + sizeof((pointer)->member) <= sizeof(*(copy))                \
		 ? *(typeof((pointer)->member) *)((char *)(copy) + PLACE(typeof(*(pointer)), member))    \
		 : READ(pointer, member))

/*
 * Has the numbers checked where they are used. The compiler may keep a number on the stack and compare a copy of it in a
 * register; kernels before 6.8 do not know then that the one on the stack is as small. Behind this it knows nothing of
 * the numbers, so that a check right before a helper's call is made, and of the very register.
 */
#define CHECK_HERE(one) asm volatile("" : "+r"(one))
#define CHECK_BOTH_HERE(one, other) asm volatile("" : "+r"(one), "+r"(other))

/* The running kernel's helpers; of those not named here it has every one. */
enum bpf_func_id {
	BPF_FUNC_task_pt_regs = 175,
};

/*
 * True since Linux 5.15: a task and its registers can be had as pointers of which the verifier knows the type. A constant
 * once loaded; to be asked for in one place, because older verifiers do not see it as one after it was on the stack.
 */
#define HAS_TYPED_REGISTERS                                                                         \
	__builtin_preserve_enum_value(*(enum bpf_func_id *)BPF_FUNC_task_pt_regs, 0 /* BPF_ENUMVAL_EXISTS */)

/* The running kernel's size of a structure. */
#define SIZE(type) __builtin_preserve_type_info(*(type *)0, 1 /* BPF_TYPE_SIZE */)

#define bpf_core_field_exists(type, member)                                                         \
	__builtin_preserve_field_info(((type *)0)->member, 2 /* BPF_FIELD_EXISTS */)

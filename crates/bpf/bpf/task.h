/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Tasks and their tables: registers, and what a descriptor's slot holds. */
#pragma once
#include "stack.h"

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

static __always_inline void set_registers(struct record *made, struct pt_regs *regs, bool direct)
{
	struct origin *origin = origin_of(made);

	origin->ip = LOAD(direct, regs, REG_IP);
	origin->sp = LOAD(direct, regs, REG_SP);
	origin->fp = LOAD(direct, regs, REG_FP);
	origin->lr = link_register(regs);
}

/* What the table holds at `fd`: the kernel's truth at this moment. */
static __always_inline void read_slot(struct record *made, struct slot *slot, struct files_struct *files, __s32 fd, bool direct)
{
	struct copy *copy = &making_of(made)->copy;
	struct fdtable *fdt;
	struct file **array;
	struct file *file = NULL;
	struct inode *inode;
	struct super_block *super;
	unsigned long *bits, word = 0;

	slot->fd = fd;
	fdt = LOAD(direct, files, fdt);
	if (!fdt || fd < 0 || (__u32)fd >= LOAD(direct, fdt, max_fds))
		return;
	array = LOAD(direct, fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), array + (__u32)fd);
	slot->file = (__u64)file;
	if (!file)
		return;
	bits = LOAD(direct, fdt, close_on_exec);
	bpf_probe_read_kernel(&word, sizeof(word), bits + (__u32)fd / 64);
	bpf_probe_read_kernel(copy, sizeof(*copy), file);
	slot->flags = PART(copy, file, f_flags) & ~O_CLOEXEC;
	if (word >> ((__u32)fd % 64) & 1)
		slot->flags |= O_CLOEXEC;
	inode = PART(copy, file, f_inode);
	bpf_probe_read_kernel(copy, sizeof(*copy), inode);
	slot->inode = PART(copy, inode, i_ino);
	slot->mode = PART(copy, inode, i_mode);
	super = PART(copy, inode, i_sb);
	bpf_probe_read_kernel(copy, sizeof(*copy), super);
	slot->device = PART(copy, super, s_dev);
	slot->mode |= (__u32)PART(copy, super, s_magic) << 16;
}

/* Only the description: enough to judge a close by. */
static __always_inline void read_slot_file(struct slot *slot, struct files_struct *files, __s32 fd, bool direct)
{
	struct fdtable *fdt = LOAD(direct, files, fdt);
	struct file **array;

	slot->fd = fd;
	if (!fdt || fd < 0 || (__u32)fd >= LOAD(direct, fdt, max_fds))
		return;
	array = LOAD(direct, fdt, fd);
	bpf_probe_read_kernel(&slot->file, sizeof(slot->file), array + (__u32)fd);
}

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * Reads descriptor tables: one row per open descriptor of the tasks that the iterator is bound to.
 * Nothing of the file system is asked, so a dead mount cannot block it.
 */
#include "kernel.h"
#include "wire.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* 0: every process. Else the tgid in the initial PID namespace, for kernels that cannot bind the iterator to one. */
const volatile __u32 only = 0;

SEC("iter/task_file")
int read_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct file_row row = {};
	struct files_struct *files;
	struct fdtable *fdt;
	struct inode *inode;
	struct super_block *super;
	unsigned long *bits, word = 0;

	if (!task || !file)
		return 0;
	if (only && (__u32)task->tgid != only)
		return 0;
	files = task->files;
	row.table = (__u64)files;
	row.file = (__u64)file;
	row.pid = task->tgid;
	row.fd = ctx->fd;
	row.offset = file->f_pos;
	row.flags = file->f_flags & ~O_CLOEXEC;
	fdt = READ(files, fdt);
	if (fdt) {
		bits = READ(fdt, close_on_exec);
		bpf_probe_read_kernel(&word, sizeof(word), bits + ctx->fd / 64);
		if (word >> (ctx->fd % 64) & 1)
			row.flags |= O_CLOEXEC;
	}
	inode = READ(file, f_inode);
	row.inode = READ(inode, i_ino);
	super = READ(inode, i_sb);
	row.device = READ(super, s_dev);
	row.mode = READ(inode, i_mode) | (__u32)READ(super, s_magic) << 16;
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

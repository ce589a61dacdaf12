// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * Reads descriptor tables: one row per open descriptor of the tasks that the iterator is bound to.
 * Nothing of the file system is asked, so a dead mount cannot block it.
 */
#include "number.h"
#include "wire.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Set by the loader where the kernel cannot bind the iterator to a process (before 6.1): rows of all of them come. */
const volatile __u32 unbound = 0;

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
	/* Kernels before 5.11 show a table once for each thread. */
	if (unbound && task->pid != task->tgid && task->files == task->group_leader->files)
		return 0;
	files = task->files;
	row.table = (__u64)files;
	row.file = (__u64)file;
	row.pid = unbound ? number_of(task->group_leader) : task->tgid;
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

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * Reads descriptor tables for people: a row per open descriptor, with the text of its link and a socket's two ends.
 * Nothing of a file system is asked, so a dead mount cannot block it: paths are put together from the kernel's memory
 * as readlink(2) on /proc/PID/fd/N does it, and sizes are those that the inode in memory has.
 */
#include "sock.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SOCKFS_MAGIC 0x534f434b
#define PIPEFS_MAGIC 0x50495045
#define O_CLOEXEC 02000000
#define PATH_BYTES 4096

/* More members than the other programs read. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct vfsmount {
	int mnt_flags;
};

struct path {
	struct vfsmount *mnt;
};

struct mount {
	struct vfsmount mnt;
	int mnt_id;
};

struct kuid {
	__u32 val;
};

struct inode___held {
	struct kuid i_uid;
	unsigned int i_nlink;
	__u32 i_rdev;
	__s64 i_size;
	__u64 i_blocks;
};

struct file___held {
	unsigned int f_mode;
	struct path f_path;
};

#pragma clang attribute pop

static long (*bpf_d_path)(void *path, char *buf, __u32 sz) = (void *)147;

struct room {
	struct held_row row;
	union {
		char path[PATH_BYTES];
		struct {
			struct held_socket socket;
			__u8 names[2 * UNIX_NAME_BYTES];
		};
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct room);
} rooms SEC(".maps");

static __always_inline void read_number(struct upid *upid, struct pid *pid, __u32 level)
{
	bpf_probe_read_kernel(upid, sizeof(*upid), __builtin_preserve_access_index(&pid->numbers[0]) + (level & 31));
}

/* A process's number in the PID namespace of whoever reads, which is fdscope; 0 if it has none there. */
static __always_inline __u32 number_of(struct task_struct *leader)
{
	struct task_struct *reader = (struct task_struct *)bpf_get_current_task();
	struct pid *own = READ(reader, thread_pid), *pid = leader->thread_pid;
	struct upid wanted = {}, found = {};
	__u32 level = own ? READ(own, level) : 0, number = leader->pid;

	/* Else one load is shared by two kinds of pointers, which the verifier refuses. */
	asm volatile("" : "+r"(number));
	if (!level)
		return number;
	if (!pid || READ(pid, level) < level)
		return 0;
	read_number(&wanted, own, level);
	read_number(&found, pid, level);
	return found.ns && found.ns == wanted.ns ? found.nr : 0;
}

static __always_inline __u32 closes_on_exec(struct files_struct *files, __u32 fd)
{
	struct fdtable *fdt = files->fdt;
	unsigned long *bits = fdt->close_on_exec, word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), bits + fd / 64);
	return word >> (fd % 64) & 1 ? O_CLOEXEC : 0;
}

static __always_inline __u32 mount_of(struct vfsmount *mnt)
{
	void *whole = (char *)mnt - PLACE(struct mount, mnt);
	struct mount *mount = whole;

	return READ(mount, mnt_id);
}

static __always_inline void read_inode(struct held_row *row, struct inode *inode)
{
	struct inode___held *more = (void *)inode;
	struct super_block *super = inode->i_sb;

	row->inode = inode->i_ino;
	row->mode = inode->i_mode;
	row->size = more->i_size;
	row->blocks = more->i_blocks;
	row->links = more->i_nlink;
	row->uid = more->i_uid.val;
	row->node = more->i_rdev;
	row->device = super->s_dev;
	row->magic = super->s_magic;
}

SEC("iter/task_file")
int take_inventory(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct file *file = ctx->file;
	struct file___held *more = (void *)file;
	struct files_struct *files;
	struct socket *socket;
	struct room *room;
	struct held_row *row;
	__u32 zero = 0, pid, bytes = sizeof(*row);
	long got;

	if (!task || !file)
		return 0;
	leader = task->group_leader;
	/* Threads show only where the leader has ended: as /proc/PID/fd, and by /proc/PID/task. */
	if (leader->pid != task->pid && leader->files)
		return 0;
	pid = number_of(leader);
	if (!pid)
		return 0;
	room = bpf_map_lookup_elem(&rooms, &zero);
	if (!room)
		return 0;
	row = &room->row;
	files = task->files;
	row->table = (__u64)files;
	row->file = (__u64)file;
	row->offset = file->f_pos;
	row->pid = pid;
	row->tid = task->pid;
	row->fd = ctx->fd;
	row->flags = (file->f_flags & ~O_CLOEXEC) | closes_on_exec(files, ctx->fd);
	row->access = more->f_mode & 3;
	row->mount = mount_of(more->f_path.mnt);
	row->parts = 0;
	row->text_bytes = 0;
	row->text_error = 0;
	read_inode(row, file->f_inode);
	if (row->magic == SOCKFS_MAGIC) {
		socket = bpf_sock_from_file(file);
		if (socket) {
			row->parts = HELD_SOCKET;
			row->text_bytes = read_socket(&room->socket, socket, room->names);
			bytes += sizeof(room->socket) + row->text_bytes + room->socket.peer_bytes;
		}
	} else if (row->magic != PIPEFS_MAGIC) {
		row->parts = HELD_PATH;
		got = bpf_d_path(&more->f_path, room->path, sizeof(room->path));
		if (got > 0 && got <= PATH_BYTES) {
			row->text_bytes = got - 1;
			bytes += row->text_bytes;
		} else {
			row->text_error = got;
		}
	}
	bytes = (bytes + 7) & ~7;
	row->bytes = bytes;
	CHECK_HERE(bytes);
	if (bytes <= sizeof(*room))
		bpf_seq_write(ctx->meta->seq, room, bytes);
	return 0;
}

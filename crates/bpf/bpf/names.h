/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * What a descriptor leads to at this moment: the parts of its path as d_path (fs/d_path.c) puts them together, or the two
 * ends of a socket. bpf_d_path is not for tracepoints, so the walk is made here.
 */
#pragma once
#include "pieces.h"
#define DIRECT_SOCKETS false
#include "sock.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct qstr {
	const unsigned char *name;
};

struct dentry_operations {
	void *d_dname;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct dentry_operations *d_op;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file___named {
	struct path f_path;
	void *private_data;
};

struct inode___named {
	__u32 i_rdev;
	void *i_private;
};

struct fs_struct {
	struct path pwd;
};

struct task_struct___fs {
	struct fs_struct *fs;
};

#pragma clang attribute pop

#define AT_FDCWD (-100)
#define SOCKFS_MAGIC 0x534f434b
#define PIDFS_MAGIC 0x50494446
#define ANON_INODE_MAGIC 0x09041934
#define MOST_PARTS 48   /* of a path */
#define PART_BYTES 256  /* NAME_MAX, and a NUL */
#define MOST_NAMED 8    /* of the descriptors in an array */

static long (*bpf_probe_read_kernel_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)115;

/*
 * The names of `from` and all above it, each with its NUL, at `at` of the record in the making: their bytes, or -1 if
 * that is not all. With `single` only its own.
 */
__attribute__((noinline)) int take_parts(__u64 from, __u64 on, __u32 at, __u32 single)
{
	struct telling *made = tell();
	struct dentry *dentry = (void *)from, *parent, *root;
	struct vfsmount *mnt = (void *)on;
	struct mount *mount = (void *)((char *)mnt - PLACE(struct mount, mnt)), *above;
	__u32 begun = at, i;
	__u64 here;
	long got;

	if (!made || !from || !on)
		return -1;
	root = READ(mnt, mnt_root);
	for (i = 0; i < MOST_PARTS; i++) {
		/* Else the compiler counts by a pointer, of which the verifier knows no bounds. */
		here = at;
		asm volatile("" : "+r"(here));
		if (here > ROOM)
			return -1;
		parent = READ(dentry, d_parent);
		if (!single && (dentry == root || parent == dentry)) {
			above = READ(mount, mnt_parent);
			if (dentry != root || !above || above == mount)
				return at - begun;
			dentry = READ(mount, mnt_mountpoint);
			mount = above;
			root = READ(mount, mnt.mnt_root);
			continue;
		}
		got = bpf_probe_read_kernel_str(made->data + here, PART_BYTES, READ(dentry, d_name.name));
		if (got <= 0 || got > PART_BYTES)
			return -1;
		at += got;
		if (single)
			return at - begun;
		dentry = parent;
	}
	return -1;
}

static __always_inline struct file *file_of(struct task_struct *task, __s32 fd)
{
	struct files_struct *files = task->files;
	struct fdtable *fdt = files->fdt;
	struct file **array, *file = NULL;

	if (fd < 0 || (__u32)fd >= fdt->max_fds)
		return NULL;
	array = fdt->fd;
	bpf_probe_read_kernel(&file, sizeof(file), array + (__u32)fd);
	return file;
}

#define ENDS_BYTES (sizeof(struct held_socket) + 2 * UNIX_NAME_BYTES)

/* A socket's two ends, in ENDS_BYTES at `at`; the bytes of its own name. */
__attribute__((noinline)) int take_ends(__u64 from, __u32 at)
{
	struct telling *made = tell();
	struct held_socket *ends;
	__u32 bytes;

	CHECK_HERE(at);
	if (!made || at > ROOM)
		return -1;
	ends = (struct held_socket *)(made->data + at);
	bytes = read_socket(ends, (struct socket *)from, made->data + at + sizeof(*ends));
	if (ends->family == AF_NETLINK)
		made->told.flags |= TOLD_MESSAGES;
	return bytes;
}

/* The name of pidfds of kernels before 6.9, as a number. */
#define PIDFD_NAME 0x005d64666469705bull

static __always_inline bool is_pidfd(struct dentry *dentry)
{
	__u64 name = 0;

	return bpf_probe_read_kernel_str(&name, sizeof(name), READ(dentry, d_name.name)) == sizeof(name) &&
	       name == PIDFD_NAME;
}

/* Names a descriptor; with `netlink` only if it is a netlink socket. */
__attribute__((noinline)) int take_descriptor(__s32 fd, __u32 netlink)
{
	struct telling *made = tell();
	struct task_struct *task = bpf_get_current_task_btf();
	struct file___named *file = NULL;
	struct super_block *super;
	struct vfsmount *mnt;
	struct dentry *dentry;
	struct inode *inode;
	struct named *named;
	struct socket *socket;
	struct dentry_operations *naming;
	__u32 begin, at, flags = 0, own_bytes = 0;
	int bytes;

	if (!made)
		return 0;
	if (fd == AT_FDCWD) {
		struct fs_struct *fs = READ((struct task_struct___fs *)task, fs);

		mnt = READ(fs, pwd.mnt);
		dentry = READ(fs, pwd.dentry);
	} else {
		file = (void *)file_of(task, fd);
		if (!file)
			return 0;
		mnt = READ(file, f_path.mnt);
		dentry = READ(file, f_path.dentry);
	}
	inode = READ(dentry, d_inode);
	super = READ(inode, i_sb);
	begin = open_piece(made);
	CHECK_HERE(begin);
	if (begin > ROOM)
		return 0;
	named = (struct named *)(made->data + begin);
	named->magic = READ(super, s_magic);
	if (netlink) {
		struct sock *sk;

		if (named->magic != SOCKFS_MAGIC)
			return 0;
		socket = READ(file, private_data);
		sk = READ(socket, sk);
		if (READ(sk, __sk_common.skc_family) != AF_NETLINK)
			return 0;
	}
	named->inode = READ(inode, i_ino);
	named->mode = READ(inode, i_mode);
	named->node = READ((struct inode___named *)inode, i_rdev);
	named->pid = 0;
	if (named->magic == PIDFS_MAGIC)
		named->pid = number_of_pid(READ((struct inode___named *)inode, i_private));
	else if (file && named->magic == ANON_INODE_MAGIC && is_pidfd(dentry))
		named->pid = number_of_pid(READ(file, private_data));
	naming = READ(dentry, d_op);
	if (naming && READ(naming, d_dname) &&
	    (READ(dentry, d_parent) != dentry || READ(mnt, mnt_root) != dentry))
		flags |= NAMED_BY_ITSELF;
	if (!READ(dentry, d_hash.pprev) && READ(dentry, d_parent) != dentry)
		flags |= NAMED_DELETED;
	at = begin + sizeof(*named);
	if (named->magic == SOCKFS_MAGIC && file) {
		socket = READ(file, private_data);
		bytes = take_ends((__u64)socket, at);
		if (bytes >= 0 && bytes <= UNIX_NAME_BYTES) {
			flags |= NAMED_SOCKET;
			own_bytes = bytes;
			at += ENDS_BYTES;
		}
	}
	if (at > ROOM)
		return 0;
	bytes = take_parts((__u64)dentry, (__u64)mnt, at, flags & (NAMED_BY_ITSELF | NAMED_SOCKET));
	if (bytes < 0 || bytes > MOST_PARTS * PART_BYTES)
		return 0;
	CHECK_HERE(begin);
	if (begin > ROOM)
		return 0;
	named = (struct named *)(made->data + begin);
	named->flags = flags;
	named->own_bytes = own_bytes;
	named->text_bytes = bytes;
	at += bytes;
	close_piece(made, begin, at, (__s64)fd, PIECE_DESCRIPTOR);
	return 0;
}

/* Names the descriptors of an array in the program's memory: `count` of them, each so many bytes behind the other. */
__attribute__((noinline)) int take_descriptors(__u64 address, __u32 count, __u32 stride)
{
	__u32 i;

	for (i = 0; i < MOST_NAMED; i++) {
		__s32 fd = -1;

		if (i >= count)
			break;
		if (bpf_probe_read_user(&fd, sizeof(fd), (void *)(address + i * stride)))
			break;
		if (fd >= 0)
			take_descriptor(fd, 0);
	}
	return 0;
}

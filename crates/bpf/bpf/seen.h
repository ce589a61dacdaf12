/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * A row of the radar as it goes through the iterator: the C side. The Rust side is src/processes/wire.rs. It is in no
 * map, and so not in the object's BTF: both sides assert the same size, and no member needs padding before it.
 */
#pragma once
#include "kernel.h"

/* Words of the bitmap of open descriptors that go into a row; a larger table is counted by /proc. */
#define SEEN_WORDS 16
/* Instead of a number of words: the table is gone, is being replaced, or is larger. */
#define SEEN_UNCOUNTED 0xffffffff

struct seen_row {
	__u64 start_ns;       /* since boot */
	__u64 nofile;         /* soft limits */
	__u64 nproc;
	__u32 pid;            /* in the initial PID namespace */
	__u32 parent;
	__u32 uid;            /* effective */
	__u32 flags;          /* PF_* */
	__u32 state;          /* __state */
	__u32 exit_state;
	__u32 threads;
	__u32 words;          /* of the bitmap that follow in `open` */
	__u8 comm[16];
	__u64 open[SEEN_WORDS];
};

_Static_assert(sizeof(struct seen_row) == 200, "seen_row");

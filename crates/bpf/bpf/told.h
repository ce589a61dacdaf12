/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * What the programs of trace send and are told: the C side. The Rust side is src/trace/wire.rs; a test holds every
 * offset and size of one against the object's BTF of the other.
 */
#pragma once
#include "kernel.h"

/* What a record tells. */
enum told_type {
	TOLD_EXIT = 1,        /* a call returned, or its thread ended in it (TOLD_UNKNOWN) */
	TOLD_ENTER = 2,       /* a call was entered */
	TOLD_SIGNAL = 3,      /* a signal is delivered: ret is its number */
	TOLD_STOPPED = 4,     /* and it stops the process */
	TOLD_ATTACHED = 5,    /* a new thread or process is watched: pid and tid are its numbers */
	TOLD_ENDED = 6,       /* a thread ended: ret is its exit code as wait(2) has it */
	TOLD_SUPERSEDED = 7,  /* a thread called exec and has its leader's number now: ret is its own until then */
	TOLD_RAN = 8,         /* a process runs another program */
};

enum told_flags {
	TOLD_COMPAT = 1,      /* a 32-bit call */
	TOLD_UNKNOWN = 2,     /* the result is not known */
	TOLD_HAS_ENTER = 4,   /* a record told when it was entered */
	TOLD_ENTERS = 8,      /* it was seen to be entered: `entered` is valid */
	TOLD_MESSAGES = 16,   /* data are messages, and copied whole */
	TOLD_ABSENT = 32,     /* memory that a pointer leads to could not be read */
};

/* A record; pieces follow. */
struct told {
	__u64 at;             /* CLOCK_MONOTONIC, nanoseconds */
	__u64 entered;
	__u64 ip;
	__s64 ret;
	__u64 args[6];
	__u64 lost;           /* how many calls were not told until now */
	__u64 away;           /* how long the thread had no processor since `entered`; nanoseconds, if asked for */
	__u32 pid;
	__u32 tid;
	__u32 number;
	__u32 bytes;          /* of all pieces */
	__s32 stack_id;       /* with TRACE_KNOWN */
	__u16 type;
	__u8 flags;
	__u8 trace;           /* enum trace_kind */
};

/* What a piece is. */
enum piece_kind {
	PIECE_MEMORY = 0,
	PIECE_STACK = 1,      /* from the stack pointer upwards */
	PIECE_ORIGIN = 2,     /* struct origin: where unwinding starts */
	PIECE_SIGNAL = 3,     /* struct siginfo, as far as the kernel keeps it */
	PIECE_DESCRIPTOR = 4, /* struct named, of the descriptor `address` */
};

enum named_flags {
	NAMED_DELETED = 1,
	NAMED_BY_ITSELF = 2,  /* not by where it is in a tree: the kernel makes the text */
	NAMED_SOCKET = 4,     /* struct held_socket follows, then room for its name and its peer's */
};

/* What a descriptor leads to. At the end stand the names of a path, the last first, each with its NUL. */
struct named {
	__u64 inode;
	__u32 magic;          /* of the file system */
	__u32 node;           /* i_rdev */
	__u32 pid;            /* of a pidfd */
	__u32 unused;
	__u16 mode;
	__u16 flags;
	__u16 own_bytes;      /* of a socket's own name; those of its peer's stand in held_socket */
	__u16 text_bytes;
};

/* Bytes that stood at an address. They follow, filled up to a multiple of 8. */
struct piece {
	__u64 address;
	__u32 length;
	__u32 kind;
};

/* What is at a pointer: crates/syscall/src/capture.rs says what each means. */
enum step_what {
	STEP_STRING = 1,
	STEP_BYTES = 2,
	STEP_STRINGS = 3,
	STEP_IOVEC = 4,
	STEP_MSGHDR = 5,
	STEP_MMSGHDR = 6,
	STEP_IOCTL = 7,
	STEP_PROGRAM = 8,
	STEP_DESCRIPTOR = 9,  /* the argument is one; 6 is the result */
	STEP_DESCRIPTORS = 10,/* `operand` of them (or with LENGTH_ARGUMENT what that argument says), each `amount` bytes behind
				 the other */
	STEP_NETLINK = 11,    /* the argument is one; named only if it is a netlink socket */
};

enum step_length {
	LENGTH_CONST = 0,     /* `amount` */
	LENGTH_ARGUMENT = 1,  /* argument `operand` times `amount` */
	LENGTH_RETURNED = 2,  /* the result times `amount` */
	LENGTH_POINTED = 3,   /* the 32-bit number where argument `operand` points */
	LENGTH_BITS = 4,      /* as many bits as argument `operand` says, in 8-byte words */
	LENGTH_LIMIT = 5,     /* up to the string limit */
};

/* A piece of memory to copy for a call. */
struct step {
	__u8 argument;
	__u8 what;
	__u8 length;
	__u8 operand;
	__u8 count;           /* the argument with the number of iovecs or messages */
	__u8 text;            /* no more than the string limit is shown */
	__u16 amount;
};

#define MOST_STEPS 10

/* How a call is treated. */
struct plan {
	__u8 selected;
	__u8 enters;          /* the first so many steps are taken before the call */
	__u8 steps;           /* of all */
	__u8 stack;           /* a stack is taken */
	__u8 early;           /* the first steps must not be taken later, even if their memory is not there yet */
	__u8 paired;          /* it is seen to be entered */
	__u8 forks;           /* it makes tasks */
	__u8 unused;
	struct step step[MOST_STEPS];
};

_Static_assert(sizeof(struct told) == 120, "told");
_Static_assert(sizeof(struct piece) == 16, "piece");
_Static_assert(sizeof(struct step) == 8, "step");
_Static_assert(sizeof(struct plan) == 88, "plan");
_Static_assert(sizeof(struct named) == 32, "named");

/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * What goes over the ring and the iterator: the C side. The Rust side is src/wire.rs; a test holds every offset and
 * size of one against the object's BTF of the other.
 */
#pragma once
#include "kernel.h"

/* What a record tells. */
enum record_type {
	RECORD_CALL = 1,    /* a system call of the table returned */
	RECORD_FORK = 2,    /* tid made process child (fd[0].fd: its pid, fd[0].file: its table) */
	RECORD_THREAD = 3,  /* tid made thread child (fd[0].fd) */
	RECORD_EXEC = 4,    /* the process runs a new program */
	RECORD_EXIT = 5,    /* the process ended */
	RECORD_UNTHREAD = 6,/* a thread ended, the process goes on */
	RECORD_RING = 7,    /* an io_uring operation completed: ret is its result, call its opcode */
	RECORD_RESCAN = 8,  /* more descriptors came or went in this call than a record can say */
	RECORD_SUBMIT = 9,  /* an io_uring operation was submitted: args[0] names it, args[1] its descriptor */
};

/* How a record's stack was taken. */
enum trace_kind {
	TRACE_NONE = 0,
	TRACE_COPIED = 1,   /* stack_bytes of memory from sp follow the record */
	TRACE_ID = 2,       /* stack_id names an entry of the map `stacks` */
	TRACE_SAME = 3,     /* the same as the record before from this thread */
	TRACE_SKIPPED = 4,  /* wanted, but the ring was too full */
	TRACE_LAYERED = 5,  /* as COPIED, with MOST_FRAMES interpreter frames, of which `frames` are valid, before the stack */
	TRACE_KNOWN = 6,    /* stack_id is the reader's own number of a stack, by a memo */
	TRACE_LAYERED_KNOWN = 7, /* as KNOWN, and interpreter frames follow the record */
};

/* How the program treats a call: chosen by the loader from the table of calls, one byte per call number. */
enum op {
	OP_NONE = 0,
	OP_RETURNS = 1,       /* the result is a new descriptor */
	OP_PAIR = 2,          /* two descriptors at the pointer in argument `arg` */
	OP_ONE_AT = 3,        /* one descriptor at the pointer in argument `arg`, if bits `mask` of argument 0 are set */
	OP_CLONE3 = 4,        /* struct clone_args at argument 0 */
	OP_CLOSE = 5,         /* descriptor in argument 0 */
	OP_ONTO = 6,          /* the result replaces what stood there: dup2, dup3 */
	OP_FCNTL = 7,
	OP_MESSAGE = 8,       /* struct msghdr at argument 1 */
	OP_MESSAGES = 9,      /* array of struct mmsghdr at argument 1 */
	OP_IOCTL = 10,
	OP_PLAIN = 11,        /* no descriptor is looked up: arguments and result say all */
	OP_INT_AT = 12,       /* an int that is no descriptor at the pointer in argument `arg`: timer_create */
	OP_RESCAN = 13,       /* close_range and others that move many: the table must be read again */
	OP_SOCKOPT = 15,      /* socket options that make descriptors: level in argument 1, option in 2, value at 3 */
	OP_WAITID = 16,       /* the child reaped, if one was, goes to args[1] */
	OP_SOCKETCALL = 14,   /* i386: the call number in argument 0, its arguments at argument 1 */
};

struct action {
	__u8 op;
	__u8 arg;
	__u8 stack;           /* enum wants */
	__u8 unused;
	__u32 mask;
	__u16 call;           /* row in the table of calls */
	__u16 unused2;
};

/* Set in keys of the map `ioctls` that are socket options: then level << 16 | option. */
#define SOCKOPT_KEY 0x80000000

/* Where an ioctl command (keyed by its low 16 bits) or a socket option leaves the descriptor it makes. */
struct ioctl_rule {
	__u32 stored;         /* 0: it is the result; 1: stored at `offset` of the argument */
	__u32 offset;
};

/* Which calls are worth a stack. */
enum wants {
	WANT_NO_STACK = 0,
	WANT_BIRTH_STACK = 1,
	WANT_DEATH_STACK = 2,
};

/* A watched process: what the loader asks for, and a counter of the program's own. */
struct scope {
	__u32 stack_bytes;    /* copy this much of the stack of births: 0, or a power of two from 1024 to 32768 */
	__u32 death_every;    /* take the stack of every n-th death; 0: of none */
	__u32 deaths;
	__u32 follow;         /* watch its children too */
	__u32 frame_pointers; /* take stack ids instead of copies */
	__u32 birth_every;    /* take the stack of every n-th birth */
	__u32 births;
	__u32 interpreter;    /* the map `interpreters` says how to walk its frames */
	__u32 fresh;          /* this many records more wake the reader at once */
	__u32 unused;
	__u64 code_pages;     /* executable pages when last looked at: a library that comes or goes changes their number */
	__u64 code_since;     /* when that was last seen to change, CLOCK_MONOTONIC */
};

/*
 * A new program may be gone before the reader's next tick, and with it the mappings that name its code: its first
 * records are read at once.
 */
#define FRESH_RECORDS 64

#define MOST_FRAMES 32
#define LARGEST_FRAME 128
#define NO_OFFSET 0xffffffff

/* How an interpreter tells its threads apart. */
enum identity {
	IDENTITY_NUMBER = 0,  /* gettid(2) in the process's own PID namespace */
	IDENTITY_POINTER = 1, /* the thread pointer */
};

/* Where an interpreter keeps its frames: offsets in bytes. crates/model/src/interpreter.rs says what each means. */
struct interpreter {
	__u64 heads;
	__u32 next_interpreter;
	__u32 first_thread;
	__u32 next_thread;
	__u32 thread_id;
	__u32 identity;
	__u32 frame;
	__u32 inner_frame;    /* NO_OFFSET: none */
	__u32 code;
	__u32 at;
	__u32 previous;
	__u32 mark;           /* NO_OFFSET: none */
	__u32 frame_bytes;
	__u32 names;
	__u32 name_count;
};

/* An interpreter's frame: what tells its code, the place in it, and a mixture of the code's names. */
struct interpreter_frame {
	__u64 code;
	__u64 at;             /* the mark in the highest byte */
	__u64 fingerprint;
};

/* A descriptor as the process's table has it when the record is made. */
struct slot {
	__u64 file;           /* struct file; 0: the number is free */
	__u64 inode;
	__u32 device;
	__u32 mode;           /* i_mode; the low half of the file system's magic in the high half */
	__u32 flags;          /* f_flags, and O_CLOEXEC for the descriptor's flag */
	__s32 fd;             /* -1: no descriptor */
};

#define RECORD_COMPAT 1   /* a 32-bit call */
#define RECORD_PROMPT 2   /* the reader was woken for it */

struct record {
	__u64 at;             /* CLOCK_MONOTONIC, nanoseconds */
	__u64 table;          /* struct files_struct */
	__s64 ret;
	__u64 args[3];
	__u32 pid;
	__u32 tid;
	__u16 type;
	__u16 call;
	__u16 trace;
	__u8 flags;           /* RECORD_COMPAT, RECORD_PROMPT */
	__u8 frames;          /* how many of the interpreter frames are valid */
	__s32 stack_id;
	__u32 stack_bytes;
	struct slot slots[2];
};

/* Where unwinding starts: behind a record whose stack was copied. */
struct origin {
	__u64 ip, sp, fp, lr;
	__u64 code_since;     /* of the scope */
};

/*
 * A memo: how to know a stack again that the reader has unwound once. Unwinding is a function of the registers and of
 * the words that it reads, the return addresses above all: where those are equal, the stack is.
 */
#define MOST_WORDS 48     /* a stack that needs more is not remembered */
#define MOST_MEMOS 4      /* under one key: as many callers at the same depth are told apart */

struct memo_key {
	__u64 ip;
	__u64 code_since;     /* other code may stand at the same addresses later */
	__u32 pid;
	__u16 depth;          /* the stack pointer within its page: the same for all threads that came the same way */
	__u16 nth;            /* from 0, below MOST_MEMOS */
};

#define WORD_AT_FP 0xffff /* not in the stack but in the frame pointer */
#define WORD_AT_LR 0xfffe /* … in the link register */

struct memo {
	__u64 relative;       /* bit n: word n is a distance from the stack pointer */
	__u32 stack;          /* what TRACE_KNOWN says */
	__u16 span;           /* bytes from the stack pointer that hold the words below PEEKED */
	__u16 count;
	__u16 at[MOST_WORDS]; /* where word n stands: 8-byte words from the stack pointer */
	__u64 words[MOST_WORDS];
};

#define PEEKED 4096       /* this much of a stack is read at once; words farther out one by one */

/* A row of the task_file iterator. */
struct file_row {
	__u64 table;
	__u64 file;
	__u64 inode;
	__u64 offset;
	__u32 pid;
	__u32 fd;
	__u32 device;
	__u32 mode;
	__u32 flags;
	__u32 unused;
};

#define O_CLOEXEC 02000000

_Static_assert(sizeof(struct action) == 12, "action");
_Static_assert(sizeof(struct scope) == 56, "scope");
_Static_assert(sizeof(struct interpreter) == 64, "interpreter");
_Static_assert(sizeof(struct interpreter_frame) == 24, "interpreter_frame");
_Static_assert(sizeof(struct slot) == 32, "slot");
_Static_assert(sizeof(struct record) == 136, "record");
_Static_assert(sizeof(struct origin) == 40, "origin");
_Static_assert(sizeof(struct memo_key) == 24, "memo_key");
_Static_assert(sizeof(struct memo) == 496, "memo");
_Static_assert(sizeof(struct file_row) == 56, "file_row");

/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What the loader sets, and the maps that programs and user space share. */
#pragma once
#include "number.h"
#include "arch.h"
#include "wire.h"

/* Set by the loader. */
const volatile __u32 compat_only = 0;     /* the raw program leaves 64-bit calls to the tracepoints */
const volatile __u32 wake_at = 1 << 20;   /* bytes in the ring that are worth waking the reader for */
const volatile __u32 copy_below = 1 << 24;/* bytes in the ring above which stacks are no longer copied */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct scope);
} scopes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct action);
} actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct action);
} compat_actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, struct ioctl_rule);
} ioctls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct action);
} ring_actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

/* The first bytes of a kernel structure: files, inodes and super blocks have there what is read of them. */
struct copy {
	__u64 words[16];
};

/*
 * The record in the making. Kept here, not on the stack, so that the functions below can be global: the verifier
 * checks a global function once, a static one anew for every path that leads to it. Programs run with preemption off.
 */
struct making {
	struct record record;
	struct origin origin;
	__u32 unasked;        /* records sent since the ring was asked how full it is */
	struct copy copy;     /* of the structure that is being read */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct making);
} making SEC(".maps");

/* Stacks to be known again. Written by user space; 4 MiB. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct memo_key);
	__type(value, struct memo);
} memos SEC(".maps");

struct peek {
	__u64 words[PEEKED / 8];
	__u32 read;           /* bytes that are there already */
	__u32 unused;
};

/* The inner end of the stack of the record in the making. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct peek);
} peeking SEC(".maps");

/* By pid, for scopes that run an interpreter. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct interpreter);
} interpreters SEC(".maps");

/* Where the state of a thread was found, by its number. */
struct known_thread {
	__u64 state;          /* 0: it has none */
	__u64 identity;
	__u64 until;          /* of a thread without state: when to look again */
	__u64 newest;         /* of a thread without state: the newest of all when it was looked for */
	__u64 misses;         /* how often in a row it was looked for in vain */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct known_thread);
} known_threads SEC(".maps");

struct walk {
	struct interpreter_frame frames[MOST_FRAMES];
	__u8 frame[LARGEST_FRAME]; /* the one being read */
	/* Where the search for a thread stands. */
	__u64 interpreter;
	__u64 state;
};

/* The interpreter's frames of the record in the making. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walking SEC(".maps");

#define EBADF 9
#define ENFILE 23
#define EMFILE 24

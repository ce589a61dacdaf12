/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* An interpreter's frames: the walk from its thread's state to the functions that run, at the event. */
#pragma once
#include "record.h"

#define MOST_THREADS 512      /* looked at when a thread's state is sought */
#define LOOK_AGAIN_NS 20000   /* times the threads looked at in vain: what the search may cost stays below 1 % */
/*
 * So many times a thread is looked for whatever that costs: a young one makes calls (the C library reads how many
 * processors there are) just before it is entered into a state that its creator has made.
 */
#define FREE_LOOKS 8

static __always_inline struct walk *walk_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&walking, &zero);
}

static __always_inline __u64 read_word(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

/* What the interpreter knows the current thread by. */
static __always_inline __u64 identity_of(struct task_struct *task, __u32 kind)
{
	struct upid upid = {};
	struct pid *pid;
	__u32 level;

	if (kind == IDENTITY_POINTER)
		return thread_pointer(task);
	pid = READ(task, thread_pid);
	level = READ(pid, level);
	bpf_probe_read_kernel(&upid, sizeof(upid), __builtin_preserve_access_index(&pid->numbers[0]) + (level & 31));
	return upid.nr;
}

enum look {
	LOOK_ON = 0,
	LOOK_FOUND = 1,
	LOOK_ENDS = 2,
};

/*
 * A step of the search through the interpreters' lists: is the thread there the one that the interpreter knows by
 * `identity`? A function of its own, so that the verifier looks at it once and not at every turn.
 */
__attribute__((noinline)) int look_at_thread(__u32 pid, __u64 identity)
{
	struct interpreter *in = bpf_map_lookup_elem(&interpreters, &pid);
	struct walk *walk = walk_scratch();

	if (!in || !walk || !walk->interpreter)
		return LOOK_ENDS;
	if (!walk->state) {
		walk->interpreter = read_word(walk->interpreter + in->next_interpreter);
		if (walk->interpreter)
			walk->state = read_word(walk->interpreter + in->first_thread);
		return LOOK_ON;
	}
	if (read_word(walk->state + in->thread_id) == identity)
		return LOOK_FOUND;
	walk->state = read_word(walk->state + in->next_thread);
	return LOOK_ON;
}

/* Searches the interpreters' lists; new threads stand at their head. *looked tells how many were seen. */
static __always_inline __u64 search_thread(struct interpreter *in, __u32 pid, __u64 identity, __u32 *looked)
{
	struct walk *walk = walk_scratch();
	__u32 i;
	int look;

	if (!walk)
		return 0;
	walk->interpreter = read_word(in->heads);
	walk->state = walk->interpreter ? read_word(walk->interpreter + in->first_thread) : 0;
	for (i = 0; i < MOST_THREADS; i++) {
		*looked = i;
		look = look_at_thread(pid, identity);
		if (look == LOOK_FOUND)
			return walk->state;
		if (look != LOOK_ON)
			return 0;
	}
	return 0;
}

/* The newest thread of the first interpreter: another one is a reason to look again. */
static __always_inline __u64 newest_thread(struct interpreter *in)
{
	__u64 interpreter = read_word(in->heads);

	return interpreter ? read_word(interpreter + in->first_thread) : 0;
}

/* The current thread's state: where it was last time, if that still says so. */
static __always_inline __u64 find_thread(struct interpreter *in, __u32 pid, __u32 tid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct known_thread *known = bpf_map_lookup_elem(&known_threads, &tid), found = {};
	__u64 now = bpf_ktime_get_ns();
	__u32 looked = 0;

	if (known && known->state && read_word(known->state + in->thread_id) == known->identity)
		return known->state;
	found.newest = newest_thread(in);
	if (known && !known->state) {
		if (known->misses >= FREE_LOOKS && known->newest == found.newest && now < known->until)
			return 0;
		found.misses = known->misses + 1;
	}
	found.identity = identity_of(task, in->identity);
	if (!found.identity)
		return 0;
	found.state = search_thread(in, pid, found.identity, &looked);
	found.until = now + looked * LOOK_AGAIN_NS;
	bpf_map_update_elem(&known_threads, &tid, &found, BPF_ANY);
	return found.state;
}

static __always_inline __u64 mix(__u64 mixed, __u64 word)
{
	return (mixed ^ word) * 0x9e3779b97f4a7c15ULL;
}

/* A word of the frame that was read; offsets are multiples of 8. */
static __always_inline __u64 frame_word(const struct walk *walk, __u32 offset)
{
	return *(const __u64 *)(walk->frame + (offset & (LARGEST_FRAME - 8)));
}

/* Fills walk->frames for the current thread of `pid`, and the count in the record. Returns the count. */
__attribute__((noinline)) int walk_interpreter(__u32 pid)
{
	struct interpreter *in = bpf_map_lookup_elem(&interpreters, &pid);
	struct interpreter_frame *made;
	struct record *record = scratch();
	struct walk *walk = walk_scratch();
	__u64 frame, names[4];
	__u32 size, i;

	if (!in || !record || !walk)
		return 0;
	frame = find_thread(in, pid, record->tid);
	if (!frame)
		return 0;
	frame = read_word(frame + in->frame);
	if (in->inner_frame != NO_OFFSET && frame)
		frame = read_word(frame + in->inner_frame);
	size = in->frame_bytes;
	if (size > LARGEST_FRAME)
		return 0;
	for (i = 0; i < MOST_FRAMES; i++) {
		CHECK_HERE(size);
		if (!frame || size > LARGEST_FRAME || bpf_probe_read_user(walk->frame, size, (void *)frame))
			break;
		made = &walk->frames[i];
		made->code = frame_word(walk, in->code);
		made->at = frame_word(walk, in->at);
		if (in->mark != NO_OFFSET)
			made->at |= (__u64)walk->frame[in->mark & (LARGEST_FRAME - 1)] << 56;
		made->fingerprint = 0;
		if (!bpf_probe_read_user(names, sizeof(names), (void *)((made->code & ~7ULL) + in->names))) {
			made->fingerprint = mix(mix(mix(0, names[0]), names[1]), names[2]);
			if (in->name_count > 3)
				made->fingerprint = mix(made->fingerprint, names[3]);
		}
		frame = frame_word(walk, in->previous);
	}
	record->frames = i;
	return i;
}

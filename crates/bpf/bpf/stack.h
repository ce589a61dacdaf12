/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Stacks: known by memo, else copied from the thread in pieces, for user space to unwind; when, and how much. */
#pragma once
#include "memo.h"

#define COPIED(bytes)                                                                               \
	struct {                                                                                    \
		struct record record;                                                               \
		struct origin origin;                                                               \
		__u8 stack[bytes];                                                                  \
	}

/* The same with the interpreter's frames before the stack. */
#define LAYERED(bytes)                                                                              \
	struct {                                                                                    \
		struct record record;                                                               \
		struct origin origin;                                                               \
		struct interpreter_frame frames[MOST_FRAMES];                                       \
		__u8 stack[bytes];                                                                  \
	}

/*
 * Reserve, fill, copy the stack in pieces: bpf_probe_read_user fails as a whole where any of it is unmapped, which is
 * the rule at the end of a stack. `fill` writes what the layout has besides.
 */
#define EMIT_STACK(layout, piece, fill)                                                             \
	do {                                                                                        \
		layout *sent = bpf_ringbuf_reserve(&ring, sizeof(*sent), 0);                        \
		__u32 at = 0;                                                                       \
		if (!sent) {                                                                        \
			made->trace = TRACE_SKIPPED;                                                \
			emit_bare(made);                                                            \
			return 0;                                                                   \
		}                                                                                   \
		for (; at < sizeof(sent->stack); at += (piece))                                     \
			if (bpf_probe_read_user(sent->stack + at, piece,                            \
						(void *)(origin_of(made)->sp + at)))                \
				break;                                                              \
		made->stack_bytes = at;                                                             \
		fill;                                                                               \
		sent->record = *made;                                                               \
		sent->origin = *origin_of(made);                                                    \
		bpf_ringbuf_submit(sent, wake(made));                                               \
	} while (0)

/* Sends the record in the making with up to `bytes` of the stack. */
__attribute__((noinline)) int send_copy(__u32 bytes)
{
	struct record *made = scratch();

	if (!made)
		return 0;
	made->trace = TRACE_COPIED;
	if (bytes >= 32768)
		EMIT_STACK(COPIED(32768), 1024, );
	else if (bytes >= 16384)
		EMIT_STACK(COPIED(16384), 1024, );
	else if (bytes >= 8192)
		EMIT_STACK(COPIED(8192), 1024, );
	else if (bytes >= 4096)
		EMIT_STACK(COPIED(4096), 512, );
	else if (bytes >= 2048)
		EMIT_STACK(COPIED(2048), 512, );
	else
		EMIT_STACK(COPIED(1024), 512, );
	return 0;
}

#define FRAMES __builtin_memcpy(sent->frames, walk->frames, sizeof(sent->frames))

/* The same with the interpreter's frames, of which `walk_interpreter` brought some. */
__attribute__((noinline)) int send_layered(__u32 bytes)
{
	struct record *made = scratch();
	struct walk *walk = walk_scratch();

	if (!made || !walk)
		return 0;
	made->trace = TRACE_LAYERED;
	if (bytes >= 32768)
		EMIT_STACK(LAYERED(32768), 1024, FRAMES);
	else if (bytes >= 16384)
		EMIT_STACK(LAYERED(16384), 1024, FRAMES);
	else if (bytes >= 8192)
		EMIT_STACK(LAYERED(8192), 1024, FRAMES);
	else if (bytes >= 4096)
		EMIT_STACK(LAYERED(4096), 512, FRAMES);
	else
		EMIT_STACK(LAYERED(2048), 512, FRAMES);
	return 0;
}

/* Sends the record in the making with the interpreter's frames alone: its native stack is known. */
static __always_inline void send_frames(struct record *made)
{
	struct walk *walk = walk_scratch();
	struct {
		struct record record;
		struct interpreter_frame frames[MOST_FRAMES];
	} *sent;

	if (!walk)
		return;
	sent = bpf_ringbuf_reserve(&ring, sizeof(*sent), 0);
	if (!sent) {
		count_lost();
		return;
	}
	made->trace = TRACE_LAYERED_KNOWN;
	FRAMES;
	sent->record = *made;
	bpf_ringbuf_submit(sent, wake(made));
}

/* Is this event's turn to have its stack taken? Racing counters only make the share a little uneven. */
static __always_inline bool take_stack(struct scope *scope, __u32 want)
{
	__u32 every;

	if (want == WANT_BIRTH_STACK) {
		every = scope->birth_every;
		if (every <= 1)
			return every;
		return ++scope->births % every == 0;
	}
	if (want == WANT_DEATH_STACK) {
		every = scope->death_every;
		if (every <= 1)
			return every;
		return ++scope->deaths % every == 0;
	}
	return false;
}

/*
 * Did a library come or go? Then equal addresses may mean other code. One that takes the place of another with as many
 * pages is noticed as well, because loading it opens a file: that call returns between the two.
 */
static __always_inline void notice_code(struct scope *scope, struct record *made, bool direct)
{
	struct task_struct *task = direct ? bpf_get_current_task_btf() : (void *)bpf_get_current_task();
	struct mm_struct *mm = LOAD(direct, task, mm);
	__u64 pages = LOAD(direct, mm, exec_vm);

	if (pages != scope->code_pages) {
		scope->code_pages = pages;
		scope->code_since = made->at;
	}
	origin_of(made)->code_since = scope->code_since;
}

static __always_inline void emit(void *ctx, struct scope *scope, struct record *made, __u32 want, bool direct)
{
	__u32 bytes = scope->stack_bytes;
	bool layered;

	if (want == WANT_NO_STACK) {
		emit_bare(made);
		return;
	}
	notice_code(scope, made, direct);
	if (!take_stack(scope, want)) {
		made->trace = TRACE_SKIPPED;
		emit_bare(made);
		return;
	}
	if (scope->frame_pointers) {
		made->stack_id = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
		made->trace = made->stack_id >= 0 ? TRACE_ID : TRACE_SKIPPED;
		emit_bare(made);
		return;
	}
	if (!bytes) {
		emit_bare(made);
		return;
	}
	layered = scope->interpreter && walk_interpreter(made->pid) > 0;
	if (recognise(made)) {
		if (layered) {
			send_frames(made);
		} else {
			made->trace = TRACE_KNOWN;
			emit_bare(made);
		}
		return;
	}
	/* Only what is copied can be too much for the ring. */
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > copy_below) {
		made->trace = TRACE_SKIPPED;
		emit_bare(made);
		return;
	}
	if (layered)
		send_layered(bytes);
	else
		send_copy(bytes);
}

/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Stacks: copied from the thread in pieces, for user space to unwind; when, and how much. */
#pragma once
#include "interpreter.h"

/*
 * Reserve, fill, copy the stack in pieces: bpf_probe_read_user fails as a whole where any of it is unmapped, which is
 * the rule at the end of a stack.
 */
#define EMIT_COPY(bytes, piece)                                                                     \
	do {                                                                                        \
		struct {                                                                            \
			struct record record;                                                       \
			__u8 stack[bytes];                                                          \
		} *sent = bpf_ringbuf_reserve(&ring, sizeof(*sent), 0);                             \
		__u32 at = 0;                                                                       \
		if (!sent) {                                                                        \
			made->trace = TRACE_SKIPPED;                                                \
			emit_bare(made);                                                            \
			return 0;                                                                   \
		}                                                                                   \
		for (; at < (bytes); at += (piece))                                                 \
			if (bpf_probe_read_user(sent->stack + at, piece, (void *)(made->sp + at)))  \
				break;                                                              \
		made->stack_bytes = at;                                                             \
		sent->record = *made;                                                               \
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
		EMIT_COPY(32768, 1024);
	else if (bytes >= 16384)
		EMIT_COPY(16384, 1024);
	else if (bytes >= 8192)
		EMIT_COPY(8192, 1024);
	else if (bytes >= 4096)
		EMIT_COPY(4096, 512);
	else if (bytes >= 2048)
		EMIT_COPY(2048, 512);
	else
		EMIT_COPY(1024, 512);
	return 0;
}

/* The same with the interpreter's frames, of which `walk` brought some, between record and stack. */
#define EMIT_LAYERED(bytes, piece)                                                                  \
	do {                                                                                        \
		struct {                                                                            \
			struct record record;                                                       \
			struct interpreter_frame frames[MOST_FRAMES];                               \
			__u8 stack[bytes];                                                          \
		} *sent = bpf_ringbuf_reserve(&ring, sizeof(*sent), 0);                             \
		__u32 at = 0;                                                                       \
		if (!sent) {                                                                        \
			made->trace = TRACE_SKIPPED;                                                \
			emit_bare(made);                                                            \
			return 0;                                                                   \
		}                                                                                   \
		for (; at < (bytes); at += (piece))                                                 \
			if (bpf_probe_read_user(sent->stack + at, piece, (void *)(made->sp + at)))  \
				break;                                                              \
		made->stack_bytes = at;                                                             \
		__builtin_memcpy(sent->frames, walk->frames, sizeof(sent->frames));                 \
		sent->record = *made;                                                               \
		bpf_ringbuf_submit(sent, wake(made));                                               \
	} while (0)

/* Sends the record in the making with the interpreter's frames and up to `bytes` of the stack. */
__attribute__((noinline)) int send_layered(__u32 bytes)
{
	struct record *made = scratch();
	struct walk *walk = walk_scratch();

	if (!made || !walk)
		return 0;
	made->trace = TRACE_LAYERED;
	if (bytes >= 32768)
		EMIT_LAYERED(32768, 1024);
	else if (bytes >= 16384)
		EMIT_LAYERED(16384, 1024);
	else if (bytes >= 8192)
		EMIT_LAYERED(8192, 1024);
	else if (bytes >= 4096)
		EMIT_LAYERED(4096, 512);
	else
		EMIT_LAYERED(2048, 512);
	return 0;
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

static __always_inline void emit(void *ctx, struct scope *scope, struct record *made, __u32 want)
{
	__u32 bytes = scope->stack_bytes;

	if (want == WANT_NO_STACK) {
		emit_bare(made);
		return;
	}
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
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > copy_below) {
		made->trace = TRACE_SKIPPED;
		emit_bare(made);
		return;
	}
	if (scope->interpreter && walk_interpreter(made->pid) > 0)
		send_layered(bytes);
	else
		send_copy(bytes);
}

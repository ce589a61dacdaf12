/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Memos: stacks that user space has unwound before, known again by the words that unwinding them would read. */
#pragma once
#include "interpreter.h"

/* Reads the stack's inner end, as far as the memo asks and nobody did. */
static __always_inline bool peek_at(struct peek *peek, __u64 sp, __u32 span)
{
	if (span <= peek->read)
		return true;
	CHECK_HERE(span);
	if (span > sizeof(peek->words) || bpf_probe_read_user(peek->words, span, (void *)sp))
		return false;
	peek->read = span;
	return true;
}

/* Are the words where the memo has them? */
static __always_inline bool is_so(const struct memo *memo, const struct peek *peek, const struct origin *origin)
{
	__u64 word;
	__u32 at, i;

	for (i = 0; i < MOST_WORDS; i++) {
		if (i >= memo->count)
			break;
		at = memo->at[i];
		if (at < PEEKED / 8)
			word = peek->words[at & (PEEKED / 8 - 1)];
		else if (at == WORD_AT_FP)
			word = origin->fp;
		else if (at == WORD_AT_LR)
			word = origin->lr;
		else
			word = read_word(origin->sp + at * 8);
		if (memo->relative >> i & 1)
			word -= origin->sp;
		if (word != memo->words[i])
			return false;
	}
	return true;
}

enum recall {
	RECALL_NOTHING = 0,
	RECALL_ANOTHER = 1,
	RECALL_IT = 2,
};

/*
 * Is the stack of the record in the making that of the nth memo under its key? A function of its own, so that the
 * verifier looks at it once and not at every turn.
 */
__attribute__((noinline)) int recall(__u32 nth)
{
	struct record *made = scratch();
	struct memo_key key = {};
	struct origin *origin;
	struct memo *memo;
	struct peek *peek;
	__u32 zero = 0;

	peek = bpf_map_lookup_elem(&peeking, &zero);
	if (!made || !peek)
		return RECALL_NOTHING;
	origin = origin_of(made);
	key.ip = origin->ip;
	key.code_since = origin->code_since;
	key.pid = made->pid;
	key.depth = origin->sp & 0xfff;
	key.nth = nth;
	memo = bpf_map_lookup_elem(&memos, &key);
	if (!memo)
		return RECALL_NOTHING;
	if (!nth)
		peek->read = 0;
	if (!peek_at(peek, origin->sp, memo->span) || !is_so(memo, peek, origin))
		return RECALL_ANOTHER;
	made->stack_id = memo->stack;
	return RECALL_IT;
}

/* Is the stack of the record in the making known? Then its number is put into the record. */
static __always_inline bool recognise(const struct record *made)
{
	__u32 nth;
	int recalled;

	if (made->flags & RECORD_COMPAT)
		return false;
	for (nth = 0; nth < MOST_MEMOS; nth++) {
		recalled = recall(nth);
		if (recalled != RECALL_ANOTHER)
			return recalled == RECALL_IT;
	}
	return false;
}

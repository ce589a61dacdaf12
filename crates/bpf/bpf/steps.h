/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What a step of a plan copies. */
#pragma once
#include "names.h"

#define RESULT 6 /* in the place of an argument */

static __always_inline __u64 argument_of(const struct telling *made, __u32 index)
{
	/* Indexing by a number that the verifier cannot follow costs more than asking. */
	switch (index) {
	case 0: return made->told.args[0];
	case 1: return made->told.args[1];
	case 2: return made->told.args[2];
	case 3: return made->told.args[3];
	case 4: return made->told.args[4];
	default: return made->told.args[5];
	}
}

static __always_inline __u64 length_of(const struct telling *made, const struct step *step)
{
	__u64 length = 0;
	__u32 pointed = 0;

	switch (step->length) {
	case LENGTH_CONST:
		return step->amount;
	case LENGTH_ARGUMENT:
		length = argument_of(made, step->operand);
		return length > ROOM ? ROOM : length * step->amount;
	case LENGTH_RETURNED:
		if (made->told.ret <= 0)
			return 0;
		length = made->told.ret;
		return length > ROOM ? ROOM : length * step->amount;
	case LENGTH_POINTED:
		bpf_probe_read_user(&pointed, sizeof(pointed), (void *)argument_of(made, step->operand));
		return pointed;
	case LENGTH_BITS:
		length = argument_of(made, step->operand);
		return length > ROOM ? ROOM : (length + 63) / 64 * 8;
	default:
		return text_limit;
	}
}

static __always_inline void take_step(const struct telling *made, const struct step *step)
{
	__u64 address = argument_of(made, step->argument), length, count;

	if (step->argument == RESULT)
		address = made->told.type == TOLD_EXIT ? made->told.ret : -1;
	if (!address && step->what != STEP_DESCRIPTOR && step->what != STEP_NETLINK)
		return;
	switch (step->what) {
	case STEP_DESCRIPTOR:
	case STEP_NETLINK:
		take_descriptor(address, step->what == STEP_NETLINK);
		return;
	case STEP_DESCRIPTORS:
		if (made->told.type == TOLD_EXIT && made->told.ret < 0)
			return;
		count = step->length == LENGTH_CONST ? step->operand : argument_of(made, step->operand);
		take_descriptors(address, count > MOST_NAMED ? MOST_NAMED : count, step->amount);
		return;
	case STEP_STRING:
		take_string(address, CHUNK);
		return;
	case STEP_STRINGS:
		take_strings(address);
		return;
	case STEP_IOCTL:
		take_ioctl(made->told.args[1], address);
		return;
	}
	length = length_of(made, step);
	if (step->text && length > text_limit && !(made->told.flags & TOLD_MESSAGES))
		length = text_limit;
	count = argument_of(made, step->count);
	switch (step->what) {
	case STEP_BYTES:
		take(address, length > ROOM ? ROOM : length, PIECE_MEMORY);
		return;
	case STEP_IOVEC:
		/* Of data that the kernel reads each piece is shown up to the string limit. */
		if (step->length == LENGTH_LIMIT)
			length = ~0ull;
		take_iovecs(address, count > MOST_IOVECS ? MOST_IOVECS : count, length);
		return;
	case STEP_MSGHDR:
		take_message(address, ~0ull);
		return;
	case STEP_MMSGHDR:
		if (made->told.type == TOLD_EXIT && made->told.ret >= 0 && made->told.ret < (__s64)count)
			count = made->told.ret;
		take_messages(address, count > MOST_MESSAGES ? MOST_MESSAGES : count);
		return;
	case STEP_PROGRAM: {
		bool compat = made->told.flags & TOLD_COMPAT;

		count = word_at(address, true) & 0xffff;
		take(address, compat ? 8 : 16, PIECE_MEMORY);
		take(word_at(address + (compat ? 4 : 8), compat), count > 512 ? 4096 : count * 8, PIECE_MEMORY);
		return;
	}
	}
}

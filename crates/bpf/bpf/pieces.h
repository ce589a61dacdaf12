/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Memory of the calling thread, copied behind a record in the making: bytes, strings, vectors, messages. */
#pragma once
#include "task.h"
#include "told.h"

/* Bytes of pieces behind a record, and of one step of copying: no step begins above the first. */
#define ROOM 24576
#define CHUNK 4096
#define MOST_CHUNKS 6
#define MOST_POINTERS 128  /* to strings: looked at */
#define MOST_STRINGS 64    /* of those, followed */
#define MOST_IOVECS 32
#define MOST_MESSAGES 8

const volatile __u32 text_limit = 33;     /* of strings, as many bytes are copied */

struct telling {
	struct told told;
	__u8 data[ROOM + CHUNK];
};

/* The record in the making. Programs run with preemption off, and none is run while another is. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct telling);
} telling SEC(".maps");

static long (*bpf_probe_read_user_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)114;

static __always_inline struct telling *tell(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&telling, &zero);
}

/* Writes the head of a piece of which the bytes from `begin` to `end` are there. */
static __always_inline void close_piece(struct telling *made, __u32 begin, __u32 end, __u64 address, __u32 kind)
{
	struct piece *piece;

	if (end <= begin)
		made->told.flags |= TOLD_ABSENT;
	if (end <= begin || end > ROOM + CHUNK)
		return;
	begin -= sizeof(*piece);
	CHECK_HERE(begin);
	if (begin > ROOM)
		return;
	piece = (struct piece *)(made->data + begin);
	piece->address = address;
	piece->length = end - begin - sizeof(*piece);
	piece->kind = kind;
	made->told.bytes = (end + 7) & ~7u;
}

/* Where the bytes of the next piece go; above ROOM if there is none. */
static __always_inline __u32 open_piece(struct telling *made)
{
	return made->told.bytes + sizeof(struct piece);
}

/*
 * Copies in steps that end where pages do: bpf_probe_read_user fails as a whole where any of it is not there.
 */
__attribute__((noinline)) int take(__u64 address, __u32 length, __u32 kind)
{
	struct telling *made = tell();
	__u64 from = address;
	__u32 begin, at, here, i;

	if (!made || !address || !length)
		return 0;
	begin = at = open_piece(made);
	for (i = 0; i < MOST_CHUNKS; i++) {
		here = CHUNK - (from & (CHUNK - 1));
		if (here > length)
			here = length;
		if (!here)
			break;
		CHECK_BOTH_HERE(here, at);
		if (here > CHUNK || at > ROOM)
			break;
		if (bpf_probe_read_user(made->data + at, here, (void *)from))
			break;
		at += here;
		from += here;
		length -= here;
	}
	close_piece(made, begin, at, address, kind);
	return 0;
}

/* The same up to a NUL, which is copied too. */
__attribute__((noinline)) int take_string(__u64 address, __u32 limit)
{
	struct telling *made = tell();
	__u64 from = address;
	__u32 begin, at, here, last, i;
	long got;

	if (!made || !address || !limit)
		return 0;
	begin = at = open_piece(made);
	for (i = 0; i < 2; i++) {
		here = CHUNK - (from & (CHUNK - 1));
		if (here > limit)
			here = limit;
		if (!here)
			break;
		CHECK_BOTH_HERE(here, at);
		if (here > CHUNK || at > ROOM)
			break;
		/* Where there is no NUL the last byte is replaced by one: it is fetched by the read behind. */
		got = bpf_probe_read_user_str(made->data + at, here, (void *)from);
		if (got <= 0 || got > CHUNK)
			break;
		if (got == here) {
			last = at + here - 1;
			CHECK_HERE(last);
			if (last >= ROOM + CHUNK)
				break;
			if (bpf_probe_read_user(made->data + last, 1, (void *)(from + here - 1)))
				break;
			last = at + here - 1;
			CHECK_HERE(last);
			if (last >= ROOM + CHUNK)
				break;
			if (made->data[last]) {
				at += here;
				from += here;
				limit -= here;
				continue;
			}
		}
		at += (__u32)got;
		break;
	}
	close_piece(made, begin, at, address, PIECE_MEMORY);
	return 0;
}

/* A pointer or size in a program's structure. */
static __always_inline __u64 word_at(__u64 address, bool compat)
{
	__u64 word = 0;
	__u32 half = 0;

	if (!compat) {
		bpf_probe_read_user(&word, sizeof(word), (void *)address);
		return word;
	}
	bpf_probe_read_user(&half, sizeof(half), (void *)address);
	return half;
}

/*
 * The bodies of the loops below are functions of their own: the verifier looks at each once and not at every turn,
 * which made up nine tenths of the time that loading took.
 */

/* A pointer of a vector, put behind the piece under way. 0 after the last. */
__attribute__((noinline)) int take_pointer(__u64 address)
{
	struct telling *made = tell();
	__u32 at, size;
	__u64 word;

	if (!made)
		return 0;
	size = made->told.flags & TOLD_COMPAT ? 4 : 8;
	at = made->told.bytes;
	CHECK_BOTH_HERE(at, size);
	if (at > ROOM || size > 8 || bpf_probe_read_user(made->data + at, size, (void *)address))
		return 0;
	CHECK_HERE(at);
	if (at > ROOM)
		return 0;
	word = size == 4 ? *(__u32 *)(made->data + at) : *(__u64 *)(made->data + at);
	made->told.bytes = at + size;
	return word != 0;
}

/* The string that a pointer leads to. 0 if it is null. */
__attribute__((noinline)) int take_pointed_string(__u64 address)
{
	struct telling *made = tell();
	__u64 word;

	if (!made)
		return 0;
	word = word_at(address, made->told.flags & TOLD_COMPAT);
	if (!word)
		return 0;
	take_string(word, text_limit);
	return 1;
}

/* Pointers up to a null one, and the strings that they lead to. */
__attribute__((noinline)) int take_strings(__u64 address)
{
	struct telling *made = tell();
	__u32 before, size, end, i;

	if (!made || !address)
		return 0;
	size = made->told.flags & TOLD_COMPAT ? 4 : 8;
	before = made->told.bytes;
	made->told.bytes = open_piece(made);
	for (i = 0; i < MOST_POINTERS; i++)
		if (!take_pointer(address + i * size))
			break;
	end = made->told.bytes;
	made->told.bytes = before;
	close_piece(made, open_piece(made), end, address, PIECE_MEMORY);
	for (i = 0; i < MOST_STRINGS; i++)
		if (!take_pointed_string(address + i * size))
			break;
	return 0;
}

/* What an iovec leads to, `total` bytes at most, and no more than is shown. Answers with what is left of `total`. */
__attribute__((noinline)) __u64 take_iovec(__u64 address, __u64 total)
{
	struct telling *made = tell();
	__u64 base, length, here;
	bool compat;

	if (!made)
		return 0;
	compat = made->told.flags & TOLD_COMPAT;
	base = word_at(address, compat);
	length = word_at(address + (compat ? 4 : 8), compat);
	if (length > total)
		length = total;
	here = length > text_limit && !(made->told.flags & TOLD_MESSAGES) ? text_limit : length;
	take(base, here > ROOM ? ROOM : here, PIECE_MEMORY);
	return total - length;
}

/* `count` iovecs, and what they lead to: `total` bytes at most, and of each no more than is shown. */
__attribute__((noinline)) int take_iovecs(__u64 address, __u32 count, __u64 total)
{
	struct telling *made = tell();
	__u32 size, i;

	if (!made || !address || !count)
		return 0;
	size = made->told.flags & TOLD_COMPAT ? 8 : 16;
	if (count > MOST_IOVECS)
		count = MOST_IOVECS;
	take(address, count * size, PIECE_MEMORY);
	for (i = 0; i < MOST_IOVECS; i++) {
		if (i >= count || !total)
			break;
		total = take_iovec(address + i * size, total);
	}
	return 0;
}

/* A message: its name, its data up to `total` bytes, its control data. */
__attribute__((noinline)) int take_message(__u64 address, __u64 total)
{
	struct telling *made = tell();
	__u64 length;
	__u32 size;
	bool compat;

	if (!made || !address)
		return 0;
	compat = made->told.flags & TOLD_COMPAT;
	size = compat ? 4 : 8;
	take(address, compat ? 28 : 56, PIECE_MEMORY);
	length = word_at(address + size, true);
	take(word_at(address, compat), length > 128 ? 128 : length, PIECE_MEMORY);
	length = word_at(address + 3 * size, compat);
	take_iovecs(word_at(address + 2 * size, compat), length > MOST_IOVECS ? MOST_IOVECS : length, total);
	length = word_at(address + 5 * size, compat);
	take(word_at(address + 4 * size, compat), length > 4096 ? 4096 : length, PIECE_MEMORY);
	return 0;
}

__attribute__((noinline)) int take_messages(__u64 address, __u32 count)
{
	struct telling *made = tell();
	__u32 size, i;

	if (!made || !address)
		return 0;
	size = made->told.flags & TOLD_COMPAT ? 32 : 64;
	for (i = 0; i < MOST_MESSAGES; i++) {
		if (i >= count)
			break;
		/* What was received or sent stands behind each header: in the copy, whole. */
		take(address + i * size, size, PIECE_MEMORY);
		take_message(address + i * size, ~0ull);
	}
	return 0;
}

#define SIOCGIFCONF 0x8912

/* An ioctl's argument: most requests tell its size. */
__attribute__((noinline)) int take_ioctl(__u32 request, __u64 address)
{
	struct telling *made = tell();
	__u32 size = request >> 16 & 0x3fff;
	__u64 length;
	bool compat;

	if (!made || !address)
		return 0;
	if ((request & 0xff00) == 0x5400)
		size = 60;
	else if ((request & 0xff00) == 0x8900)
		size = 40;
	take(address, size > 4096 ? 4096 : size, PIECE_MEMORY);
	if (request != SIOCGIFCONF)
		return 0;
	compat = made->told.flags & TOLD_COMPAT;
	length = word_at(address, true);
	take(word_at(address + (compat ? 4 : 8), compat), length > 4096 ? 4096 : length, PIECE_MEMORY);
	return 0;
}

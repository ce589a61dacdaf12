/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Records: made in a per-CPU scratch, sent over the ring, waking the reader no more than needed. */
#pragma once
#include "maps.h"

static __always_inline struct record *scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&making, &zero);
}

static __always_inline struct making *making_of(const struct record *made)
{
	return (struct making *)made;
}

/* Its registers stand behind a record in the making. */
static __always_inline struct origin *origin_of(struct record *made)
{
	return &making_of(made)->origin;
}

static __always_inline void count_lost(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&lost, &zero);

	if (count)
		*count += 1;
}

/* The reader sleeps until the ring is worth its while, or its own tick: a wake-up per event costs more than all else. */
static __always_inline __u64 wake(const struct record *made)
{
	if (made->flags & RECORD_PROMPT)
		return BPF_RB_FORCE_WAKEUP;
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_at ? BPF_RB_FORCE_WAKEUP
								       : BPF_RB_NO_WAKEUP;
}

static __always_inline void emit_waking(const struct record *made, __u64 wakeup)
{
	struct record *sent = bpf_ringbuf_reserve(&ring, sizeof(*sent), 0);

	if (!sent) {
		count_lost();
		return;
	}
	*sent = *made;
	bpf_ringbuf_submit(sent, wakeup);
}

/* Records without a stack are small: the ring is asked at every 16th how full it is. */
static __always_inline void emit_bare(const struct record *made)
{
	bool due = made->flags & RECORD_PROMPT || ++making_of(made)->unasked % 16 == 0;

	emit_waking(made, due ? wake(made) : BPF_RB_NO_WAKEUP);
}

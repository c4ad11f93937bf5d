/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries beside a flow in the kernel's maps: holes, histograms, what is rare. */
#ifndef ACKMON_KERN_BESIDE_H
#define ACKMON_KERN_BESIDE_H

#include "kern/maps.h"
#include "core/histogram.h"
#include "core/host.h"
#include "kern/table.h"

/* The entries beside a side of a flow, where its bits say that it owns any. */
core_apart int host_close_side(const struct flow *flow, __u32 direction)
{
	struct beside_key beside;
	__u32 bits;

	if (!flow)
		return 0;
	beside = table_beside_key(flow, direction & 1);
	bits = flow->side[direction & 1].bits;
	if (bits & SIDE_HOLES)
		bpf_map_delete_elem(&holes, &beside);
	if (bits & SIDE_HISTOGRAM)
		bpf_map_delete_elem(&histograms, &beside);
	if (bits & SIDE_RARE)
		bpf_map_delete_elem(&rares, &beside);
	return 0;
}

core_inline struct rare *host_find_rare(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);

	return bpf_map_lookup_elem(&rares, &beside);
}

core_inline struct rare *host_open_rare(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);
	__u32 zero = 0;
	struct rare *none = bpf_map_lookup_elem(&no_rare, &zero);

	if (!none)
		return (struct rare *)0;
	bpf_map_update_elem(&rares, &beside, none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&rares, &beside);
}

core_inline struct holes *host_find_holes(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);

	return bpf_map_lookup_elem(&holes, &beside);
}

core_inline struct holes *host_open_holes(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);
	__u32 zero = 0;
	struct holes *empty = bpf_map_lookup_elem(&no_holes, &zero);

	if (!empty)
		return (struct holes *)0;
	bpf_map_update_elem(&holes, &beside, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&holes, &beside);
}

core_inline struct histogram *host_find_histogram(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);

	return bpf_map_lookup_elem(&histograms, &beside);
}

core_inline struct histogram *host_open_histogram(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);
	__u32 zero = 0;
	struct histogram *empty = bpf_map_lookup_elem(&no_samples, &zero);

	if (!empty)
		return (struct histogram *)0;
	bpf_map_update_elem(&histograms, &beside, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&histograms, &beside);
}

core_inline int host_take_samples(struct flow *flow, __u32 direction,
				  const __u16 buckets[RTT_WAITING], int opens)
{
	struct histogram *histogram = host_find_histogram(flow, direction);

	if (!histogram && opens) {
		histogram = host_open_histogram(flow, direction);
		if (!histogram)
			return -1;
	}
	if (!histogram)
		return 0;
	histogram_take(histogram, buckets, RTT_WAITING);
	return 1;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Prefixes as ranges, built by a walk through them in order, and found by the highest bits first. */
#include "label_ranges.h"

#include <errno.h>
#include <stdlib.h>

#include "core/labels.h"

#define INDEX_BITS_MIN 4
#define INDEX_BITS_MAX 20

wide label_prefix_first(const struct label_prefix *prefix)
{
	wide first = 0;

	for (int i = 0; i < 16; i++)
		first = first << 8 | prefix->addr.bytes[i];
	return first;
}

wide label_prefix_last(const struct label_prefix *prefix)
{
	wide behind = prefix->bits ? ((wide)1 << (128 - prefix->bits)) - 1 : ~(wide)0;

	return label_prefix_first(prefix) | (prefix->bits == 128 ? 0 : behind);
}

bool label_addr_is_ipv4(const struct ip_addr *addr)
{
	return !addr->words_be32[0] && !addr->words_be32[1] &&
	       load_u32(&addr->words_be32[2]) == 0xffff;
}

static wide ranges_start(const struct label_ranges *ranges, uint32_t i, bool is_ipv4)
{
	return is_ipv4 ? ranges->ipv4[i].start : ranges->ipv6[i].start;
}

uint32_t *label_ranges_value(const struct label_ranges *ranges, uint32_t i, bool is_ipv4)
{
	return is_ipv4 ? &ranges->ipv4[i].value : &ranges->ipv6[i].value;
}

static int ranges_grow(struct label_ranges *ranges, bool is_ipv4)
{
	uint32_t room = ranges->room ? ranges->room * 2 : 64;
	void *all = reallocarray(ranges->all, room,
				 is_ipv4 ? sizeof(*ranges->ipv4) : sizeof(*ranges->ipv6));

	if (!all)
		return -ENOMEM;
	ranges->all = all;
	ranges->room = room;
	return 0;
}

/* From `start` on it is that node's, which overrules who said the same before. */
static int ranges_begin(struct label_ranges *ranges, wide start, uint32_t node, bool is_ipv4)
{
	uint32_t last = ranges->count - 1;
	int err = 0;

	if (ranges->count && ranges_start(ranges, last, is_ipv4) == start) {
		*label_ranges_value(ranges, last, is_ipv4) = node;
		return 0;
	}
	if (ranges->count && *label_ranges_value(ranges, last, is_ipv4) == node)
		return 0;
	if (ranges->count == ranges->room)
		err = ranges_grow(ranges, is_ipv4);
	if (err)
		return err;
	if (is_ipv4)
		ranges->ipv4[ranges->count] = (struct range_ipv4){(uint32_t)start, node};
	else
		ranges->ipv6[ranges->count] = (struct range_ipv6){start, node};
	ranges->count++;
	return 0;
}

int label_ranges_build(struct label_ranges *ranges, const struct label_node *nodes, uint32_t count,
			bool is_ipv4)
{
	wide first = is_ipv4 ? IPV4_FIRST : 0, end = is_ipv4 ? IPV4_LAST : ~(wide)0;
	uint32_t around[130], depth = 0;
	int err = ranges_begin(ranges, 0, LABEL_NONE, is_ipv4);

	for (uint32_t i = 0; !err && i <= count; i++) {
		while (!err && depth &&
		       (i == count || label_prefix_last(&nodes[around[depth - 1]].prefix) <
					      label_prefix_first(&nodes[i].prefix))) {
			wide last = label_prefix_last(&nodes[around[--depth]].prefix);

			if (last != end)
				err = ranges_begin(ranges, last + 1 - first,
						   depth ? around[depth - 1] : LABEL_NONE, is_ipv4);
		}
		if (err || i == count)
			break;
		err = ranges_begin(ranges, label_prefix_first(&nodes[i].prefix) - first, i, is_ipv4);
		around[depth++] = i;
	}
	return err;
}

int label_ranges_index(struct label_ranges *ranges, bool is_ipv4)
{
	unsigned int width = is_ipv4 ? 32 : 128, bits = INDEX_BITS_MIN;
	uint32_t at = 0;

	while (bits < INDEX_BITS_MAX && 1u << bits < ranges->count)
		bits++;
	ranges->index_bits = bits;
	ranges->index = malloc(((1ull << bits) + 1) * sizeof(*ranges->index));
	if (!ranges->index)
		return -ENOMEM;
	for (uint32_t i = 0; i < 1u << bits; i++) {
		while (at < ranges->count &&
		       ranges_start(ranges, at, is_ipv4) < (wide)i << (width - bits))
			at++;
		ranges->index[i] = at;
	}
	ranges->index[1u << bits] = ranges->count;
	return 0;
}

uint32_t label_ranges_find_ipv4(const struct label_ranges *ranges, uint32_t addr)
{
	uint32_t top = addr >> (32 - ranges->index_bits);
	uint32_t low = ranges->index[top], high = ranges->index[top + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ranges->ipv4[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return ranges->ipv4[low - 1].value;
}

uint32_t label_ranges_find_ipv6(const struct label_ranges *ranges, wide addr)
{
	uint32_t top = (uint32_t)(addr >> (128 - ranges->index_bits));
	uint32_t low = ranges->index[top], high = ranges->index[top + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ranges->ipv6[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return ranges->ipv6[low - 1].value;
}

void label_ranges_close(struct label_ranges *ranges)
{
	free(ranges->all);
	free(ranges->index);
}

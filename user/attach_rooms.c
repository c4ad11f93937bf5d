/* SPDX-License-Identifier: GPL-2.0-only */
/* How much the kernel's maps hold, and what that takes of memory. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/sysinfo.h>

#include <bpf/libbpf.h>

#include "attach_internal.h"
#include "format.h"
#include "table.h"

/* The kernel's head of a hash entry and of a bucket. */
#define HEAD_BYTES 48u
#define BUCKET_BYTES 16u

#define FLOWS_USUAL 131072u
#define HALF_OPEN_USUAL 65536u

/* When nobody says how many: flows take no more than this part of the machine's memory. */
#define MEMORY_SHARE 64u

static uint64_t power_of_two(uint64_t at_least)
{
	uint64_t power = 1;

	while (power < at_least)
		power *= 2;
	return power;
}

/* Entries that come on demand are rounded up to powers of two. */
static uint64_t room_bytes(const struct bpf_map *map)
{
	uint64_t entries = bpf_map__max_entries(map);
	uint64_t entry_bytes = power_of_two(HEAD_BYTES + (bpf_map__key_size(map) + 7) / 8 * 8 +
					    (bpf_map__value_size(map) + 7) / 8 * 8);

	return entries * entry_bytes + power_of_two(entries) * BUCKET_BYTES;
}

/* 131,072 connections where memory is no question, half of that where it is, and so on. */
static uint32_t usual_flows(const struct attach *attach)
{
	uint32_t flows = FLOWS_USUAL;
	struct sysinfo machine;

	if (sysinfo(&machine))
		return flows;
	while (flows > 1 && table_bytes_for(attach_object(attach), "flows", flows) >
				    (uint64_t)machine.totalram * machine.mem_unit / MEMORY_SHARE)
		flows /= 2;
	return flows;
}

static uint32_t asked_flows(const struct attach *attach)
{
	return attach->rooms.flows ? attach->rooms.flows : usual_flows(attach);
}

static uint32_t asked_half_open(const struct attach *attach)
{
	return attach->rooms.half_open ? attach->rooms.half_open : HALF_OPEN_USUAL;
}

static void resize(struct attach *attach, const char *name, uint32_t entries)
{
	struct bpf_map *map = attach_map(attach, name);

	if (entries && map)
		bpf_map__set_max_entries(map, entries);
}

void attach_resize(struct attach *attach, const struct room_sizes *rooms)
{
	struct bpf_object *object = attach_object(attach);

	attach->rooms = *rooms;
	table_resize(object, "flows", asked_flows(attach));
	table_resize(object, "half_open", asked_half_open(attach));
	resize(attach, "holes", rooms->holes);
	/* Enough, though each has two sides: few own one. */
	resize(attach, "rares", asked_flows(attach));
	resize(attach, "histograms", rooms->histograms);
}

static uint64_t megabytes(uint64_t bytes)
{
	return (bytes + 500000) / 1000000;
}

void attach_describe_rooms(const struct attach *attach, char *ret_text, size_t text_size)
{
	const struct bpf_object *object = attach_object(attach);
	const struct bpf_map *holes = attach_map(attach, "holes");
	const struct bpf_map *histograms = attach_map(attach, "histograms");
	const struct bpf_map *rares = attach_map(attach, "rares");
	char flow_count[FORMAT_NUMBER_MAX], half_open_count[FORMAT_NUMBER_MAX];
	uint64_t beside = room_bytes(holes) + room_bytes(histograms) + room_bytes(rares);

	*format_grouped(flow_count, table_room(object, "flows", asked_flows(attach))) = '\0';
	*format_grouped(half_open_count, table_room(object, "half_open", asked_half_open(attach))) = '\0';
	snprintf(ret_text, text_size,
		 "room for %s connections (%" PRIu64 " MB, and up to %" PRIu64
		 " MB for their losses and percentiles, as they come) and %s that only open (%" PRIu64
		 " MB); --flows, --half-open, --holes and --histograms change it",
		 flow_count, megabytes(table_bytes(object, "flows")), megabytes(beside), half_open_count,
		 megabytes(table_bytes(object, "half_open")));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What is kept, taken over by the version that runs now: maps as far as they fit, then the programs. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/table.h"
#include "attach_kept.h"

/* What no other program version needs to find as it was. */
bool attach_is_working_space(const struct bpf_map *map)
{
	static const char *const names[] = {"scratch", "no_holes", "no_samples", "no_rare", "transit_marks"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(bpf_map__name(map), names[i]))
			return true;
	return bpf_map__is_internal(map);
}

/* What flows are counted in: of use only as a whole, and with the flows whose pairs these are. */
static bool is_of_pairs(const struct bpf_map *map)
{
	static const char *const names[] = {"labels_odd", "labels_even", "label_ports", "label_names",
					    "pair_numbers", "pairs", "pair_chunks", "chunks",
					    "pair_state", "pair_reader", "owners",
					    "owner_groups", "owner_marks"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(bpf_map__name(map), names[i]))
			return true;
	return false;
}

/* These speak of each other: all of them fit, or none does. */
static bool is_of_flows(const struct bpf_map *map)
{
	static const char *const arrays[] = {"tables", "flows", "flow_tags", "half_open", "half_open_tags",
					     "locks", "outbox"};

	if (is_of_pairs(map))
		return false;
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_RINGBUF:
		return true;
	default:
		for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays); i++)
			if (!strcmp(bpf_map__name(map), arrays[i]))
				return true;
		return false;
	}
}

static void map_path(const struct pins *pins, const char *name, char ret_path[PINS_PATH_MAX])
{
	pins_path(pins, ret_path, "maps/%s", name);
}

static bool fits(const struct attach *attach, const struct pins *pins,
		 const struct pins_about *about, const struct bpf_map *map)
{
	uint64_t layout = pins_map_layout(attach_object(attach), map);
	char path[PINS_PATH_MAX];

	map_path(pins, bpf_map__name(map), path);
	for (uint32_t i = 0; i < about->map_count; i++)
		if (!strncmp(about->maps[i].map, bpf_map__name(map), PINS_NAME_MAX - 1))
			return about->maps[i].layout == layout && !access(path, F_OK);
	return false;
}

static bool all_of_flows_fit(const struct attach *attach, const struct pins *pins,
			     const struct pins_about *about)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, attach_object(attach))
		if (!attach_is_working_space(map) &&
		    (is_of_flows(map) || (about->config.aggregate && is_of_pairs(map))) &&
		    !fits(attach, pins, about, map))
			return false;
	return true;
}

bool attach_everything_fits(const struct attach *attach, const struct pins *pins,
			    const struct pins_about *about)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, attach_object(attach))
		if (!attach_is_working_space(map) && !fits(attach, pins, about, map))
			return false;
	return true;
}

/* Keys of any size; the values are not looked at. */
static uint64_t count_entries(int map_fd, uint32_t key_bytes)
{
	char keys[2][256];
	uint64_t count = 0;

	if (key_bytes > sizeof(keys[0]))
		return 0;
	while (!bpf_map_get_next_key(map_fd, count ? keys[(count - 1) & 1] : NULL, keys[count & 1]))
		count++;
	return count;
}

static uint64_t count_tags(int map_fd, const struct bpf_map_info *info)
{
	struct table_bucket bucket;
	uint64_t count = 0;

	if (info->value_size != sizeof(bucket))
		return 0;
	for (uint32_t number = 0; number < info->max_entries; number++) {
		if (bpf_map_lookup_elem(map_fd, &number, &bucket))
			continue;
		for (uint32_t way = 0; way < TABLE_WAYS; way++)
			count += !!bucket.tag[way];
	}
	return count;
}

/* Frames seen stand first among the counters, in every layout there was. */
static uint64_t count_frames(int map_fd, const struct bpf_map_info *info)
{
	size_t value_bytes = (info->value_size + 7) & ~7u;
	int cpus = libbpf_num_possible_cpus();
	uint64_t frames = 0;
	char *values;

	values = cpus > 0 ? calloc((size_t)cpus, value_bytes) : NULL;
	for (uint32_t door = 0; values && door < info->max_entries; door++) {
		if (bpf_map_lookup_elem(map_fd, &door, values))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			frames += *(const uint64_t *)(values + (size_t)cpu * value_bytes);
	}
	free(values);
	return frames;
}

void attach_count_left(const char *path, const char *name, struct left *left)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd = pins_get(path);

	if (fd < 0)
		return;
	left->is_any = true;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
		if (!strcmp(name, "flow_tags") || !strcmp(name, "half_open_tags"))
			left->flows += count_tags(fd, &info);
		else if ((!strcmp(name, "flows") || !strcmp(name, "half_open")) && info.type != BPF_MAP_TYPE_ARRAY)
			left->flows += count_entries(fd, info.key_size); /* until version 0.9 */
		else if (!strcmp(name, "counters") && info.value_size >= sizeof(uint64_t))
			left->frames += count_frames(fd, &info);
	}
	close(fd);
}

int attach_reuse_map(const struct pins *pins, struct bpf_map *map)
{
	char path[PINS_PATH_MAX];
	int fd, err;

	map_path(pins, bpf_map__name(map), path);
	fd = pins_get(path);
	if (fd < 0)
		return fd;
	err = bpf_map__reuse_fd(map, fd);
	close(fd);
	return err;
}

static int pin_maps(const struct attach *attach, const struct pins *pins)
{
	const struct bpf_map *map;
	char path[PINS_PATH_MAX];
	int err = 0;

	bpf_object__for_each_map(map, attach_object(attach)) {
		if (attach_is_working_space(map))
			continue;
		map_path(pins, bpf_map__name(map), path);
		err = pins_put(bpf_map__fd(map), path);
		if (err)
			break;
	}
	return err;
}

/* before: what was noted until now; all 0 when nothing was. */
static struct pins_about describe(const struct attach *attach, const struct pins_about *before,
				  const struct left *left)
{
	struct pins_about about = {
		.bytes = sizeof(about),
		.since_wall_ns = before->since_wall_ns ?: attach_wall_ns(),
		.flows_let_go = before->flows_let_go + left->flows,
		.frames_let_go = before->frames_let_go + left->frames,
		.version = ACKMON_VERSION,
		.config = attach->config,
	};
	const struct bpf_map *map;

	bpf_object__for_each_map(map, attach_object(attach)) {
		struct pins_layout *layout = &about.maps[about.map_count];

		if (attach_is_working_space(map) || about.map_count == PINS_MAPS_MAX)
			continue;
		snprintf(layout->map, sizeof(layout->map), "%s", bpf_map__name(map));
		layout->layout = pins_map_layout(attach_object(attach), map);
		about.map_count++;
	}
	return about;
}

/* Pairs that were counted go on, in the room they were given. */
static void keep_pairs(struct attach *attach, const struct monitor_config *kept)
{
	struct monitor_config config = attach->config;

	config.aggregate = 1;
	config.pairs_max = kept->pairs_max;
	config.chunks_max = kept->chunks_max;
	attach_configure(attach, &config);
}

/*
 * Loads our programs with the maps that are kept, as far as these are as we know them; the others
 * are made anew. Then our programs take the places of the kept ones.
 */
int attach_renew(struct attach *attach, struct pins *pins, struct left *ret_left,
		 char *ret_error, size_t error_size)
{
	struct pins_about about = {}, before = {};
	struct left left = {};
	struct bpf_map *map;
	char path[PINS_PATH_MAX];
	bool flows_fit, pairs_go_on;
	int err;

	if (pins_read_about(pins, &before))
		before = (struct pins_about){};
	flows_fit = all_of_flows_fit(attach, pins, &before);
	pairs_go_on = flows_fit && before.config.aggregate;
	if (pairs_go_on)
		keep_pairs(attach, &before.config);
	bpf_object__for_each_map(map, attach_object(attach)) {
		if (attach_is_working_space(map) || (is_of_pairs(map) && !pairs_go_on))
			continue;
		if (is_of_flows(map) ? flows_fit : fits(attach, pins, &before, map)) {
			err = attach_reuse_map(pins, map);
			if (err)
				return attach_fail(ret_error, error_size, err,
						   "%s: the kept map %s cannot be used: %s",
						   pins->folder, bpf_map__name(map),
						   strerror(-err));
			continue;
		}
		map_path(pins, bpf_map__name(map), path);
		attach_count_left(path, bpf_map__name(map), &left);
	}
	err = attach_load(attach, ret_error, error_size);
	if (err)
		return err;
	err = pin_maps(attach, pins);
	if (!err)
		err = attach_pin_tc_programs(attach, pins);
	if (!err)
		err = attach_renew_places(attach, pins);
	if (!err) {
		about = describe(attach, &before, &left);
		err = pins_write_about(pins, &about);
	}
	if (err)
		return attach_fail(ret_error, error_size, err, "%s: cannot be renewed: %s",
				   pins->folder, attach_explain(err));
	attach->flows_let_go = about.flows_let_go;
	*ret_left = left;
	return 0;
}

void attach_say_left(const struct left *left, const char *folder, char *ret_note, size_t note_size)
{
	if (left->is_any)
		snprintf(ret_note, note_size,
			 "%s: another version of ackmon filled it, in another layout: %llu "
			 "connections and the count of %llu frames are let go, counting begins anew",
			 folder, (unsigned long long)left->flows,
			 (unsigned long long)left->frames);
}

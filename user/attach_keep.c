/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon attach and detach: programs that stay, the maps they fill, and readers that come and go. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fnmatch.h>
#include <linux/pkt_sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "abi/counters.h"
#include "abi/outbox.h"
#include "abi/table.h"
#include "attach_internal.h"
#include "attach_pins.h"
#include "clock.h"
#include "labels.h"
#include "log.h"
#include "outbox.h"
#include "owner_maps.h"
#include "pair_maps.h"

#define TC_FILTERS_MAX 64

static const char *const tc_names[DIRECTION_COUNT] = {"ingress", "egress"};
static const char *const tc_programs[DIRECTION_COUNT] = {"ackmon_ingress", "ackmon_egress"};

/* What a change of layout leaves behind, for the sentence about it. */
struct left {
	uint64_t flows;
	uint64_t frames;
	bool is_any;
};

/* Maps */

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

static void count_left(const char *path, const char *name, struct left *left)
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

static int reuse_map(const struct pins *pins, struct bpf_map *map)
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

static uint64_t wall_ns(void)
{
	return (uint64_t)((int64_t)clock_monotonic_ns() + clock_wall_offset_ns());
}

/* before: what was noted until now; all 0 when nothing was. */
static struct pins_about describe(const struct attach *attach, const struct pins_about *before,
				  const struct left *left)
{
	struct pins_about about = {
		.bytes = sizeof(about),
		.since_wall_ns = before->since_wall_ns ?: wall_ns(),
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

/* Places */

static struct place place_at(const struct pins *pins, const struct pins_place *kept)
{
	struct place place = {
		.interface = {.ifindex = kept->ifindex},
		.claim_fd = -1,
		.tcx_fd = {-1, -1},
		.xdp_link_fd = -1,
		.xdp_mode = kept->xdp_generic ? XDP_MODE_SKB : XDP_MODE_NATIVE,
		.reads_tag = kept->xdp_reads_tag,
		.made_clsact = kept->made_clsact,
	};
	char path[PINS_PATH_MAX];

	if (!if_indextoname(kept->ifindex, place.interface.name))
		memcpy(place.interface.name, kept->name, sizeof(place.interface.name));
	pins_path(pins, path, "if-%u/xdp_link", kept->ifindex);
	place.xdp_link_fd = pins_get(path);
	for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
		pins_path(pins, path, "if-%u/%s", kept->ifindex, tc_names[direction]);
		place.tcx_fd[direction] = pins_get(path);
		/* Killed on its way, it may have come as far as the filter. */
		place.has_filter[direction] =
			kept->tc_way[direction] == TC_BY_FILTER || !kept->is_complete;
	}
	return place;
}

static struct pins_place describe_place(const struct place *place)
{
	struct pins_place kept = {
		.ifindex = place->interface.ifindex,
		.xdp_way = place->xdp_link_fd >= 0 ? XDP_ALONE
			   : place->xdp		   ? XDP_DISPATCHED
						   : XDP_NOT_USED,
		.xdp_generic = place->xdp_mode == XDP_MODE_SKB,
		.xdp_reads_tag = place->reads_tag,
		.made_clsact = place->made_clsact,
		.since_wall_ns = wall_ns(),
	};

	memcpy(kept.name, place->interface.name, sizeof(kept.name));
	for (int direction = 0; direction < DIRECTION_COUNT; direction++)
		kept.tc_way[direction] = place->tcx_fd[direction] >= 0	  ? TC_BY_TCX
					 : place->has_filter[direction] ? TC_BY_FILTER
									  : TC_NOT_USED;
	return kept;
}

static int pin_links(const struct pins *pins, const struct place *place)
{
	char path[PINS_PATH_MAX];
	int err = 0;

	if (place->xdp_link_fd >= 0) {
		pins_path(pins, path, "if-%u/xdp_link", place->interface.ifindex);
		err = pins_put(place->xdp_link_fd, path);
	}
	for (int direction = 0; !err && direction < DIRECTION_COUNT; direction++) {
		if (place->tcx_fd[direction] < 0)
			continue;
		pins_path(pins, path, "if-%u/%s", place->interface.ifindex, tc_names[direction]);
		err = pins_put(place->tcx_fd[direction], path);
	}
	return err;
}

static int pin_program(const struct pins *pins, uint32_t id, const char *where)
{
	char path[PINS_PATH_MAX];
	int fd = bpf_prog_get_fd_by_id(id), err;

	if (fd < 0)
		return fd;
	pins_path(pins, path, "%s", where);
	err = pins_put(fd, path);
	close(fd);
	return err;
}

static int pin_xdp_program(const struct pins *pins, const struct place *place)
{
	char where[64];

	if (!place->xdp_prog_id)
		return 0;
	snprintf(where, sizeof(where), "if-%u/xdp_program", place->interface.ifindex);
	return pin_program(pins, place->xdp_prog_id, where);
}

static int pin_tc_programs(struct attach *attach, const struct pins *pins)
{
	const struct place here = {.netns = NULL};
	char path[PINS_PATH_MAX];
	int err = 0;

	for (int direction = 0; !err && direction < DIRECTION_COUNT; direction++) {
		pins_path(pins, path, "programs/%s", tc_programs[direction]);
		err = pins_put(attach_program_fd(attach, &here, tc_programs[direction]), path);
	}
	return err;
}

/* Takes away what was attached there, and nothing else. */
static void remove_place(const struct pins *pins, uint32_t ifindex)
{
	struct pins_place kept = {};
	char folder[PINS_PATH_MAX];
	struct place place;

	if (pins_read_place(pins, ifindex, &kept))
		kept = (struct pins_place){.ifindex = ifindex};
	place = place_at(pins, &kept);
	place.netns_cookie = attach_netns_cookie();
	if (kept.xdp_way == XDP_DISPATCHED || !kept.is_complete)
		attach_xdp_remove_leftover(&place);
	attach_leave(&place);
	pins_path(pins, folder, "if-%u", ifindex);
	pins_remove(folder);
}

static bool link_is_there(int link_fd)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	/* Of XDP and of TCX: both begin with it, and it is 0 when the interface went. */
	return !bpf_obj_get_info_by_fd(link_fd, &info, &len) && info.xdp.ifindex;
}

/* The interface went, or another one has its number now. */
static bool place_is_gone(const struct place *place)
{
	char name[IF_NAMESIZE];
	int link_fd = place->xdp_link_fd;

	if (!if_indextoname(place->interface.ifindex, name))
		return true;
	for (int direction = 0; link_fd < 0 && direction < DIRECTION_COUNT; direction++)
		link_fd = place->tcx_fd[direction];
	return link_fd >= 0 && !link_is_there(link_fd);
}

/* Each program is exchanged in one step; a dispatcher of libxdp has to be made anew. */
static int replace_programs(struct attach *attach, struct place *place, const struct pins_place *kept)
{
	int err = 0;

	for (int direction = 0; !err && direction < DIRECTION_COUNT; direction++) {
		int prog_fd = attach_program_fd(attach, place, tc_programs[direction]);

		if (place->tcx_fd[direction] >= 0)
			err = bpf_link_update(place->tcx_fd[direction], prog_fd, NULL);
		else if (place->has_filter[direction])
			err = attach_tc_replace(place, (enum direction)direction, prog_fd);
	}
	if (err || kept->xdp_way == XDP_NOT_USED)
		return err;
	if (kept->xdp_way == XDP_DISPATCHED)
		attach_xdp_remove_leftover(place);
	return attach_xdp_start(attach, place, place->xdp_mode);
}

static int refresh_place(struct attach *attach, struct pins *pins, uint32_t ifindex)
{
	struct pins_place kept;
	struct place place;
	int err = 0;

	if (pins_read_place(pins, ifindex, &kept) || !kept.is_complete) {
		remove_place(pins, ifindex);
		return 0;
	}
	place = place_at(pins, &kept);
	if (place_is_gone(&place)) {
		place.is_kept = true;
		attach_leave(&place);
		remove_place(pins, ifindex);
		return 0;
	}
	err = replace_programs(attach, &place, &kept);
	if (!err)
		err = pin_xdp_program(pins, &place);
	place.is_kept = true;
	attach_leave(&place);
	return err;
}

static int refresh_places(struct attach *attach, struct pins *pins)
{
	uint32_t *ifindexes;
	size_t count;
	int err;

	err = pins_list(pins, &ifindexes, &count);
	if (err)
		return err;
	for (size_t i = 0; !err && i < count; i++)
		err = refresh_place(attach, pins, ifindexes[i]);
	free(ifindexes);
	return err;
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
static int refresh(struct attach *attach, struct pins *pins, struct left *ret_left,
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
			err = reuse_map(pins, map);
			if (err)
				return attach_fail(ret_error, error_size, err,
						   "%s: the kept map %s cannot be used: %s",
						   pins->folder, bpf_map__name(map),
						   strerror(-err));
			continue;
		}
		map_path(pins, bpf_map__name(map), path);
		count_left(path, bpf_map__name(map), &left);
	}
	err = attach_load(attach, ret_error, error_size);
	if (err)
		return err;
	err = pin_maps(attach, pins);
	if (!err)
		err = pin_tc_programs(attach, pins);
	if (!err)
		err = refresh_places(attach, pins);
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

static void say_left(const struct left *left, const char *folder, char *ret_note, size_t note_size)
{
	if (left->is_any)
		snprintf(ret_note, note_size,
			 "%s: another version of ackmon filled it, in another layout: %llu "
			 "connections and the count of %llu frames are let go, counting begins anew",
			 folder, (unsigned long long)left->flows,
			 (unsigned long long)left->frames);
}

/* Sharing */

/* What a group may do from now on, or who stands in its way. */
static void say_shared(const struct pins *pins, const struct options *options, gid_t gid)
{
	char closed[PINS_PATH_MAX];

	if (!pins_are_closed_to(pins, gid, closed))
		log_info("group %s may look: ackmon --look -i %s", options->group,
			 options->interfaces[0]);
	else
		log_error("%s lets nobody of group %s through: chmod o+x %s, or name a --bpffs that "
			  "does; detached and attached again without --bpffs it is kept in "
			  PINS_OWN_MOUNT ", which does",
			  closed, options->group, closed);
}

/* What is new in the folder belongs to the group, too, whoever put it there. */
static int share(const struct pins *pins, gid_t gid, char *ret_error, size_t error_size)
{
	int err = gid ? pins_share(pins, gid) : 0;

	if (err)
		attach_fail(ret_error, error_size, err, "%s: cannot be opened to group %u: %s",
			    pins->folder, gid, strerror(-err));
	return err;
}

/* Where nothing is kept yet, what a group is to see is kept where it can come to. */
static int find_shared(const struct options *options, struct pins *pins, gid_t *ret_gid,
		       char *ret_error, size_t error_size)
{
	int err;

	*ret_gid = 0;
	if (!options->group)
		return 0;
	err = privileges_find_group(options->group, ret_gid, ret_error, error_size);
	if (err || pins_exist(pins) || pins_root_is_named(options->bpffs))
		return err;
	err = pins_use_own_mount(pins);
	if (err == -EXDEV)
		return attach_fail(ret_error, error_size, err,
				   "--group: a bpffs made here would end with this mount namespace "
				   "(ip netns exec makes one: take nsenter --net=/run/netns/NAME), or "
				   "name one with --bpffs");
	return err;
}

/* Adopting */

static int find_pins(const char *root, struct pins *ret_pins, char *ret_error, size_t error_size)
{
	int err = pins_find(ret_pins, root);

	if (err)
		return attach_fail(ret_error, error_size, err, "%s: its name is too long",
				   root ? root : getenv("ACKMON_BPFFS"));
	return 0;
}

static int lock_pins(struct pins *pins, bool create, char *ret_error, size_t error_size)
{
	int err = pins_lock(pins, create);

	if (err == -EMEDIUMTYPE)
		return attach_fail(ret_error, error_size, err,
				   "%s: not on a bpffs, which alone can hold programs; mount -t bpf "
				   "bpf /sys/fs/bpf, or name another folder with --bpffs",
				   pins->root);
	if (err && err != -ENOENT)
		return attach_fail(ret_error, error_size, err, "%s: %s", pins->folder,
				   strerror(-err));
	return err;
}

static bool is_full_name(const char *word)
{
	return strcmp(word, "all") && strcmp(word, "any") && !strpbrk(word, "*?[");
}

/* As -i means it: a name, a pattern, or all that are up. */
static bool selects(const char *word, const struct interface *interface)
{
	if (is_full_name(word))
		return !strcmp(word, interface->name);
	if (strpbrk(word, "*?["))
		return (interface->is_ethernet || interface->is_raw_ip) &&
		       !fnmatch(word, interface->name, 0);
	return interface->is_up && !interface->is_loopback &&
	       (interface->is_ethernet || interface->is_raw_ip);
}

bool attach_any_selects(const char *const *words, size_t count, const struct interface *interface)
{
	for (size_t i = 0; i < count; i++)
		if (selects(words[i], interface))
			return true;
	return false;
}

static bool any_kept(const struct pins *pins, const char *const *names, size_t count)
{
	struct interface *interfaces;
	size_t interface_count;
	bool is_kept = false;

	if (interfaces_list(&interfaces, &interface_count))
		return false;
	for (size_t i = 0; i < interface_count && !is_kept; i++)
		is_kept = attach_any_selects(names, count, &interfaces[i]) &&
			  pins_have(pins, interfaces[i].ifindex);
	free(interfaces);
	return is_kept;
}

bool attach_would_adopt(const char *root, const char *const *names, size_t count)
{
	struct pins pins;

	return !pins_find(&pins, root) && pins_exist(&pins) && any_kept(&pins, names, count);
}

static bool program_uses(int prog_fd, uint32_t map_id)
{
	struct bpf_prog_info program = {};
	__u32 ids[PROGRAM_MAPS_MAX] = {}, len = sizeof(program);

	program.nr_map_ids = PROGRAM_MAPS_MAX;
	program.map_ids = (uint64_t)(uintptr_t)ids;
	if (bpf_obj_get_info_by_fd(prog_fd, &program, &len))
		return false;
	for (__u32 i = 0; i < program.nr_map_ids && i < PROGRAM_MAPS_MAX; i++)
		if (ids[i] == map_id)
			return true;
	return false;
}

static bool link_uses(int link_fd, uint32_t map_id)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	bool uses;
	int fd;

	if (bpf_obj_get_info_by_fd(link_fd, &info, &len))
		return false;
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (fd < 0)
		return errno == EPERM; /* not ours to look into: whoever attached it did */
	uses = program_uses(fd, map_id);
	close(fd);
	return uses;
}

/* Every link leads to a program that fills these maps; else somebody was killed on the way. */
static bool links_use(const struct pins *pins, int map_fd)
{
	struct bpf_map_info map = {};
	__u32 len = sizeof(map);
	uint32_t *ifindexes;
	bool uses = true;
	size_t count;

	if (bpf_obj_get_info_by_fd(map_fd, &map, &len) || pins_list(pins, &ifindexes, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct pins_place kept;
		struct place place;

		if (pins_read_place(pins, ifindexes[i], &kept))
			continue;
		place = place_at(pins, &kept);
		if (place.xdp_link_fd >= 0)
			uses = uses && link_uses(place.xdp_link_fd, map.id);
		for (int direction = 0; direction < DIRECTION_COUNT; direction++)
			if (place.tcx_fd[direction] >= 0)
				uses = uses && link_uses(place.tcx_fd[direction], map.id);
		place.is_kept = true;
		attach_leave(&place);
	}
	free(ifindexes);
	return uses;
}

static int refuse_other_wishes(const struct monitor_config *wished, const struct pins_about *about,
			       char *ret_error, size_t error_size)
{
	if (wished->filter[0].kind &&
	    memcmp(wished->filter, about->config.filter, sizeof(wished->filter)))
		return attach_fail(ret_error, error_size, -EINVAL,
				   "the interface was attached with another filter; leave it out, or "
				   "change it for all readers by ackmon attach -i IFACE FILTER");
	if (wished->events && !about->config.events)
		return attach_fail(ret_error, error_size, -EINVAL,
				   "the interface was attached without --events; change that by "
				   "ackmon attach -i IFACE --events");
	if (wished->transit && !about->config.transit)
		return attach_fail(ret_error, error_size, -EINVAL,
				   "the interface was attached without --transit; change that by "
				   "ackmon attach -i IFACE --transit");
	if (wished->decap & ~about->config.decap)
		return attach_fail(ret_error, error_size, -EINVAL,
				   "the interface was attached with fewer tunnels; change that by "
				   "ackmon attach -i IFACE --decap LIST");
	return 0;
}

static pid_t reader_of(const struct pins *pins)
{
	struct outbox *outbox;
	char path[PINS_PATH_MAX];
	pid_t pid = 0;
	int fd;

	map_path(pins, "outbox", path);
	fd = pins_get(path);
	if (fd < 0)
		return 0;
	if (!outbox_map(&outbox, fd)) {
		pid = (pid_t)outbox->reader_pid;
		outbox_unmap(outbox);
	}
	close(fd);
	return pid;
}

/*
 * A reader that was killed just when it had forked the process that attaches leaves its lock to that one for
 * the moment until it lets go of it: that is waited for, and no living reader is.
 */
#define LOCK_TRIES 100
#define LOCK_EVERY_NS 20000000

static int lock_reader(struct pins *pins, char *ret_error, size_t error_size)
{
	const struct timespec pause = {.tv_nsec = LOCK_EVERY_NS};
	int err = pins_lock_reader(pins);

	for (int tries = 1; err == -EBUSY && tries < LOCK_TRIES; tries++) {
		pid_t pid = reader_of(pins);

		if (!pid || !kill(pid, 0) || errno != ESRCH)
			break;
		nanosleep(&pause, NULL);
		err = pins_lock_reader(pins);
	}
	if (err == -EBUSY)
		return attach_fail(ret_error, error_size, err,
				   "another ackmon (process %d) reads what is gathered in %s; end "
				   "that one first, or look with ackmon status",
				   (int)reader_of(pins), pins->folder);
	if (err)
		return attach_fail(ret_error, error_size, err, "%s/maps: %s", pins->folder,
				   strerror(-err));
	return 0;
}

static int adopt_maps(struct attach *attach, struct pins *pins, char *ret_note, size_t note_size,
		      char *ret_error, size_t error_size)
{
	struct pins_about about;
	struct bpf_map *map;
	struct left left;
	int err;

	err = pins_read_about(pins, &about);
	attach->since_wall_ns = err ? 0 : about.since_wall_ns;
	if (!err && attach_everything_fits(attach, pins, &about)) {
		err = refuse_other_wishes(&attach->config, &about, ret_error, error_size);
		if (err)
			return err;
		bpf_object__for_each_map(map, attach_object(attach)) {
			err = attach_is_working_space(map) ? 0 : reuse_map(pins, map);
			if (err)
				return attach_fail(ret_error, error_size, err,
						   "%s: the kept map %s cannot be used: %s",
						   pins->folder, bpf_map__name(map),
						   strerror(-err));
		}
		attach_configure(attach, &about.config);
		attach->flows_let_go = about.flows_let_go;
		if (links_use(pins, bpf_map__fd(attach_map(attach, "counters"))))
			return 0;
	} else if (!err) {
		attach_configure(attach, &about.config);
	} else {
		struct monitor_config config = attach->config;

		config.kept = CONFIG_KEPT;
		attach_configure(attach, &config);
	}
	err = refresh(attach, pins, &left, ret_error, error_size);
	if (!err)
		err = share(pins, pins_group(pins), ret_error, error_size);
	if (!err)
		say_left(&left, pins->folder, ret_note, note_size);
	return err;
}

int attach_adopt(struct attach *attach, const char *root, const char *const *names, size_t count,
		 char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	struct pins *pins = malloc(sizeof(*pins));
	int err;

	if (!pins)
		return attach_fail(ret_error, error_size, -ENOMEM, "out of memory");
	err = find_pins(root, pins, ret_error, error_size);
	if (err)
		goto out;
	err = lock_pins(pins, false, ret_error, error_size);
	if (!err && !any_kept(pins, names, count))
		err = -ENOENT;
	if (!err)
		err = lock_reader(pins, ret_error, error_size);
	if (!err)
		err = adopt_maps(attach, pins, ret_note, note_size, ret_error, error_size);
	pins_unlock(pins);
	if (err) {
		pins_unlock_reader(pins);
		goto out;
	}
	attach->pins = pins;
	if (pins_list(pins, &attach->kept, &attach->kept_count))
		attach->kept_count = 0;
	return 1;
out:
	free(pins);
	/* Who may not look there cannot take anything over either; attaching tells of what is in the way. */
	return err == -ENOENT || err == -EACCES ? 0 : err;
}

bool attach_is_kept(const struct attach *attach, unsigned int ifindex)
{
	for (size_t i = 0; i < attach->kept_count; i++)
		if (attach->kept[i] == ifindex)
			return true;
	/* Others may have been attached since. */
	return attach->pins && pins_have(attach->pins, ifindex);
}

bool attach_has_kept(const struct attach *attach)
{
	return attach->pins;
}

uint64_t attach_flows_let_go(const struct attach *attach)
{
	return attach->flows_let_go;
}

void attach_close_pins(struct attach *attach)
{
	if (!attach->pins)
		return;
	pins_unlock_reader(attach->pins);
	pins_unlock(attach->pins);
	free(attach->pins);
	attach->pins = NULL;
}

void attach_forget_reader(struct attach *attach)
{
	pins_unlock_reader(attach->pins);
}

static const char *xdp_words(const struct pins_place *kept)
{
	if (kept->xdp_way == XDP_NOT_USED)
		return "";
	if (kept->xdp_reads_tag)
		return "native XDP ingress with VLAN tags";
	return kept->xdp_generic ? "generic XDP ingress" : "native XDP ingress";
}

int attach_adopt_place(struct attach *attach, struct place *place, char *ret_note, size_t note_size,
		       char *ret_error, size_t error_size)
{
	struct pins_place kept;
	int err = pins_read_place(attach->pins, place->interface.ifindex, &kept);

	if (err)
		return attach_fail(ret_error, error_size, err, "%s: %s", place->interface.name,
				   strerror(-err));
	place->is_kept = true;
	snprintf(ret_note, note_size, "%s: attached before, taken over: %s%s%s%s",
		 place->interface.name, xdp_words(&kept), kept.xdp_way ? ", " : "",
		 kept.tc_way[INGRESS] ? "TC ingress, " : "", kept.tc_way[EGRESS] ? "TC egress" : "");
	return 0;
}

/* Kept elsewhere */

/* Constants begin with the configuration. 0: they say nothing, or the map holds other things. */
static uint64_t read_mark(uint32_t map_id)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;
	int fd = bpf_map_get_fd_by_id(map_id);
	uint64_t mark = 0;
	char *constants;

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && strstr(info.name, "rodata") &&
	    info.value_size >= sizeof(mark)) {
		constants = malloc(info.value_size);
		if (constants && !bpf_map_lookup_elem(fd, &zero, constants))
			memcpy(&mark, constants, sizeof(mark));
		free(constants);
	}
	close(fd);
	return mark;
}

bool attach_program_is_kept(uint32_t id)
{
	struct bpf_prog_info program = {};
	__u32 ids[PROGRAM_MAPS_MAX] = {}, len = sizeof(program);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return false;
	program.nr_map_ids = PROGRAM_MAPS_MAX;
	program.map_ids = (uint64_t)(uintptr_t)ids;
	if (bpf_obj_get_info_by_fd(fd, &program, &len))
		program.nr_map_ids = 0;
	close(fd);
	for (__u32 i = 0; i < program.nr_map_ids && i < PROGRAM_MAPS_MAX; i++)
		if (read_mark(ids[i]) == CONFIG_KEPT)
			return true;
	return false;
}

static uint32_t find_program(const struct interface *interface)
{
	static const int tcx[] = {BPF_TCX_INGRESS_TYPE, BPF_TCX_EGRESS_TYPE};
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};
	struct tc_filter filters[TC_FILTERS_MAX];
	__u32 ids[TC_FILTERS_MAX], count;
	size_t filter_count = 0;
	uint32_t id;

	if (!bpf_xdp_query((int)interface->ifindex, 0, &query)) {
		id = query.drv_prog_id ?: query.skb_prog_id;
		if (id && attach_xdp_is_ours(id) && attach_program_is_kept(id))
			return id;
	}
	for (size_t hook = 0; hook < DIRECTION_COUNT; hook++) {
		count = TC_FILTERS_MAX;
		if (bpf_prog_query((int)interface->ifindex, tcx[hook], 0, NULL, ids, &count))
			continue;
		for (__u32 i = 0; i < count && i < TC_FILTERS_MAX; i++)
			if (attach_program_is(ids[i], tc_programs[hook]) && attach_program_is_kept(ids[i]))
				return ids[i];
	}
	if (interface_tc_filters(interface, filters, TC_FILTERS_MAX, &filter_count))
		return 0;
	for (size_t i = 0; i < filter_count && i < TC_FILTERS_MAX; i++) {
		bool is_ingress = TC_H_MIN(filters[i].parent) == TC_H_MIN_INGRESS;

		id = filters[i].prog_id;
		if (id && attach_program_is(id, tc_programs[is_ingress ? INGRESS : EGRESS]) &&
		    attach_program_is_kept(id))
			return id;
	}
	return 0;
}

int attach_check_kept(const struct place *place, char *ret_error, size_t error_size)
{
	uint32_t id = find_program(&place->interface);

	if (!id)
		return 0;
	return attach_fail(ret_error, error_size, -EBUSY,
			   "%s: ackmon attach has put program %u there from another folder; name "
			   "that folder with --bpffs, or detach it first",
			   place->interface.name, id);
}

/* ackmon attach */

static int keep_anew(struct attach *attach, const char *name, enum hook_mode mode, char *ret_error,
		     size_t error_size)
{
	struct pins *pins = attach->pins;
	struct interface interface;
	struct pins_place kept = {};
	struct place *place;
	char folder[PINS_PATH_MAX], note[384];
	int err;

	if (!interface_find(name, &interface)) {
		pins_path(pins, folder, "if-%u", interface.ifindex);
		if (!access(folder, F_OK))
			remove_place(pins, interface.ifindex);
		/* First said, then done: what a kill leaves is known to be ours. */
		kept.ifindex = interface.ifindex;
		memcpy(kept.name, interface.name, sizeof(kept.name));
		err = pins_write_place(pins, &kept);
		if (err)
			return attach_fail(ret_error, error_size, err, "%s: %s", folder,
					   strerror(-err));
	}
	err = attach_interface(attach, NULL, name, mode, NULL, note, sizeof(note), ret_error,
			       error_size);
	if (err) {
		if (kept.ifindex)
			pins_remove(folder);
		return err;
	}
	place = &attach->places[attach->place_count - 1];
	err = pin_links(pins, place);
	if (!err)
		err = pin_xdp_program(pins, place);
	kept = describe_place(place);
	kept.is_complete = 1;
	if (!err)
		err = pins_write_place(pins, &kept);
	if (err) {
		pins_remove(folder);
		return attach_fail(ret_error, error_size, err, "%s: cannot be pinned: %s", folder,
				   strerror(-err));
	}
	place->is_kept = true;
	log_info("%s", note);
	return 0;
}

static enum hook_mode mode_of(const struct pins_place *kept)
{
	if (kept->xdp_way == XDP_NOT_USED)
		return HOOK_TC;
	if (kept->xdp_reads_tag)
		return HOOK_NATIVE_VLAN;
	return kept->xdp_generic ? HOOK_SKB : HOOK_NATIVE;
}

/* The hooks change, the maps stay; where the new ones are refused, the old ones come back. */
static int change_mode(struct attach *attach, const struct interface *interface, enum hook_mode before,
		       enum hook_mode mode, char *ret_error, size_t error_size)
{
	pid_t reader = attach_claimant(interface->ifindex);
	char error[512];
	int err;

	if (reader)
		return attach_fail(ret_error, error_size, -EBUSY,
				   "%s: is attached in another mode, and process %d reads it; end that "
				   "one first, then -m can change it",
				   interface->name, (int)reader);
	remove_place(attach->pins, interface->ifindex);
	err = keep_anew(attach, interface->name, mode, ret_error, error_size);
	if (err && keep_anew(attach, interface->name, before, error, sizeof(error)))
		log_error("%s: and not attached any more: %s", interface->name, error);
	return err;
}

static int keep_interface(struct attach *attach, const struct options *options, const char *name,
			  char *ret_error, size_t error_size)
{
	struct interface interface;
	struct pins_place kept;

	if (interface_find(name, &interface) ||
	    pins_read_place(attach->pins, interface.ifindex, &kept) || !kept.is_complete)
		return keep_anew(attach, name, options->mode, ret_error, error_size);
	if (options->mode != HOOK_AUTO && options->mode != mode_of(&kept))
		return change_mode(attach, &interface, mode_of(&kept), options->mode, ret_error,
				   error_size);
	log_info("%s: attached before; its programs were replaced in place, its counters go on", name);
	return 0;
}

/* When the folder holds no interface, it goes. */
static void remove_empty(const struct pins *pins)
{
	static const char *const folders[] = {"programs", "maps", "about"};
	char path[PINS_PATH_MAX];
	uint32_t *ifindexes;
	size_t count;

	if (pins_list(pins, &ifindexes, &count))
		return;
	free(ifindexes);
	if (count)
		return;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		pins_path(pins, path, "%s", folders[i]);
		pins_remove(path);
	}
	pins_tidy(pins);
}

/*
 * A reader keeps the maps it has: it must not be left with those that nobody fills any more. And groups of
 * labels are numbered by one at a time.
 */
static int check_reader(struct attach *attach, struct pins *pins, char *ret_error, size_t error_size)
{
	struct pins_about about;
	int err;

	if (!attach->config.aggregate && !pins_read_about(pins, &about) &&
	    attach_everything_fits(attach, pins, &about))
		return 0;
	err = lock_reader(pins, ret_error, error_size);
	pins_unlock_reader(pins);
	return err == -ENOENT ? 0 : err;
}

static bool any_full_name(const struct options *options, const char *name)
{
	for (size_t i = 0; i < options->interface_count; i++)
		if (!strcmp(options->interfaces[i], name))
			return true;
	return false;
}

/* Those that are there now; of others a reader tells. */
static int tell_owners(struct attach *attach, struct pair_maps *pairs, struct labels *labels)
{
	struct cgroups *cgroups = NULL;
	struct owner_maps *maps = NULL;
	int err;

	if (!attach_config(attach)->owners || cgroups_open(&cgroups))
		return 0;
	err = owner_maps_open(&maps, attach, pairs, labels);
	if (!err)
		err = owner_maps_tell(maps, cgroups);
	owner_maps_close(maps);
	close(cgroups_news_fd(cgroups));
	cgroups_close(cgroups);
	return err;
}

/* Before the first program looks for them. */
static int give_labels(struct attach *attach, struct labels *labels, char *ret_error, size_t error_size)
{
	struct pair_maps *maps;
	int err;

	if (!labels)
		return 0;
	err = pair_maps_open(&maps, attach, attach_config(attach));
	if (err)
		return attach_fail(ret_error, error_size, err, "pairs of labels: %s", strerror(-err));
	err = pair_maps_adopt_names(maps, labels);
	if (!err)
		err = tell_owners(attach, maps, labels);
	if (!err)
		err = pair_maps_set_labels(maps, labels);
	pair_maps_close(maps);
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "%s: the kernel side has no room for so many labels: %s",
				   labels_path(labels), strerror(-err));
	return 0;
}

/* Full names have to be there; what is selected otherwise is whatever is there now. */
static int keep_selected(struct attach *attach, const struct options *options, char *ret_error,
			 size_t error_size)
{
	struct interface *interfaces;
	size_t count;
	int err = 0;

	for (size_t i = 0; !err && i < options->interface_count; i++)
		if (is_full_name(options->interfaces[i]))
			err = keep_interface(attach, options, options->interfaces[i], ret_error,
					     error_size);
	if (err)
		return err;
	err = interfaces_list(&interfaces, &count);
	if (err)
		return attach_fail(ret_error, error_size, err, "no list of interfaces: %s",
				   strerror(-err));
	for (size_t i = 0; !err && i < count; i++)
		if (!any_full_name(options, interfaces[i].name) &&
		    attach_any_selects(options->interfaces, options->interface_count, &interfaces[i]))
			err = keep_interface(attach, options, interfaces[i].name, ret_error,
					     error_size);
	free(interfaces);
	return err;
}

static int keep_all(struct attach *attach, const struct options *options, struct pins *pins, gid_t gid,
		    struct labels *labels, char *ret_error, size_t error_size)
{
	char note[PINS_PATH_MAX + 256] = "";
	struct left left = {};
	int err;

	err = lock_pins(pins, true, ret_error, error_size);
	if (err)
		return err;
	err = check_reader(attach, pins, ret_error, error_size);
	if (!err)
		err = refresh(attach, pins, &left, ret_error, error_size);
	if (!err)
		say_left(&left, pins->folder, note, sizeof(note));
	if (note[0])
		log_info("%s", note);
	if (!err)
		err = give_labels(attach, labels, ret_error, error_size);
	if (!err)
		err = keep_selected(attach, options, ret_error, error_size);
	if (!err)
		err = share(pins, gid ?: pins_group(pins), ret_error, error_size);
	if (!err && gid)
		say_shared(pins, options, gid);
	remove_empty(pins);
	return err;
}

int attach_keep(const struct options *options, const struct monitor_config *config)
{
	struct monitor_config kept = *config;
	struct attach *attach = NULL;
	struct labels *labels = NULL;
	char error[512] = "";
	struct pins *pins;
	gid_t gid = 0;
	int err = 0;

	kept.kept = CONFIG_KEPT;
	kept.several = 1; /* others may come */
	kept.owners = 1;
	kept.transit = options->transit;
	if (options_label(options))
		err = labels_open_geoip(&labels, options->labels_path, options->geoip,
					options->geoip_count, error, sizeof(error));
	if (!err)
		err = attach_open(&attach, &kept, error, sizeof(error));
	if (!err)
		attach_resize(attach, &options->rooms);
	pins = err ? NULL : malloc(sizeof(*pins));
	if (!err && !pins)
		err = attach_fail(error, sizeof(error), -ENOMEM, "out of memory");
	if (!err)
		err = find_pins(options->bpffs, pins, error, sizeof(error));
	if (!err)
		err = find_shared(options, pins, &gid, error, sizeof(error));
	if (err) {
		free(pins);
	} else {
		attach->pins = pins;
		err = keep_all(attach, options, pins, gid, labels, error, sizeof(error));
	}
	if (err)
		log_error("%s", error);
	attach_close(attach);
	labels_close(labels);
	return err ? EXIT_FAILED : EXIT_DONE;
}

/* ackmon detach */

static bool is_named(const struct options *options, const struct pins_place *kept)
{
	char name[IF_NAMESIZE];

	if (!options->interface_count)
		return true;
	if (!if_indextoname(kept->ifindex, name))
		memcpy(name, kept->name, sizeof(name));
	for (size_t i = 0; i < options->interface_count; i++)
		if (!strcmp(options->interfaces[i], name))
			return true;
	return false;
}

/* What nobody read goes with the last interface. */
static void say_unread(const struct pins *pins)
{
	struct left left = {};
	char path[PINS_PATH_MAX];

	map_path(pins, "flow_tags", path);
	count_left(path, "flow_tags", &left);
	map_path(pins, "half_open_tags", path);
	count_left(path, "half_open_tags", &left);
	if (left.flows)
		log_info("%llu connections were still in the tables and nobody will read them; "
			 "ackmon -i IFACE reads before detaching",
			 (unsigned long long)left.flows);
}

static int drop_all(const struct options *options, struct pins *pins, char *ret_error,
		    size_t error_size)
{
	uint32_t *ifindexes;
	size_t count, dropped = 0;
	int err;

	err = lock_pins(pins, false, ret_error, error_size);
	if (!err)
		err = lock_reader(pins, ret_error, error_size);
	if (!err)
		err = pins_list(pins, &ifindexes, &count);
	if (err == -ENOENT)
		return attach_fail(ret_error, error_size, err,
				   "nothing is attached in %s; ackmon status tells more",
				   pins->folder);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		struct pins_place kept = {.ifindex = ifindexes[i]};

		pins_read_place(pins, ifindexes[i], &kept);
		if (!is_named(options, &kept))
			continue;
		remove_place(pins, ifindexes[i]);
		log_info("%s: detached", kept.name[0] ? kept.name : "?");
		dropped++;
	}
	free(ifindexes);
	if (dropped == count)
		say_unread(pins);
	pins_unlock_reader(pins);
	remove_empty(pins);
	if (!dropped && count)
		return attach_fail(ret_error, error_size, -ENODEV,
				   "%s: not attached in %s; ackmon status lists those that are",
				   options->interfaces[0], pins->folder);
	return 0;
}

int attach_drop(const struct options *options)
{
	char error[512] = "";
	struct pins pins;
	int err;

	attach_listen_to_libraries();
	err = find_pins(options->bpffs, &pins, error, sizeof(error));
	if (!err) {
		err = drop_all(options, &pins, error, sizeof(error));
		pins_unlock_reader(&pins);
		pins_unlock(&pins);
	}
	if (err)
		log_error("%s", error);
	return err ? EXIT_FAILED : EXIT_DONE;
}

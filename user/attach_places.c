/* SPDX-License-Identifier: GPL-2.0-only */
/* What is pinned of an interface: its links and programs, how they are taken up again, exchanged and taken away. */
#include <bpf/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach_kept.h"

static const char *const tc_names[DIRECTION_COUNT] = {"ingress", "egress"};

struct place attach_place_at(const struct pins *pins, const struct pins_place *kept)
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

struct pins_place attach_describe_place(const struct place *place)
{
	struct pins_place kept = {
		.ifindex = place->interface.ifindex,
		.xdp_way = place->xdp_link_fd >= 0 ? XDP_ALONE
			   : place->xdp		   ? XDP_DISPATCHED
						   : XDP_NOT_USED,
		.xdp_generic = place->xdp_mode == XDP_MODE_SKB,
		.xdp_reads_tag = place->reads_tag,
		.made_clsact = place->made_clsact,
		.since_wall_ns = attach_wall_ns(),
	};

	memcpy(kept.name, place->interface.name, sizeof(kept.name));
	for (int direction = 0; direction < DIRECTION_COUNT; direction++)
		kept.tc_way[direction] = place->tcx_fd[direction] >= 0	  ? TC_BY_TCX
					 : place->has_filter[direction] ? TC_BY_FILTER
									  : TC_NOT_USED;
	return kept;
}

int attach_pin_links(const struct pins *pins, const struct place *place)
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

int attach_pin_xdp_program(const struct pins *pins, const struct place *place)
{
	char where[64];

	if (!place->xdp_prog_id)
		return 0;
	snprintf(where, sizeof(where), "if-%u/xdp_program", place->interface.ifindex);
	return pin_program(pins, place->xdp_prog_id, where);
}

int attach_pin_tc_programs(struct attach *attach, const struct pins *pins)
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
void attach_remove_place(const struct pins *pins, uint32_t ifindex)
{
	struct pins_place kept = {};
	char folder[PINS_PATH_MAX];
	struct place place;

	if (pins_read_place(pins, ifindex, &kept))
		kept = (struct pins_place){.ifindex = ifindex};
	place = attach_place_at(pins, &kept);
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
		attach_remove_place(pins, ifindex);
		return 0;
	}
	place = attach_place_at(pins, &kept);
	if (place_is_gone(&place)) {
		place.is_kept = true;
		attach_leave(&place);
		attach_remove_place(pins, ifindex);
		return 0;
	}
	err = replace_programs(attach, &place, &kept);
	if (!err)
		err = attach_pin_xdp_program(pins, &place);
	place.is_kept = true;
	attach_leave(&place);
	return err;
}

int attach_renew_places(struct attach *attach, struct pins *pins)
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

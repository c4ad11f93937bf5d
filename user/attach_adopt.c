/* SPDX-License-Identifier: GPL-2.0-only */
/* Readers of what is kept: they come when nobody else reads, and leave it as it is. And what is kept elsewhere. */
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

#include "abi/outbox.h"
#include "attach_kept.h"
#include "outbox.h"

#define TC_FILTERS_MAX 64

int attach_find_pins(const char *root, struct pins *ret_pins, char *ret_error, size_t error_size)
{
	int err = pins_find(ret_pins, root);

	if (err)
		return attach_fail(ret_error, error_size, err, "%s: its name is too long",
				   root ? root : getenv("ACKMON_BPFFS"));
	return 0;
}

int attach_lock_pins(struct pins *pins, bool create, char *ret_error, size_t error_size)
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

bool attach_is_full_name(const char *word)
{
	return strcmp(word, "all") && strcmp(word, "any") && !strpbrk(word, "*?[");
}

/* As -i means it: a name, a pattern, or all that are up. */
static bool selects(const char *word, const struct interface *interface)
{
	if (attach_is_full_name(word))
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
		place = attach_place_at(pins, &kept);
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

pid_t attach_reader(const struct pins *pins)
{
	struct outbox *outbox;
	char path[PINS_PATH_MAX];
	pid_t pid = 0;
	int fd;

	pins_path(pins, path, "maps/outbox");
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

int attach_lock_reader(struct pins *pins, char *ret_error, size_t error_size)
{
	const struct timespec pause = {.tv_nsec = LOCK_EVERY_NS};
	int err = pins_lock_reader(pins);

	for (int tries = 1; err == -EBUSY && tries < LOCK_TRIES; tries++) {
		pid_t pid = attach_reader(pins);

		if (!pid || !kill(pid, 0) || errno != ESRCH)
			break;
		nanosleep(&pause, NULL);
		err = pins_lock_reader(pins);
	}
	if (err == -EBUSY)
		return attach_fail(ret_error, error_size, err,
				   "another ackmon (process %d) reads what is gathered in %s; end "
				   "that one first, or look with ackmon status",
				   (int)attach_reader(pins), pins->folder);
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
			err = attach_is_working_space(map) ? 0 : attach_reuse_map(pins, map);
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
	err = attach_renew(attach, pins, &left, ret_error, error_size);
	if (!err)
		err = attach_share(pins, pins_group(pins), ret_error, error_size);
	if (!err)
		attach_say_left(&left, pins->folder, ret_note, note_size);
	return err;
}

int attach_adopt(struct attach *attach, const char *root, const char *const *names, size_t count,
		 char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	struct pins *pins = malloc(sizeof(*pins));
	int err;

	if (!pins)
		return attach_fail(ret_error, error_size, -ENOMEM, "out of memory");
	err = attach_find_pins(root, pins, ret_error, error_size);
	if (err)
		goto out;
	err = attach_lock_pins(pins, false, ret_error, error_size);
	if (!err && !any_kept(pins, names, count))
		err = -ENOENT;
	if (!err)
		err = attach_lock_reader(pins, ret_error, error_size);
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

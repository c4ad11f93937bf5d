/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon attach and detach: programs that stay, and the maps they fill. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach_kept.h"
#include "attach_others.h"
#include "labels.h"
#include "log.h"
#include "owner_maps.h"
#include "pair_maps.h"

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
int attach_share(const struct pins *pins, gid_t gid, char *ret_error, size_t error_size)
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
			attach_remove_place(pins, interface.ifindex);
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
	err = attach_pin_links(pins, place);
	if (!err)
		err = attach_pin_xdp_program(pins, place);
	kept = attach_describe_place(place);
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
	attach_remove_place(attach->pins, interface->ifindex);
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
	err = attach_lock_reader(pins, ret_error, error_size);
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
		if (attach_is_full_name(options->interfaces[i]))
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

	err = attach_lock_pins(pins, true, ret_error, error_size);
	if (err)
		return err;
	err = check_reader(attach, pins, ret_error, error_size);
	if (!err)
		err = attach_renew(attach, pins, &left, ret_error, error_size);
	if (!err)
		attach_say_left(&left, pins->folder, note, sizeof(note));
	if (note[0])
		log_info("%s", note);
	if (!err)
		err = give_labels(attach, labels, ret_error, error_size);
	if (!err)
		err = keep_selected(attach, options, ret_error, error_size);
	if (!err)
		err = attach_share(pins, gid ?: pins_group(pins), ret_error, error_size);
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
		err = attach_find_pins(options->bpffs, pins, error, sizeof(error));
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

	pins_path(pins, path, "maps/flow_tags");
	attach_count_left(path, "flow_tags", &left);
	pins_path(pins, path, "maps/half_open_tags");
	attach_count_left(path, "half_open_tags", &left);
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

	err = attach_lock_pins(pins, false, ret_error, error_size);
	if (!err)
		err = attach_lock_reader(pins, ret_error, error_size);
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
		attach_remove_place(pins, ifindexes[i]);
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

/* Only pins: what they held on to went with its namespace. False: somebody reads it, or it is in use after all. */
static bool drop_gone(struct pins *other)
{
	char path[PINS_PATH_MAX];
	uint32_t *ifindexes;
	size_t count;

	if (pins_lock(other, false))
		return false;
	if (pins_lock_reader(other) || !others_is_gone(other) || pins_list(other, &ifindexes, &count)) {
		pins_unlock_reader(other);
		pins_unlock(other);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		pins_path(other, path, "if-%u", ifindexes[i]);
		pins_remove(path);
	}
	free(ifindexes);
	log_info("%s: removed; its network namespace is gone", other->folder);
	say_unread(other);
	pins_unlock_reader(other);
	remove_empty(other);
	pins_unlock(other);
	return true;
}

/* How many folders of namespaces that are gone went; nobody can come back into one to do it. */
static size_t drop_all_gone(const struct pins *pins, const char *root)
{
	struct pins *others;
	size_t count, dropped = 0;

	if (others_list(pins, root, &others, &count))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (others_is_gone(&others[i]))
			dropped += drop_gone(&others[i]);
	free(others);
	return dropped;
}

int attach_drop(const struct options *options)
{
	char error[512] = "";
	struct pins pins;
	int err;

	attach_listen_to_libraries();
	err = attach_find_pins(options->bpffs, &pins, error, sizeof(error));
	if (!err) {
		err = drop_all(options, &pins, error, sizeof(error));
		pins_unlock_reader(&pins);
		pins_unlock(&pins);
		if (!options->interface_count && drop_all_gone(&pins, options->bpffs) && err == -ENOENT)
			err = 0;
	}
	if (err)
		log_error("%s", error);
	return err ? EXIT_FAILED : EXIT_DONE;
}

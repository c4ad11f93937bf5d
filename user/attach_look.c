/* SPDX-License-Identifier: GPL-2.0-only */
/* Looking at what `ackmon attach` keeps: by whoever may read the pins, and without taking a thing. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach_internal.h"
#include "attach_pins.h"

bool attach_only_looks(const struct attach *attach)
{
	return attach->only_looks;
}

/* 1: one of them is kept and we may look; 0: none is; or -errno. */
static int may_look(const struct pins *pins, const char *const *names, size_t count,
		    char ret_name[IF_NAMESIZE])
{
	struct interface *interfaces;
	size_t interface_count;
	int err = interfaces_list(&interfaces, &interface_count), found = 0;

	if (err)
		return err;
	for (size_t i = 0; i < interface_count && !found; i++) {
		char path[PINS_PATH_MAX];
		struct pins_place place;

		/* Where we may not even see whether it is kept, it is as if it were not. */
		pins_path(pins, path, "if-%u/place", interfaces[i].ifindex);
		if (!attach_any_selects(names, count, &interfaces[i]) || access(path, F_OK))
			continue;
		err = pins_read_place(pins, interfaces[i].ifindex, &place);
		if (!err && place.is_complete)
			found = 1;
		else if (err == -EPERM || err == -EACCES)
			found = err;
		if (found)
			memcpy(ret_name, interfaces[i].name, IF_NAMESIZE);
	}
	free(interfaces);
	return found;
}

/* Maps that the programs alone use stay closed. */
static int open_maps(struct attach *attach)
{
	struct bpf_map *map;
	char path[PINS_PATH_MAX];
	int fd, err = 0;

	bpf_object__for_each_map(map, attach_object(attach)) {
		if (attach_is_working_space(map))
			continue;
		pins_path(attach->pins, path, "maps/%s", bpf_map__name(map));
		fd = pins_look(path);
		if (fd < 0)
			return fd;
		err = bpf_map__reuse_fd(map, fd);
		close(fd);
		if (err)
			break;
	}
	return err;
}

static int look(struct attach *attach, char *ret_error, size_t error_size)
{
	struct pins_about about;
	int err = pins_read_about(attach->pins, &about);

	if (err && err != -ESTALE)
		return attach_fail(ret_error, error_size, err, "%s/about: %s", attach->pins->folder,
				   strerror(-err));
	if (err || !attach_everything_fits(attach, attach->pins, &about))
		return attach_fail(ret_error, error_size, -ESTALE,
				   "%s: another version of ackmon keeps it, in another layout: look "
				   "with that one, or attach again with this one",
				   attach->pins->folder);
	attach_configure(attach, &about.config);
	err = open_maps(attach);
	if (err)
		return attach_fail(ret_error, error_size, err, "%s/maps: cannot be read: %s",
				   attach->pins->folder, strerror(-err));
	attach->is_loaded = true; /* by whoever attached them */
	attach->only_looks = true;
	attach->flows_let_go = about.flows_let_go;
	return 0;
}

static int refuse(const struct pins *pins, const char *name, int err, char *ret_error, size_t error_size)
{
	if (err == -EPERM)
		return attach_fail(ret_error, error_size, err,
				   "%s: attached, but this kernel lets nobody look at maps without "
				   "CAP_BPF (Linux 5.19 and newer do); try sudo",
				   name);
	return attach_fail(ret_error, error_size, err,
			   "%s: attached, but %s is open to root alone; ackmon attach -i %s --group "
			   "GROUP opens it to a group, or try sudo",
			   name, pins->folder, name);
}

int attach_look(struct attach **ret_attach, const char *root, const char *const *names, size_t count,
		char *ret_error, size_t error_size)
{
	const struct monitor_config none = {};
	struct attach *attach = NULL;
	char name[IF_NAMESIZE] = "";
	struct pins pins;
	int err;

	err = pins_find(&pins, root);
	if (err)
		return attach_fail(ret_error, error_size, err, "%s: its name is too long",
				   root ? root : getenv("ACKMON_BPFFS"));
	err = may_look(&pins, names, count, name);
	if (err == -EPERM || err == -EACCES)
		return refuse(&pins, name, err, ret_error, error_size);
	if (err <= 0)
		return 0;
	err = attach_new(&attach, &none);
	if (!err)
		attach->pins = malloc(sizeof(pins));
	if (!err && !attach->pins)
		err = -ENOMEM;
	if (err) {
		attach_fail(ret_error, error_size, err, "the kept maps cannot be opened: %s",
			    strerror(-err));
		goto out;
	}
	*attach->pins = pins;
	err = look(attach, ret_error, error_size);
out:
	if (err)
		attach_close(attach);
	else
		*ret_attach = attach;
	return err ? err : 1;
}

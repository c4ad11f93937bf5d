/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel side is told of cgroups, so that connections count in the namespace of the end that is here. */
#include "owner_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "abi/owner.h"
#include "log.h"

struct owner_maps {
	int owners_fd;
	int groups_fd;
	struct pair_maps *pairs;
	struct labels *labels;
	uint32_t *owners; /* told so far */
	size_t count;
	size_t room;
	uint32_t groups; /* below this number each was joined with each owner */
	bool said_full;
};

int owner_maps_open(struct owner_maps **ret_maps, const struct attach *attach, struct pair_maps *pairs,
		    struct labels *labels)
{
	struct owner_maps *maps = calloc(1, sizeof(*maps));
	const struct bpf_map *owners = attach_map(attach, "owners");
	const struct bpf_map *groups = attach_map(attach, "owner_groups");

	if (!maps)
		return -ENOMEM;
	if (!owners || !groups) {
		free(maps);
		return -ENOENT;
	}
	maps->owners_fd = bpf_map__fd(owners);
	maps->groups_fd = bpf_map__fd(groups);
	maps->pairs = pairs;
	maps->labels = labels;
	*ret_maps = maps;
	return 0;
}

void owner_maps_close(struct owner_maps *maps)
{
	if (!maps)
		return;
	free(maps->owners);
	free(maps);
}

static void say_full(struct owner_maps *maps)
{
	if (!maps->said_full)
		log_error("more than %u namespaces of cgroups and regions together: some ends count by their address alone",
			  OWNERS_MAX);
	maps->said_full = true;
}

/* What an end of that owner is whose address is of this group; a namespace from the labels stands. */
static int join(struct owner_maps *maps, uint32_t owner, uint32_t group)
{
	struct owner_key key = {.owner = owner, .group = group};
	uint32_t joint;
	int err;

	if (*labels_group(maps->labels, group)->namespace)
		return 0;
	err = labels_group_within(maps->labels, group, labels_group(maps->labels, owner)->namespace, &joint);
	/* Whoever reads next finds the name before the number. */
	if (!err)
		err = pair_maps_name_groups(maps->pairs, maps->labels);
	if (!err)
		err = bpf_map_update_elem(maps->groups_fd, &key, &joint, BPF_ANY);
	if (err != -E2BIG)
		return err;
	say_full(maps);
	return 0;
}

static int join_new_groups(struct owner_maps *maps)
{
	int err = 0;

	while (!err && maps->groups < labels_group_count(maps->labels)) {
		for (size_t i = 0; i < maps->count && !err; i++)
			err = join(maps, maps->owners[i], maps->groups);
		maps->groups += !err;
	}
	return err;
}

static int add_owner(struct owner_maps *maps, uint32_t owner)
{
	int err = 0;

	for (size_t i = 0; i < maps->count; i++)
		if (maps->owners[i] == owner)
			return 0;
	if (maps->count == maps->room) {
		size_t room = maps->room ? maps->room * 2 : 64;
		uint32_t *larger = reallocarray(maps->owners, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		maps->owners = larger;
		maps->room = room;
	}
	for (uint32_t group = 0; group < maps->groups && !err; group++)
		err = join(maps, owner, group);
	if (!err)
		maps->owners[maps->count++] = owner;
	return err;
}

static int tell_one(void *context, uint32_t cgroup, const char *path)
{
	struct owner_maps *maps = context;
	char namespace[CGROUP_NAMESPACE_MAX];
	uint32_t owner = OWNER_NONE;
	int err = 0;

	cgroup_namespace(path, namespace);
	if (*namespace)
		err = labels_group_within(maps->labels, GROUP_INTERNAL, namespace, &owner);
	if (!err && owner)
		err = add_owner(maps, owner);
	return err ? err : bpf_map_update_elem(maps->owners_fd, &cgroup, &owner, BPF_ANY);
}

static void empty(int fd)
{
	uint32_t key;

	while (!bpf_map_get_next_key(fd, NULL, &key) && !bpf_map_delete_elem(fd, &key))
		;
}

int owner_maps_tell(struct owner_maps *maps, struct cgroups *cgroups)
{
	int err = join_new_groups(maps);

	if (!err)
		err = cgroups_visit_new(cgroups, tell_one, maps);
	if (err == -E2BIG) { /* of those that are gone: their sockets hardly open anything more */
		empty(maps->owners_fd);
		cgroups_forget_gone(cgroups);
		err = cgroups_visit_new(cgroups, tell_one, maps);
	}
	if (err != -E2BIG)
		return err;
	say_full(maps);
	return 0;
}

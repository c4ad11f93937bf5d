/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs as they are compiled: configured, loaded, and copied for what an interface or a namespace needs to itself. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/aggregate.h"
#include "abi/link.h"
#include "abi/owner.h"
#include "attach_form.h"
#include "attach_internal.h"
#include "log.h"
#include "privileges.h"
#include "table.h"

/* Parts of names of groups, of which most groups need one. */
#define LABEL_NAMES_MAX 131072u

/* Pairs of labels take their memory at once, histograms most of it. */
static void size_pairs(struct monitor *skel, const struct monitor_config *config)
{
	bpf_map__set_max_entries(skel->maps.pair_numbers, config->pairs_max);
	bpf_map__set_max_entries(skel->maps.pairs, config->pairs_max);
	bpf_map__set_max_entries(skel->maps.pair_chunks, config->pairs_max);
	bpf_map__set_max_entries(skel->maps.pair_reader, config->pairs_max);
	bpf_map__set_max_entries(skel->maps.chunks, config->chunks_max);
	bpf_map__set_max_entries(skel->maps.owner_marks, OWNER_PLACES);
	if (config->kept)
		bpf_map__set_max_entries(skel->maps.label_names, LABEL_NAMES_MAX);
}

/* From here on pairs and chunks are given out; generation 1 of the labels is empty. */
static int begin_pairs(struct monitor *skel)
{
	struct aggregate_state state = {
		.pairs = PAIR_FIRST,
		.chunks = CHUNK_FIRST,
		.generation = 1,
	};
	struct aggregate_state before = {};
	__u32 zero = 0;
	int err = bpf_map__lookup_elem(skel->maps.pair_state, &zero, sizeof(zero), &before,
				       sizeof(before), 0);

	if (err || before.generation) /* they were counted in before, and go on */
		return err;
	return bpf_map__update_elem(skel->maps.pair_state, &zero, sizeof(zero), &state,
				    sizeof(state), BPF_ANY);
}

static int open_programs(struct attach *attach, const struct monitor_config *config)
{
	attach->skel = form_open(form_is_older());
	if (!attach->skel)
		return -errno;
	attach->config = *config;
	/* A kernel may be built without cgroups of sockets. */
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_cgroup_id, NULL) != 1)
		attach->config.owners = 0;
	attach->skel->rodata->config = attach->config;
	if (!config->several)
		bpf_map__set_max_entries(attach->skel->maps.claims, 1);
	if (!config->transit)
		bpf_map__set_max_entries(attach->skel->maps.transit_marks, 1);
	if (config->aggregate)
		size_pairs(attach->skel, config);
	else
		bpf_map__set_max_entries(attach->skel->maps.owner_marks, 1);
	return bpf_program__set_autoload(attach->skel->progs.ackmon_xdp, false);
}

int attach_new(struct attach **ret_attach, const struct monitor_config *config)
{
	struct attach *attach;
	int err;

	attach_listen_to_libraries();
	attach = calloc(1, sizeof(*attach));
	if (!attach)
		return -ENOMEM;
	err = open_programs(attach, config);
	if (err)
		attach_close(attach);
	else
		*ret_attach = attach;
	return err;
}

int attach_open(struct attach **ret_attach, const struct monitor_config *config, char *ret_error,
		size_t error_size)
{
	int err = privileges_check_watching(ret_error, error_size);

	if (err)
		return err;
	err = attach_new(ret_attach, config);
	if (err)
		attach_fail(ret_error, error_size, err, "the BPF programs cannot be opened: %s",
			    strerror(-err));
	return err;
}

int attach_load(struct attach *attach, char *ret_error, size_t error_size)
{
	int err;

	if (attach->is_loaded)
		return 0;
	err = monitor__load(attach->skel);
	if (err == -ENOMEM) {
		char rooms[256];

		attach_describe_rooms(attach, rooms, sizeof(rooms));
		return attach_fail(ret_error, error_size, err, "there is no memory for this: %s", rooms);
	}
	if (err == -E2BIG)
		return attach_fail(ret_error, error_size, err,
				   "the verifier of this kernel gives up on the BPF programs; "
				   "please report it with uname -r");
	if (err == -EPERM)
		return attach_fail(ret_error, error_size, err,
				   "the kernel does not let us load BPF programs; outside of a "
				   "container and with CAP_PERFMON and CAP_SYS_RESOURCE too it "
				   "may");
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "the kernel refuses the BPF programs: %s; Linux 5.10 or newer "
				   "is needed, and -v shows what it said",
				   strerror(-err));
	err = table_begin(attach->skel->obj);
	if (err)
		return attach_fail(ret_error, error_size, err, "tables of connections: %s", strerror(-err));
	if (attach->config.aggregate)
		err = begin_pairs(attach->skel);
	if (err)
		return attach_fail(ret_error, error_size, err, "pairs of labels: %s",
				   strerror(-err));
	attach->is_loaded = true;
	return 0;
}

struct bpf_map *attach_map(const struct attach *attach, const char *name)
{
	return bpf_object__find_map_by_name(attach->skel->obj, name);
}

void attach_configure(struct attach *attach, const struct monitor_config *config)
{
	attach->config = *config;
	attach->skel->rodata->config = *config;
	if (config->aggregate)
		size_pairs(attach->skel, config);
}

uint64_t attach_since_wall_ns(const struct attach *attach)
{
	return attach->since_wall_ns;
}

const struct monitor_config *attach_config(const struct attach *attach)
{
	return &attach->config;
}

struct bpf_object *attach_object(const struct attach *attach)
{
	return attach->skel->obj;
}

static struct monitor *configure_copy(struct monitor *copy, const struct attach *attach,
				      const struct netns *netns, bool has_frags,
				      struct bpf_object **ret_object)
{
	if (!copy)
		return NULL;
	copy->rodata->config = attach->config;
	copy->rodata->config.has_frags = has_frags;
	copy->rodata->config.netns = netns ? (uint8_t)netns->number : 0;
	*ret_object = copy->obj;
	return copy;
}

struct monitor *attach_copy_open(const struct attach *attach, const struct netns *netns,
				 bool has_frags, struct bpf_object **ret_object)
{
	return configure_copy(form_open(form_is_older()), attach, netns, has_frags, ret_object);
}

struct monitor *attach_copy_open_vlan(const struct attach *attach, const struct netns *netns,
				      bool has_frags, struct bpf_object **ret_object)
{
	return configure_copy(form_open_vlan(), attach, netns, has_frags, ret_object);
}

int attach_copy_share(const struct attach *attach, struct bpf_object *copy, const char *programs)
{
	struct bpf_program *program;
	struct bpf_map *map;
	int err;

	bpf_object__for_each_program(program, copy) {
		bool is_wanted = !strncmp(bpf_program__name(program), programs, strlen(programs));

		err = bpf_program__set_autoload(program, is_wanted);
		if (err)
			return err;
	}
	bpf_object__for_each_map(map, copy) {
		if (bpf_map__is_internal(map)) /* the configuration is the copy's own */
			continue;
		err = bpf_map__reuse_fd(map, bpf_map__fd(attach_map(attach, bpf_map__name(map))));
		if (err)
			return err;
	}
	return 0;
}

/*
 * What is seen in another namespace has its number in the key, and what frames start with decides how
 * they are read: both are constants of the program.
 */
static int load_copy(struct attach *attach, const struct netns *netns, enum link_kind kind,
		     struct monitor **ret_copy)
{
	struct bpf_object *object;
	struct monitor *copy = attach_copy_open(attach, netns, false, &object);
	int err;

	if (!copy)
		return -errno;
	copy->rodata->config.link = kind == STARTS_WITH_IP ? LINK_RAW_IP : LINK_ETHERNET;
	err = attach_copy_share(attach, object, "ackmon_");
	if (!err)
		err = bpf_program__set_autoload(copy->progs.ackmon_xdp, false);
	if (!err)
		err = bpf_object__load(object);
	if (err) {
		monitor__destroy(copy);
		return err;
	}
	*ret_copy = copy;
	return 0;
}

int attach_program_fd(struct attach *attach, const struct place *place, const char *name)
{
	enum link_kind kind = place->interface.is_raw_ip ? STARTS_WITH_IP : STARTS_WITH_ETHERNET;
	struct monitor **copy = &attach->copies[kind][place->netns ? place->netns->number : 0];
	const struct monitor *monitor = attach->skel;
	int err;

	if (place->netns || kind != STARTS_WITH_ETHERNET) {
		err = *copy ? 0 : load_copy(attach, place->netns, kind, copy);
		if (err)
			return err;
		monitor = *copy;
	}
	return bpf_program__fd(bpf_object__find_program_by_name(monitor->obj, name));
}

void attach_copy_close(struct monitor *copy)
{
	monitor__destroy(copy);
}

int attach_program_name(uint32_t id, char ret_name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd, err;

	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (!err)
		memcpy(ret_name, info.name, BPF_OBJ_NAME_LEN);
	return err;
}

bool attach_program_is(uint32_t id, const char *name)
{
	char its_name[BPF_OBJ_NAME_LEN];

	return !attach_program_name(id, its_name) && !strcmp(its_name, name);
}

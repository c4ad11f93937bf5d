/* SPDX-License-Identifier: GPL-2.0-only */
/* TC programs: by TCX links, or as filters on a clsact qdisc where the kernel has no TCX. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach_internal.h"
#include "log.h"

/* What our filters on a clsact qdisc are known by, together with the name of their program. */
#define FILTER_PRIORITY 0xac
#define FILTER_HANDLE 0xacc

/* Younger than the headers of libbpf 1.1. */
#define BPF_BEFORE_FLAG (1U << 3)

#define RUN_DIRECTORY "/run/ackmon"

static const struct hook {
	const char *program;
	enum bpf_tc_attach_point clsact_point;
	int tcx_type;
} hooks[DIRECTION_COUNT] = {
	[INGRESS] = {"ackmon_ingress", BPF_TC_INGRESS, BPF_TCX_INGRESS_TYPE},
	[EGRESS] = {"ackmon_egress", BPF_TC_EGRESS, BPF_TCX_EGRESS_TYPE},
};

/* The clsact qdisc: ours when we made it, which a note in RUN_DIRECTORY tells the next start. */

/* Numbers of namespaces are used again, so the note holds the cookie, which is not. */
static void note_path(const struct interface *interface, char *ret_path, size_t size)
{
	struct stat netns = {};

	stat("/proc/self/ns/net", &netns);
	snprintf(ret_path, size, RUN_DIRECTORY "/clsact-%llu-%u", (unsigned long long)netns.st_ino,
		 interface->ifindex);
}

static void write_clsact_note(const struct place *place)
{
	char path[96];
	FILE *file;

	note_path(&place->interface, path, sizeof(path));
	mkdir(RUN_DIRECTORY, 0755);
	file = fopen(path, "we");
	if (!file) {
		log_debug("%s: %s: the clsact qdisc would outlive a kill -9", path,
			  strerror(errno));
		return;
	}
	fprintf(file, "%llu\n", (unsigned long long)place->netns_cookie);
	fclose(file);
}

static bool has_clsact_note(const struct place *place)
{
	char path[96];
	unsigned long long cookie;
	FILE *file;
	bool is_ours;

	note_path(&place->interface, path, sizeof(path));
	file = fopen(path, "re");
	if (!file)
		return false;
	is_ours = fscanf(file, "%llu", &cookie) == 1 && cookie == place->netns_cookie;
	fclose(file);
	return is_ours;
}

static void remove_clsact_note(const struct place *place)
{
	char path[96];

	note_path(&place->interface, path, sizeof(path));
	unlink(path);
	rmdir(RUN_DIRECTORY); /* the last one does it */
}

static struct bpf_tc_hook clsact_hook(const struct place *place, enum bpf_tc_attach_point point)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = place->interface.ifindex,
		.attach_point = point,
	};
}

/* Takes away our qdisc, unless somebody else has moved in meanwhile. */
static void remove_clsact(struct place *place)
{
	struct bpf_tc_hook both = clsact_hook(place, BPF_TC_INGRESS | BPF_TC_EGRESS);
	size_t filters;

	if (!interface_tc_filters(&place->interface, NULL, 0, &filters) && !filters)
		bpf_tc_hook_destroy(&both);
	remove_clsact_note(place);
	place->made_clsact = false;
}

static void remove_our_filter(const struct place *place, enum direction direction)
{
	struct bpf_tc_hook hook = clsact_hook(place, hooks[direction].clsact_point);
	struct bpf_tc_opts query = {
		.sz = sizeof(query),
		.handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY,
	};
	struct bpf_tc_opts detach = query;

	if (!bpf_tc_query(&hook, &query) &&
	    (query.prog_id == place->filter_prog_id[direction] ||
	     attach_program_is(query.prog_id, hooks[direction].program)))
		bpf_tc_detach(&hook, &detach);
}

static int make_clsact(struct place *place)
{
	struct bpf_tc_hook both = clsact_hook(place, BPF_TC_INGRESS | BPF_TC_EGRESS);
	int err = bpf_tc_hook_create(&both);

	if (err == -EEXIST)
		return 0; /* somebody else's, or ours already */
	if (err)
		return err;
	place->made_clsact = true;
	write_clsact_note(place);
	return 0;
}

static int attach_filter(struct place *place, enum direction direction, int prog_fd)
{
	struct bpf_tc_hook hook = clsact_hook(place, hooks[direction].clsact_point);
	struct bpf_tc_opts opts = {
		.sz = sizeof(opts),
		.prog_fd = prog_fd,
		.handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY,
	};
	int err;

	err = make_clsact(place);
	if (err)
		return err;
	err = bpf_tc_attach(&hook, &opts);
	place->has_filter[direction] = !err;
	place->filter_prog_id[direction] = err ? 0 : opts.prog_id;
	return err;
}

int attach_tc_replace(struct place *place, enum direction direction, int prog_fd)
{
	struct bpf_tc_hook hook = clsact_hook(place, hooks[direction].clsact_point);
	struct bpf_tc_opts opts = {
		.sz = sizeof(opts),
		.prog_fd = prog_fd,
		.handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY,
		.flags = BPF_TC_F_REPLACE,
	};

	return bpf_tc_attach(&hook, &opts);
}

/* Coming and going */

static bool wants_clsact(void)
{
	const char *choice = getenv("ACKMON_TC");

	return choice && !strcmp(choice, "clsact");
}

/*
 * First in the row: a program before us could decide about a frame (and TC would ask no further),
 * and what is watched is what came and what was sent, whatever is decided then.
 */
static int attach_tcx(struct place *place, enum direction direction, int prog_fd)
{
	struct bpf_link_create_opts opts = {.sz = sizeof(opts), .flags = BPF_BEFORE_FLAG};
	int fd = bpf_link_create(prog_fd, place->interface.ifindex, hooks[direction].tcx_type,
				 &opts);

	if (fd < 0)
		return fd;
	place->tcx_fd[direction] = fd;
	return 0;
}

int attach_tc_start(struct attach *attach, struct place *place, enum direction direction,
		    char *ret_error, size_t error_size)
{
	const char *where = direction == INGRESS ? "ingress" : "egress";
	int prog_fd = attach_program_fd(attach, place, hooks[direction].program);
	int err = -EINVAL;

	if (prog_fd < 0)
		return attach_fail(ret_error, error_size, prog_fd,
				   "%s: the programs for its namespace cannot be loaded: %s",
				   place->interface.name, strerror(-prog_fd));
	if (!wants_clsact())
		err = attach_tcx(place, direction, prog_fd);
	if (err == -EINVAL) /* no TCX before Linux 6.6 */
		err = attach_filter(place, direction, prog_fd);
	if (err == -EEXIST)
		return attach_fail(ret_error, error_size, err,
				   "%s: a foreign TC %s filter has priority %d and handle 0x%x, "
				   "which we use; move it",
				   place->interface.name, where, FILTER_PRIORITY, FILTER_HANDLE);
	if (err == -ENOENT)
		return attach_fail(ret_error, error_size, err,
				   "%s: TC %s needs the kernel modules sch_ingress and cls_bpf; "
				   "try modprobe",
				   place->interface.name, where);
	if (err)
		return attach_fail(ret_error, error_size, err, "%s: TC %s refuses our program: %s",
				   place->interface.name, where, attach_explain(err));
	return 0;
}

void attach_tc_stop(struct place *place)
{
	for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
		if (place->tcx_fd[direction] >= 0) {
			/* At once; closing alone may leave it to a worker of the kernel. */
			bpf_link_detach(place->tcx_fd[direction]);
			close(place->tcx_fd[direction]);
			place->tcx_fd[direction] = -1;
		}
		if (place->has_filter[direction])
			remove_our_filter(place, direction);
		place->has_filter[direction] = false;
	}
	if (place->made_clsact)
		remove_clsact(place);
}

void attach_tc_forget(struct place *place)
{
	for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
		if (place->tcx_fd[direction] >= 0) {
			/* Moved to another namespace it may still be on. */
			bpf_link_detach(place->tcx_fd[direction]);
			close(place->tcx_fd[direction]);
		}
		place->tcx_fd[direction] = -1;
		place->has_filter[direction] = false;
	}
	if (place->made_clsact)
		remove_clsact_note(place);
	place->made_clsact = false;
}

void attach_tc_let_go(struct place *place)
{
	for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
		if (place->tcx_fd[direction] >= 0)
			close(place->tcx_fd[direction]);
		place->tcx_fd[direction] = -1;
		place->has_filter[direction] = false;
	}
	place->made_clsact = false;
}

/* What a killed ackmon left: filters, and the qdisc it made for them. */
void attach_tc_remove_leftovers(struct place *place)
{
	size_t filters;

	if (!interface_tc_filters(&place->interface, NULL, 0, &filters) && filters) {
		remove_our_filter(place, INGRESS);
		remove_our_filter(place, EGRESS);
	}
	if (has_clsact_note(place))
		remove_clsact(place);
}

const char *attach_tc_kind(const struct place *place)
{
	return place->tcx_fd[EGRESS] >= 0 ? "TCX" : "clsact";
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Ingress by XDP: a program of its own for each interface; foreign ones stay where they are. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "attach_form.h"
#include "attach_internal.h"
#include "privileges.h"

/* BPF_F_XDP_DEV_BOUND_ONLY, younger than the headers of libbpf 1.1. */
#define BPF_F_DEV_BOUND_FLAG (1U << 6)

/* Of libxdp: 50 when nobody says otherwise, the lowest runs first. */
#define RUN_PRIORITY 5

/*
 * Each interface has an object of its own, with the maps of all: libxdp makes a program a part of
 * one interface's dispatcher, and what could not be loaded in one way cannot be loaded again in
 * another.
 */
static int open_copy(struct attach *attach, struct place *place, bool frags,
		     struct bpf_object **ret_object)
{
	struct bpf_object *object;
	int err;

	place->xdp_copy = place->reads_tag
				  ? attach_copy_open_vlan(attach, place->netns, frags, &object)
				  : attach_copy_open(attach, place->netns, frags, &object);
	if (!place->xdp_copy)
		return -errno;
	err = attach_copy_share(attach, object, XDP_PROGRAM);
	if (err)
		return err;
	*ret_object = object;
	return 0;
}

static void close_copy(struct place *place)
{
	xdp_program__close(place->xdp);
	place->xdp = NULL;
	attach_copy_close(place->xdp_copy);
	place->xdp_copy = NULL;
}

/*
 * The dispatcher puts our program into its own by freplace. Where the kernel refuses that, libxdp
 * attaches the program alone and says nothing; then a link of our own is better: it goes with its
 * owner, and is replaced in one step. Linux 5.10 has freplace, but takes no function apart that is given the
 * context there ("Unrecognized arg#0 type PTR"), and the hops of a parser within their caller are too much to
 * walk. Who lacks CAP_SYS_ADMIN could not take away what libxdp attaches alone for him.
 */
bool attach_xdp_can_share(void)
{
	static int answer = -1;

	if (answer < 0)
		answer = !form_is_older() && libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1;
	return answer && privileges_have(PRIVILEGES_TO_SHARE_XDP);
}

/* We look before others decide, and pass on. */
static int attach_dispatched(struct place *place, struct bpf_object *object,
			     enum xdp_attach_mode mode, bool frags)
{
	struct xdp_program_opts opts = {
		.sz = sizeof(opts),
		.prog_name = XDP_PROGRAM,
		.obj = object,
	};
	int err;

	place->xdp = xdp_program__create(&opts);
	err = libxdp_get_error(place->xdp);
	if (err) {
		place->xdp = NULL;
		return err;
	}
	err = xdp_program__set_xdp_frags_support(place->xdp, frags);
	if (!err)
		err = xdp_program__set_run_prio(place->xdp, RUN_PRIORITY);
	if (!err)
		err = xdp_program__attach(place->xdp, place->interface.ifindex, mode, 0);
	if (err)
		return err;
	place->xdp_prog_id = xdp_program__id(place->xdp);
	return 0;
}

/* What reads metadata is translated to calls of one driver, and is bound to its interface for that. */
static int load_alone(struct bpf_object *object, const struct place *place, bool frags, uint32_t *ret_id)
{
	struct bpf_program *program = bpf_object__find_program_by_name(
		object, place->reads_tag ? XDP_VLAN_PROGRAM : XDP_PROGRAM);
	__u32 flags = frags ? BPF_F_XDP_HAS_FRAGS : 0;
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int err;

	if (place->reads_tag) {
		bpf_program__set_ifindex(program, place->interface.ifindex);
		flags |= BPF_F_DEV_BOUND_FLAG;
	}
	err = bpf_program__set_flags(program, flags);
	if (!err)
		err = bpf_object__load(object);
	if (!err)
		err = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len);
	if (err)
		return err;
	*ret_id = info.id;
	return bpf_program__fd(program);
}

static int attach_alone(struct place *place, struct bpf_object *object, enum xdp_attach_mode mode,
			bool frags)
{
	struct bpf_link_create_opts opts = {
		.sz = sizeof(opts),
		.flags = mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE,
	};
	int fd = load_alone(object, place, frags, &place->xdp_prog_id);

	if (fd < 0)
		return fd;
	if (place->xdp_link_fd >= 0) /* in the place of an older one of ours */
		return bpf_link_update(place->xdp_link_fd, fd, NULL);
	fd = bpf_link_create(fd, place->interface.ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return fd;
	place->xdp_link_fd = fd;
	return 0;
}

static int try_attach(struct attach *attach, struct place *place, enum xdp_attach_mode mode,
		      bool frags)
{
	struct bpf_object *object = NULL;
	int err;

	err = open_copy(attach, place, frags, &object);
	if (err)
		return err;
	if (place->xdp_link_fd < 0 && !place->reads_tag && attach_xdp_can_share())
		return attach_dispatched(place, object, mode, frags);
	return attach_alone(place, object, mode, frags);
}

/*
 * With frags, so that large MTUs and merged frames pass. Kernels before 5.18 do not know the flag,
 * and a dispatcher started by a program without frags takes none that has them.
 */
int attach_xdp_start(struct attach *attach, struct place *place, enum xdp_attach_mode mode)
{
	int err = 0;

	for (int frags = 1; frags >= 0; frags--) {
		attach_forget_kernel_message();
		err = try_attach(attach, place, mode, frags);
		if (!err) {
			place->xdp_mode = mode;
			return 0;
		}
		close_copy(place);
		if (err != -EINVAL)
			break;
	}
	return err;
}

void attach_xdp_stop(struct place *place)
{
	if (place->xdp_link_fd >= 0) {
		/* At once; closing alone may leave it to a worker of the kernel. */
		bpf_link_detach(place->xdp_link_fd);
		close(place->xdp_link_fd);
		place->xdp_link_fd = -1;
	}
	if (place->xdp)
		xdp_program__detach(place->xdp, place->interface.ifindex, place->xdp_mode, 0);
	close_copy(place);
}

/* With the interface its programs went; a dispatcher leaves its pins. */
void attach_xdp_forget(struct place *place)
{
	if (place->xdp)
		libxdp_clean_references((int)place->interface.ifindex);
	if (place->xdp_link_fd >= 0)
		close(place->xdp_link_fd);
	place->xdp_link_fd = -1;
	close_copy(place);
}

void attach_xdp_let_go(struct place *place)
{
	if (place->xdp_link_fd >= 0)
		close(place->xdp_link_fd);
	place->xdp_link_fd = -1;
	close_copy(place);
}

bool attach_xdp_is_ours(uint32_t id)
{
	char name[BPF_OBJ_NAME_LEN];

	return !attach_program_name(id, name) &&
	       (!strcmp(name, XDP_PROGRAM) || !strcmp(name, XDP_VLAN_PROGRAM));
}

/* What a killed ackmon left: its program alone, or in a dispatcher with others. */
void attach_xdp_remove_leftover(const struct place *place)
{
	int ifindex = place->interface.ifindex;
	struct xdp_multiprog *multiprog = xdp_multiprog__get_from_ifindex(ifindex);
	enum xdp_attach_mode mode;
	struct xdp_program *program = NULL;

	if (libxdp_get_error(multiprog))
		return;
	mode = xdp_multiprog__attach_mode(multiprog);
	if (xdp_multiprog__is_legacy(multiprog)) {
		program = xdp_multiprog__main_prog(multiprog);
		if (program && attach_xdp_is_ours(xdp_program__id(program)))
			xdp_program__detach(program, ifindex, mode, 0);
	} else {
		while ((program = xdp_multiprog__next_prog(program, multiprog)))
			if (attach_xdp_is_ours(xdp_program__id(program)))
				break;
		if (program)
			xdp_program__detach(program, ifindex, mode, 0);
	}
	xdp_multiprog__close(multiprog);
}

static const char *why_not_shared(const struct place *place)
{
	if (place->reads_tag)
		return "cannot be joined by one that reads VLAN tags, which is bound to its interface";
	if (attach_xdp_can_share())
		return "is not behind a dispatcher of libxdp";
	if (form_is_older())
		return "cannot share: before Linux 5.12 freplace takes no program built like ours";
	return "cannot share: this kernel, or what we are allowed, has no freplace (BPF_PROG_TYPE_EXT)";
}

/* Foreign programs stay, except that we may join those behind a dispatcher. */
int attach_xdp_check_foreign(const struct place *place, char *ret_error, size_t error_size)
{
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};
	int ifindex = place->interface.ifindex;
	struct xdp_multiprog *multiprog;
	char name[BPF_OBJ_NAME_LEN] = "?";
	bool is_shared;
	uint32_t id;

	if (bpf_xdp_query(ifindex, 0, &query))
		return 0; /* attaching will tell */
	id = query.drv_prog_id ?: query.skb_prog_id ?: query.hw_prog_id;
	if (!id)
		return 0;
	multiprog = xdp_multiprog__get_from_ifindex(ifindex);
	if (!libxdp_get_error(multiprog)) {
		is_shared = !place->reads_tag && attach_xdp_can_share() && !xdp_multiprog__is_legacy(multiprog);
		xdp_multiprog__close(multiprog);
		if (is_shared)
			return 0;
	}
	attach_program_name(id, name);
	return attach_fail(ret_error, error_size, -EBUSY,
			   "%s: XDP is taken by program \"%s\" (id %u), which is not ours and %s; "
			   "try -m tc",
			   place->interface.name, name, id, why_not_shared(place));
}

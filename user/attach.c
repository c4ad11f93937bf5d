/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs on interfaces: how they get there, and that they leave without a trace. */
#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/key.h"
#include "attach_internal.h"
#include "metrics.h"
#include "privileges.h"

static struct attach_ways ways_of(const struct place *place)
{
	struct attach_ways ways = place->ways;

	if (place->xdp || place->xdp_link_fd >= 0)
		ways.xdp = place->xdp_mode == XDP_MODE_SKB ? WAY_GENERIC
			   : place->reads_tag		   ? WAY_NATIVE_VLAN
							   : WAY_NATIVE;
	for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
		if (place->tcx_fd[direction] >= 0)
			ways.tc[direction] = WAY_TCX;
		else if (place->has_filter[direction])
			ways.tc[direction] = WAY_CLSACT;
	}
	return ways;
}

size_t attach_hooks(const struct attach *attach, struct metrics_hook *ret_hooks, size_t room)
{
	static const char *const directions[DIRECTION_COUNT] = {
		[INGRESS] = "tc_ingress",
		[EGRESS] = "tc_egress",
	};
	static const char *const xdp_ways[XDP_WAYS] = {
		[WAY_NATIVE] = "native",
		[WAY_GENERIC] = "generic",
		[WAY_NATIVE_VLAN] = "native-vlan",
	};
	size_t count = 0;

	for (size_t i = 0; i < attach->place_count; i++) {
		const struct place *place = &attach->places[i];
		const struct attach_ways ways = ways_of(place);
		const char *name = place->interface.name;

		if (ways.xdp && count < room)
			ret_hooks[count++] = (struct metrics_hook){
				name, "xdp", xdp_ways[ways.xdp]};
		for (int direction = 0; direction < DIRECTION_COUNT; direction++)
			if (ways.tc[direction] && count < room)
				ret_hooks[count++] = (struct metrics_hook){
					name, directions[direction],
					ways.tc[direction] == WAY_CLSACT ? "clsact" : "tcx"};
	}
	return count;
}

static int find_interface(const char *name, struct interface *ret_interface, char *ret_error,
			  size_t error_size)
{
	char nearest[IFNAMSIZ];
	int err = interface_find(name, ret_interface);

	if (err == -ENODEV) {
		interface_nearest_name(name, nearest);
		if (nearest[0])
			return attach_fail(ret_error, error_size, err,
					   "%s: no such interface; did you mean %s? (ackmon -D "
					   "lists them)",
					   name, nearest);
		return attach_fail(ret_error, error_size, err,
				   "%s: no such interface; ackmon -D lists those there are", name);
	}
	if (err)
		return attach_fail(ret_error, error_size, err, "%s: %s", name, strerror(-err));
	if (!ret_interface->is_ethernet && !ret_interface->is_raw_ip)
		return attach_fail(ret_error, error_size, -EPROTONOSUPPORT,
				   "%s: its frames start with neither an Ethernet nor an IP header, "
				   "which is not supported; watch the interface below it",
				   name);
	return 0;
}

static void remove_leftovers(struct place *place)
{
	attach_xdp_remove_leftover(place);
	attach_tc_remove_leftovers(place);
}

static void end_claim(struct place *place)
{
	if (place->claim_fd >= 0)
		close(place->claim_fd);
	place->claim_fd = -1;
}

/* Needs no capability, and no way into the namespace. */
static void leave_links(struct place *place)
{
	if (place->xdp)
		attach_xdp_let_go(place);
	else
		attach_xdp_stop(place);
	place->has_filter[INGRESS] = place->has_filter[EGRESS] = false;
	place->made_clsact = false;
	attach_tc_stop(place);
	end_claim(place);
}

static void forget_place(struct place *place)
{
	if (place->has_links_only) {
		leave_links(place);
		return;
	}
	attach_xdp_forget(place);
	attach_tc_forget(place);
	end_claim(place);
}

void attach_leave(struct place *place)
{
	int home;

	if (place->has_links_only) {
		leave_links(place);
		return;
	}
	if (netns_enter(place->netns, &home)) { /* the namespace went, and its interfaces with it */
		forget_place(place);
		return;
	}
	if (place->is_kept) {
		attach_xdp_let_go(place);
		attach_tc_let_go(place);
	} else {
		attach_xdp_stop(place);
		attach_tc_stop(place);
	}
	end_claim(place);
	netns_return(home);
}

static struct place *add_place(struct attach *attach, const struct netns *netns,
			       const struct interface *interface)
{
	struct place *places =
		reallocarray(attach->places, attach->place_count + 1, sizeof(*places));

	if (!places)
		return NULL;
	attach->places = places;
	places[attach->place_count] = (struct place){
		.interface = *interface,
		.netns = netns,
		.netns_cookie = attach_netns_cookie(),
		.claim_fd = -1,
		.tcx_fd = {-1, -1},
		.xdp_link_fd = -1,
	};
	return &places[attach->place_count++];
}

/* Inside the interface's namespace. */
static int attach_here(struct attach *attach, const struct netns *netns, const char *name,
		       enum hook_mode mode, unsigned int *ret_ifindex, char *ret_note,
		       size_t note_size, char *ret_error, size_t error_size)
{
	struct interface interface;
	struct place *place;
	char note[384] = "";
	int err;

	err = find_interface(name, &interface, ret_error, error_size);
	if (err)
		return err;
	if (interface.ifindex >> KEY_NETNS_SHIFT)
		return attach_fail(ret_error, error_size, -ERANGE,
				   "%s: the kernel numbers it %u, beyond what is kept of an "
				   "interface; make it anew with ip link add ... index N",
				   name, interface.ifindex);
	place = add_place(attach, netns, &interface);
	if (!place)
		return attach_fail(ret_error, error_size, -ENOMEM, "out of memory");

	err = attach_claim_place(place, ret_error, error_size);
	if (err)
		goto out;
	if (!netns && attach_is_kept(attach, interface.ifindex)) {
		err = attach_adopt_place(attach, place, note, sizeof(note), ret_error, error_size);
		goto noted;
	}
	err = attach_check_kept(place, ret_error, error_size);
	if (err)
		goto out;
	err = attach_load(attach, ret_error, error_size);
	if (err)
		goto out;
	remove_leftovers(place);
	err = attach_choose(attach, place, mode, note, sizeof(note), ret_error, error_size);
noted:
	if (err)
		goto out;
	if (ret_ifindex)
		*ret_ifindex = interface.ifindex;
	if (ret_note)
		snprintf(ret_note, note_size, "%s%s", note,
			 interface.is_up ? "" : " (the interface is down)");
out:
	if (err) {
		attach_leave(place);
		attach->place_count--;
	}
	return err;
}

int attach_interface(struct attach *attach, const struct netns *netns, const char *name,
		     enum hook_mode mode, unsigned int *ret_ifindex, char *ret_note,
		     size_t note_size, char *ret_error, size_t error_size)
{
	int home, err = netns_enter(netns, &home);

	if (err)
		return attach_fail(ret_error, error_size, err,
				   "--netns %s: cannot be entered: %s", netns->name,
				   strerror(-err));
	err = attach_here(attach, netns, name, mode, ret_ifindex, ret_note, note_size, ret_error,
			  error_size);
	netns_return(home);
	return err;
}

void attach_forget(struct attach *attach, const struct netns *netns, unsigned int ifindex)
{
	for (size_t i = 0; i < attach->place_count; i++) {
		struct place *place = &attach->places[i];

		if (place->netns != netns || place->interface.ifindex != ifindex)
			continue;
		forget_place(place);
		attach->places[i] = attach->places[--attach->place_count];
		return;
	}
}

void attach_keep_links(struct attach *attach)
{
	for (size_t i = 0; i < attach->place_count; i++) {
		struct place *place = &attach->places[i];

		place->ways = ways_of(place);
		place->has_links_only = !place->is_kept;
	}
}

/* Descriptors of what is the other's go, so that it goes with the other. */
void attach_keep_rest(struct attach *attach)
{
	if (attach->pins)
		attach_forget_reader(attach);
	for (size_t i = 0; i < attach->place_count; i++) {
		struct place *place = &attach->places[i];

		if (place->xdp_link_fd >= 0 || place->is_kept)
			attach_xdp_let_go(place);
		for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
			if (place->tcx_fd[direction] >= 0)
				close(place->tcx_fd[direction]);
			place->tcx_fd[direction] = -1;
		}
		end_claim(place);
	}
}

static struct place *find_place(struct attach *attach, const struct netns *netns, unsigned int ifindex)
{
	for (size_t i = 0; i < attach->place_count; i++)
		if (attach->places[i].netns == netns && attach->places[i].interface.ifindex == ifindex)
			return &attach->places[i];
	return NULL;
}

int attach_claim(struct attach *attach, const struct netns *netns, unsigned int ifindex,
		 struct attach_ways *ret_ways)
{
	struct place *place = find_place(attach, netns, ifindex);
	int claim_fd;

	if (!place)
		return -1;
	*ret_ways = ways_of(place);
	claim_fd = place->claim_fd;
	place->claim_fd = -1;
	return claim_fd;
}

/* Listening once more makes us the one whom status names. */
void attach_note(struct attach *attach, const struct netns *netns, unsigned int ifindex, const char *name,
		 const struct attach_ways *ways, int claim_fd)
{
	struct interface interface = {.ifindex = ifindex};
	struct place *place;

	if (claim_fd >= 0)
		listen(claim_fd, SOMAXCONN);
	memcpy(interface.name, name, sizeof(interface.name));
	place = add_place(attach, netns, &interface);
	if (!place)
		return;
	place->claim_fd = claim_fd;
	place->has_links_only = true;
	place->ways = *ways;
}

capabilities attach_to_leave(const struct attach *attach)
{
	capabilities set = 0;

	for (size_t i = 0; i < attach->place_count; i++) {
		const struct place *place = &attach->places[i];
		bool has_qdisc = place->has_filter[INGRESS] || place->has_filter[EGRESS];

		if (place->is_kept || place->has_links_only)
			continue;
		if (place->xdp)
			set |= PRIVILEGES_TO_LEAVE_DISPATCHER;
		if (has_qdisc || place->made_clsact)
			set |= place->netns ? PRIVILEGES_TO_LEAVE_FILTER_ELSEWHERE
					    : PRIVILEGES_TO_LEAVE_FILTER;
	}
	return set;
}

void attach_stop(struct attach *attach)
{
	if (!attach)
		return;
	for (size_t i = 0; i < attach->place_count; i++)
		attach_leave(&attach->places[i]);
	attach->place_count = 0;
}

void attach_close(struct attach *attach)
{
	if (!attach)
		return;
	attach_stop(attach);
	attach_close_pins(attach);
	free(attach->places);
	free(attach->kept);
	for (int kind = 0; kind < LINK_KINDS; kind++)
		for (int i = 0; i <= NETNS_MAX; i++)
			attach_copy_close(attach->copies[kind][i]);
	attach_copy_close(attach->skel);
	free(attach);
}
